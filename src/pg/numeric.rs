//! `numeric` to and from `rust_decimal`, on the binary form: a detour through text would cost
//! more than the rest of a posting. The form is that of `src/backend/utils/adt/numeric.c`,
//! unchanged since PostgreSQL 9.1 and on disk, so it can't change.

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
        let plain = pg_sys::pg_detoast_datum_packed(varlena);
        let result = decode_bytes(pgrx::varlena_to_byte_slice(plain));
        if !std::ptr::eq(plain, varlena) {
            pg_sys::pfree(plain.cast());
        }
        result
    }
}

fn decode_bytes(bytes: &[u8]) -> Result<Decimal, Unfit> {
    let word = |at: usize| {
        bytes
            .get(at..at + 2)
            .map_or(0, |b| u16::from_ne_bytes([b[0], b[1]]))
    };
    let header = word(0);
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
        sign => (
            sign == NEGATIVE,
            header & LONG_SCALE_MASK,
            i32::from(word(2) as i16),
            4,
        ),
    };
    let count = (bytes.len().saturating_sub(start)) / 2;
    let mut mantissa: i128 = 0;
    for n in 0..count {
        let digit = i128::from(word(start + 2 * n));
        mantissa = mantissa
            .checked_mul(BASE)
            .and_then(|m| m.checked_add(digit))
            .ok_or(Unfit::OutOfRange)?;
    }
    if mantissa == 0 {
        return Ok(Decimal::new(
            0,
            u32::from(display_scale).min(Decimal::MAX_SCALE),
        ));
    }
    // decimals behind the last digit group, negative if zeros are to be added before the point
    let mut scale = (count as i32 - 1 - weight) * BASE_DIGITS;
    let wanted = i32::from(display_scale).min(Decimal::MAX_SCALE as i32);
    while scale > wanted && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    if scale < wanted {
        let widened = 10i128
            .checked_pow((wanted - scale) as u32)
            .and_then(|p| mantissa.checked_mul(p));
        match widened.and_then(|m| fit(m, wanted as u32, negative)) {
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
    fit(mantissa, scale as u32, negative).ok_or(Unfit::OutOfRange)
}

fn fit(mantissa: i128, scale: u32, negative: bool) -> Option<Decimal> {
    Decimal::try_from_i128_with_scale(if negative { -mantissa } else { mantissa }, scale).ok()
}

/// A `numeric` datum with the decimals of `value`, in the current memory context.
pub fn encode(value: Decimal) -> pg_sys::Datum {
    let scale = value.scale();
    let padding = (BASE_DIGITS as u32 - scale % BASE_DIGITS as u32) % BASE_DIGITS as u32;
    let mut rest = value.mantissa().unsigned_abs() * 10u128.pow(padding);
    let mut fraction_groups = ((scale + padding) / BASE_DIGITS as u32) as i32;
    // least significant group first; 96 bits and padding make at most 9 groups, a scale of 28
    // at most 7 behind the point
    let mut groups = [0u16; 12];
    let mut count = 0;
    while rest > 0 {
        let digit = (rest % BASE as u128) as u16;
        rest /= BASE as u128;
        if count > 0 || digit != 0 {
            groups[count] = digit;
            count += 1;
        } else {
            fraction_groups -= 1;
        }
    }
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
    let size = pg_sys::VARHDRSZ + 2 + 2 * count;
    unsafe {
        let varlena = pg_sys::palloc(size).cast::<pg_sys::varlena>();
        pgrx::set_varsize_4b(varlena, size as i32);
        let mut words = varlena.cast::<u8>().add(pg_sys::VARHDRSZ).cast::<u16>();
        *words = header;
        for group in groups[..count].iter().rev() {
            words = words.add(1);
            *words = *group;
        }
        pg_sys::Datum::from(varlena)
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
