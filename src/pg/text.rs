//! Values as text: keys of customers and payments are kept that way whatever their type.

use std::ffi::CStr;

use pgrx::{AnyElement, FromDatum, pg_sys};

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

/// How values of a type become text.
#[derive(Clone, Copy, Debug)]
pub enum ToText {
    Int2,
    Int4,
    Int8,
    Text,
    /// `char(n)`, without the blanks that pad it.
    Padded,
    /// Any other type, by its output function.
    Output(pg_sys::Oid),
}

impl ToText {
    pub fn of(type_oid: pg_sys::Oid) -> Self {
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
                Self::Output(output)
            },
        }
    }

    /// # Safety
    /// The datum must be a non-NULL value of the type this was made for.
    pub unsafe fn apply(self, datum: pg_sys::Datum) -> String {
        unsafe {
            match self {
                Self::Int2 => (datum.value() as i16).to_string(),
                Self::Int4 => (datum.value() as i32).to_string(),
                Self::Int8 => (datum.value() as i64).to_string(),
                Self::Text => String::from_datum(datum, false).unwrap_or_default(),
                Self::Padded => <&str>::from_datum(datum, false)
                    .unwrap_or_default()
                    .trim_end_matches(' ')
                    .to_owned(),
                Self::Output(function) => {
                    let text = pg_sys::OidOutputFunctionCall(function, datum);
                    let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
                    pg_sys::pfree(text.cast());
                    owned
                }
            }
        }
    }
}

/// The key that a caller passed, of whatever type, as text.
pub fn key_text(key: &AnyElement) -> String {
    unsafe { ToText::of(key.oid()).apply(key.datum()) }
}

/// A text datum in the current memory context.
pub fn text_datum(text: &str) -> pg_sys::Datum {
    unsafe {
        pg_sys::Datum::from(pg_sys::cstring_to_text_with_len(
            text.as_ptr().cast(),
            text.len() as i32,
        ))
    }
}

/// `"name"`, quoted where SQL needs it.
pub fn quote_ident(name: &str) -> String {
    pgrx::spi::quote_identifier(name)
}
