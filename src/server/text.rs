//! Values as text: keys of customers and payments are kept that way whatever their type.

use std::ffi::CStr;

use pgrx::{AnyElement, FromDatum, pg_sys};
use smallvec::SmallVec;

use crate::server::rights::as_table_owner;

/// A text in memory of our own that is one of the server's too, behind its header. Most keys are
/// short and need no allocation.
pub struct Text(SmallVec<[u32; 16]>);

impl Text {
    pub fn new(text: &str) -> Self {
        let size = pg_sys::VARHDRSZ + text.len();
        let mut words = SmallVec::<[u32; 16]>::from_elem(0, size.div_ceil(size_of::<u32>()));
        unsafe {
            let bytes = words.as_mut_ptr().cast::<u8>();
            pgrx::set_varsize_4b(bytes.cast(), size as i32);
            bytes
                .add(pg_sys::VARHDRSZ)
                .copy_from_nonoverlapping(text.as_ptr(), text.len());
        }
        Self(words)
    }

    /// Good for as long as this is neither dropped nor moved.
    pub fn datum(&self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.0.as_ptr())
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        // made of a str, and never changed
        unsafe {
            let bytes = pgrx::varlena_to_byte_slice(self.0.as_ptr().cast());
            std::str::from_utf8_unchecked(bytes)
        }
    }
}

/// An attribute of a slot and whether it is NULL.
///
/// # Safety
/// The slot must hold a row that has the attribute.
pub unsafe fn attribute(slot: *mut pg_sys::TupleTableSlot, attnum: i16) -> (pg_sys::Datum, bool) {
    unsafe {
        if (*slot).tts_nvalid < attnum {
            pg_sys::slot_getsomeattrs_int(slot, attnum.into());
        }
        let at = attnum as usize - 1;
        (*(*slot).tts_values.add(at), *(*slot).tts_isnull.add(at))
    }
}

/// The bytes of a variable-length value; a copy only of one that is compressed or out of line.
///
/// # Safety
/// The datum must be a non-NULL varlena, and outlive what is returned.
pub unsafe fn bytes<'a>(datum: pg_sys::Datum) -> &'a [u8] {
    unsafe {
        let mut varlena = datum.cast_mut_ptr::<pg_sys::varlena>();
        if pgrx::varatt_is_4b_c(varlena) || pgrx::varatt_is_1b_e(varlena) {
            varlena = pg_sys::pg_detoast_datum_packed(varlena);
        }
        pgrx::varlena_to_byte_slice(varlena)
    }
}

/// How values of a type become text.
#[derive(Clone, Copy, Debug)]
pub enum ToText {
    Int2,
    Int4,
    Int8,
    Text,
    /// `char(n)`, without the blanks that pad it.
    Padded,
    /// Any other type of the server, and enums, by their output function.
    Output(pg_sys::Oid),
    /// A type that somebody made, by its output function: it runs as the owner of the table that
    /// has the column.
    Foreign(pg_sys::Oid, pg_sys::Oid),
}

impl ToText {
    /// For values of a type in a column of a table.
    pub fn of(type_oid: pg_sys::Oid, table: pg_sys::Oid) -> Self {
        match type_oid {
            pg_sys::INT2OID => Self::Int2,
            pg_sys::INT4OID => Self::Int4,
            pg_sys::INT8OID => Self::Int8,
            pg_sys::TEXTOID | pg_sys::VARCHAROID => Self::Text,
            pg_sys::BPCHAROID => Self::Padded,
            other => unsafe {
                let mut output = pg_sys::InvalidOid;
                let mut is_varlena = false;
                pg_sys::getTypeOutputInfo(other, &mut output, &mut is_varlena);
                if is_of_server(other) || pg_sys::type_is_enum(other) {
                    Self::Output(output)
                } else {
                    Self::Foreign(output, table)
                }
            },
        }
    }

    pub fn is_integer(self) -> bool {
        matches!(self, Self::Int2 | Self::Int4 | Self::Int8)
    }

    /// The value of a datum of an integer type.
    pub fn integer(self, datum: pg_sys::Datum) -> Option<i64> {
        match self {
            Self::Int2 => Some((datum.value() as i16).into()),
            Self::Int4 => Some((datum.value() as i32).into()),
            Self::Int8 => Some(datum.value() as i64),
            Self::Text | Self::Padded | Self::Output(_) | Self::Foreign(..) => None,
        }
    }

    /// # Safety
    /// The datum must be a non-NULL value of the type this was made for.
    pub unsafe fn apply(self, datum: pg_sys::Datum) -> Text {
        unsafe {
            match self {
                Self::Int2 | Self::Int4 | Self::Int8 => {
                    let number = self.integer(datum).unwrap_or_default();
                    Text::new(itoa::Buffer::new().format(number))
                }
                Self::Text => Text::new(<&str>::from_datum(datum, false).unwrap_or_default()),
                Self::Padded => Text::new(
                    <&str>::from_datum(datum, false)
                        .unwrap_or_default()
                        .trim_end_matches(' '),
                ),
                Self::Output(function) => output(function, datum),
                Self::Foreign(function, table) => as_table_owner(table, || output(function, datum)),
            }
        }
    }
}

/// Whether an object came with the server: nobody but a superuser can have changed it.
pub fn is_of_server(object: pg_sys::Oid) -> bool {
    object.to_u32() < pg_sys::FirstNormalObjectId
}

unsafe fn output(function: pg_sys::Oid, datum: pg_sys::Datum) -> Text {
    unsafe {
        let text = pg_sys::OidOutputFunctionCall(function, datum);
        let owned = Text::new(&CStr::from_ptr(text).to_string_lossy());
        pg_sys::pfree(text.cast());
        owned
    }
}

/// The key that a caller passed, text, an integer or a uuid, as text.
pub fn key_text(key: &AnyElement) -> String {
    unsafe { ToText::of(key.oid(), pg_sys::InvalidOid).apply(key.datum()) }.to_owned()
}

/// The integer that a text is written as, as PostgreSQL writes it: `007`, `+7` and `-0` are none.
pub fn as_bigint(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_canonical = match digits {
        b"0" => digits.len() == text.len(),
        [first, rest @ ..] => matches!(first, b'1'..=b'9') && rest.iter().all(u8::is_ascii_digit),
        [] => false,
    };
    if !is_canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::as_bigint;
    use proptest::prelude::*;

    #[test]
    fn only_what_postgresql_writes_is_an_integer() {
        for text in [
            "",
            "-",
            "+7",
            "007",
            "00",
            "-0",
            " 7",
            "7 ",
            "7.0",
            "0x7",
            "1e3",
            "٧",
            "9223372036854775808",
            "-9223372036854775809",
        ] {
            assert_eq!(as_bigint(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(as_bigint(b"0"), Some(0));
        assert_eq!(as_bigint(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(as_bigint(b"-9223372036854775808"), Some(i64::MIN));
    }

    proptest! {
        #[test]
        fn what_is_an_integer_is_written_as_it_was(text in "-?[0-9]{1,20}", number in any::<i64>()) {
            if let Some(value) = as_bigint(text.as_bytes()) {
                prop_assert_eq!(value.to_string(), text);
            }
            prop_assert_eq!(as_bigint(number.to_string().as_bytes()), Some(number));
        }
    }
}
