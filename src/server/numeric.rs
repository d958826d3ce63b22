//! `numeric` to and from `rust_decimal`, on the binary form: a detour through text would cost
//! more than the rest of a posting. The form is that of `src/backend/utils/adt/numeric.c`,
//! unchanged since PostgreSQL 9.1 and on disk, so it can't change.

#![allow(
    clippy::indexing_slicing,
    reason = "a pair of bytes has two, and a decimal no more groups of digits than there is room for"
)]

use pgrx::datum::DatumWithOid;
use pgrx::{AnyNumeric, IntoDatum, pg_sys};
use rust_decimal::Decimal;

const BASE: i128 = 10_000;
const BASE_DIGITS: i32 = 4;

const SIGN_MASK: u16 = 0xC000;
const SHORT: u16 = 0x8000;
const SPECIAL: u16 = 0xC000;
const NEGATIVE: u16 = 0x4000;
const SHORT_NEGATIVE: u16 = 0x2000;
const SHORT_SCALE_SHIFT: u16 = 7;
const SHORT_SCALE_MASK: u16 = 0x1F80;
const SHORT_WEIGHT_SIGN: u16 = 0x0040;
const SHORT_WEIGHT_MASK: u16 = 0x003F;
const LONG_SCALE_MASK: u16 = 0x3FFF;

/// Why a numeric is no decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    NotFinite,
    OutOfRange,
}

/// # Safety
/// The datum must be a non-NULL `numeric`.
pub unsafe fn decode(datum: pg_sys::Datum) -> Result<Decimal, Unfit> {
    unsafe {
        let varlena = datum.cast_mut_ptr::<pg_sys::varlena>();
        if !pgrx::varatt_is_4b_c(varlena) && !pgrx::varatt_is_1b_e(varlena) {
            return decode_bytes(pgrx::varlena_to_byte_slice(varlena));
        }
        let plain = pg_sys::pg_detoast_datum_packed(varlena);
        let result = decode_bytes(pgrx::varlena_to_byte_slice(plain));
        pg_sys::pfree(plain.cast());
        result
    }
}

fn decode_bytes(bytes: &[u8]) -> Result<Decimal, Unfit> {
    let stored = Stored::read(bytes)?;
    let mantissa = stored.mantissa()?;
    // zero has no digits, and any weight
    if mantissa == 0 {
        let scale = u32::from(stored.display_scale).min(Decimal::MAX_SCALE);
        return Ok(Decimal::new(0, scale));
    }
    stored.scaled(mantissa)
}

/// A numeric as it is stored: groups of digits, each worth 10 000 of the next one.
struct Stored<'a> {
    negative: bool,
    /// Decimals to be shown.
    display_scale: u16,
    /// The power of 10 000 that the first group counts.
    weight: i32,
    bytes: &'a [u8],
    /// Where the groups begin.
    start: usize,
}

fn word(bytes: &[u8], at: usize) -> u16 {
    bytes
        .get(at..at + 2)
        .map_or(0, |b| u16::from_ne_bytes([b[0], b[1]]))
}

impl<'a> Stored<'a> {
    #[inline]
    fn read(bytes: &'a [u8]) -> Result<Self, Unfit> {
        let header = word(bytes, 0);
        let (negative, display_scale, weight, start) = match header & SIGN_MASK {
            SPECIAL => return Err(Unfit::NotFinite),
            SHORT => {
                let magnitude = (header & SHORT_WEIGHT_MASK) as i32;
                let weight = if header & SHORT_WEIGHT_SIGN != 0 {
                    magnitude - 64
                } else {
                    magnitude
                };
                let scale = (header & SHORT_SCALE_MASK) >> SHORT_SCALE_SHIFT;
                (header & SHORT_NEGATIVE != 0, scale, weight, 2)
            }
            sign => {
                let weight = i32::from(word(bytes, 2) as i16);
                (sign == NEGATIVE, header & LONG_SCALE_MASK, weight, 4)
            }
        };
        Ok(Self {
            negative,
            display_scale,
            weight,
            bytes,
            start,
        })
    }

    #[inline]
    fn count(&self) -> usize {
        self.bytes.len().saturating_sub(self.start) / 2
    }

    /// All the digits, as an integer.
    #[inline]
    fn mantissa(&self) -> Result<i128, Unfit> {
        let digit = |n: usize| word(self.bytes, self.start + 2 * n);
        let count = self.count();
        // 18 decimal digits are a number of 64 bits, whose arithmetic is much faster
        if count <= 4 {
            let add = |m, n| m * BASE as i64 + i64::from(digit(n));
            return Ok((0..count).fold(0, add).into());
        }
        (0..count)
            .try_fold(0i128, |m, n| {
                m.checked_mul(BASE)?.checked_add(digit(n).into())
            })
            .ok_or(Unfit::OutOfRange)
    }

    /// The decimal with these digits: with the decimals that are shown, or as many more as it has.
    #[inline]
    fn scaled(&self, mut mantissa: i128) -> Result<Decimal, Unfit> {
        // decimals behind the last group, negative if zeros are to be added before the point
        let mut scale = (self.count() as i32 - 1 - self.weight) * BASE_DIGITS;
        let wanted = i32::from(self.display_scale).min(Decimal::MAX_SCALE as i32);
        while scale > wanted {
            let (shorter, is_exact) = tenth(mantissa);
            if !is_exact {
                break;
            }
            mantissa = shorter;
            scale -= 1;
        }
        if scale < wanted {
            let widened = 10i128
                .checked_pow((wanted - scale) as u32)
                .and_then(|p| mantissa.checked_mul(p));
            match widened.and_then(|m| fit(m, wanted as u32, self.negative)) {
                Some(decimal) => return Ok(decimal),
                // the trailing zeros of a huge number do not fit, but the number may
                None if scale < 0 => {
                    let power = 10i128
                        .checked_pow(scale.unsigned_abs())
                        .ok_or(Unfit::OutOfRange)?;
                    mantissa = mantissa.checked_mul(power).ok_or(Unfit::OutOfRange)?;
                    scale = 0;
                }
                None => {}
            }
        }
        fit(mantissa, scale as u32, self.negative).ok_or(Unfit::OutOfRange)
    }
}

/// A tenth of a number that is not negative, and whether it is exact.
fn tenth(number: i128) -> (i128, bool) {
    match u64::try_from(number) {
        Ok(number) => (i128::from(number / 10), number % 10 == 0),
        Err(_) => (number / 10, number % 10 == 0),
    }
}

fn fit(mantissa: i128, scale: u32, negative: bool) -> Option<Decimal> {
    Decimal::try_from_i128_with_scale(if negative { -mantissa } else { mantissa }, scale).ok()
}

/// A `numeric` in memory of our own, with the decimals of the decimal that it was made of.
pub struct Numeric([u32; Self::WORDS]);

impl Numeric {
    /// 96 bits and the padding make at most 9 groups of digits, a scale of 28 at most 7 behind
    /// the point.
    const MOST_GROUPS: usize = 10;
    const WORDS: usize = (pg_sys::VARHDRSZ + 2 + 2 * Self::MOST_GROUPS).div_ceil(size_of::<u32>());
    pub const ZERO: Self = Self([0; Self::WORDS]);

    pub fn new(value: Decimal) -> Self {
        let scale = value.scale();
        let padding = (BASE_DIGITS as u32 - scale % BASE_DIGITS as u32) % BASE_DIGITS as u32;
        let mantissa = value.mantissa().unsigned_abs() * 10u128.pow(padding);
        let (mut groups, mut count) = ([0u16; Self::MOST_GROUPS], 0);
        // trailing groups of zeros are left out
        let mut dropped = 0;
        let mut put = |digits: u16| {
            if count > 0 || digits != 0 {
                groups[count] = digits;
                count += 1;
            } else {
                dropped += 1;
            }
        };
        // division of 128 bits is slow, and hardly any amount needs it
        let mut low = match u64::try_from(mantissa) {
            Ok(low) => low,
            Err(_) => {
                let mut rest = mantissa;
                while rest > u64::MAX.into() {
                    put((rest % BASE as u128) as u16);
                    rest /= BASE as u128;
                }
                rest as u64
            }
        };
        while low > 0 {
            put((low % BASE as u64) as u16);
            low /= BASE as u64;
        }
        let fraction_groups = ((scale + padding) / BASE_DIGITS as u32) as i32 - dropped;
        let weight = if count == 0 {
            0
        } else {
            count as i32 - 1 - fraction_groups
        };
        let mut header =
            SHORT | ((scale as u16) << SHORT_SCALE_SHIFT) | (weight as u16 & SHORT_WEIGHT_MASK);
        if weight < 0 {
            header |= SHORT_WEIGHT_SIGN;
        }
        if value.is_sign_negative() && count > 0 {
            header |= SHORT_NEGATIVE;
        }
        let mut numeric = Self::ZERO;
        unsafe {
            let start = numeric.0.as_mut_ptr().cast::<u8>();
            pgrx::set_varsize_4b(start.cast(), (pg_sys::VARHDRSZ + 2 + 2 * count) as i32);
            let mut words = start.add(pg_sys::VARHDRSZ).cast::<u16>();
            *words = header;
            for group in groups[..count].iter().rev() {
                words = words.add(1);
                *words = *group;
            }
        }
        numeric
    }

    /// Good for as long as this is neither dropped nor moved.
    pub fn datum(&self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.0.as_ptr())
    }
}

/// A `numeric` datum with the decimals of `value`, in the current memory context.
pub fn encode(value: Decimal) -> pg_sys::Datum {
    let numeric = Numeric::new(value);
    unsafe {
        let size = pgrx::varsize_any(numeric.datum().cast_mut_ptr());
        let copy = pg_sys::palloc(size).cast::<u8>();
        copy.copy_from_nonoverlapping(numeric.0.as_ptr().cast(), size);
        pg_sys::Datum::from(copy)
    }
}

/// A decimal as an argument of a statement.
pub fn arg<'a>(value: Decimal) -> DatumWithOid<'a> {
    let datum =
        unsafe { std::mem::transmute::<pg_sys::Datum, pgrx::datum::Datum<'a>>(encode(value)) };
    unsafe { DatumWithOid::new_from_datum(Some(datum), pg_sys::NUMERICOID) }
}

/// A `numeric` argument of a SQL function.
pub fn from_any(value: AnyNumeric) -> Result<Decimal, Unfit> {
    match value.into_datum() {
        Some(datum) => unsafe { decode(datum) },
        None => Err(Unfit::NotFinite),
    }
}
