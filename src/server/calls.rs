//! How SQL calls us: declaring raw functions, reading arguments, returning rows.

use pgrx::{AnyElement, FromDatum, pg_sys};

use crate::rules::words::Word;
use crate::server::error::Problem;
use crate::server::rows::Rows;
use crate::server::text::key_text;

/// Owners, customers, visitors and names of programs have at most this many bytes.
const MAX_NAME_LENGTH: usize = 256;

/// Declares a C function that PostgreSQL calls with its raw call information.
macro_rules! raw_function {
    ($(#[$attribute:meta])* $name:ident, $finfo:ident, $body:expr) => {
        #[unsafe(no_mangle)]
        pub extern "C" fn $finfo() -> &'static pgrx::pg_sys::Pg_finfo_record {
            const V1: pgrx::pg_sys::Pg_finfo_record = pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
            &V1
        }

        $(#[$attribute])*
        #[unsafe(no_mangle)]
        #[pgrx::pg_guard]
        pub unsafe extern "C-unwind" fn $name(fcinfo: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
            let body: unsafe fn(pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum = $body;
            unsafe { body(fcinfo) }
        }
    };
}
pub(crate) use raw_function;

/// An argument that must not be NULL.
pub fn required<T>(name: &'static str, value: Option<T>) -> T {
    value.unwrap_or_else(|| Problem::NullArgument { name }.raise())
}

/// A text argument that must say something, in at most `MAX_NAME_LENGTH` bytes.
pub fn required_text(name: &'static str, value: Option<String>) -> String {
    let text = required(name, value);
    if text.trim().is_empty() {
        Problem::EmptyText { name }.raise();
    }
    if text.len() > MAX_NAME_LENGTH {
        Problem::TooLong {
            name,
            length: text.len(),
            max: MAX_NAME_LENGTH,
        }
        .raise();
    }
    text
}

/// A word of a closed set.
pub fn word<W: Word>(name: &'static str, value: String) -> W {
    W::parse(&value).unwrap_or_else(|| {
        Problem::NotOneOf {
            name,
            value,
            allowed: W::list(W::ALL),
        }
        .raise()
    })
}

/// A key of the application, of any type, as text.
pub fn required_key(name: &'static str, value: Option<AnyElement>) -> String {
    required_text(name, value.map(|element| key_text(&element)))
}

/// The first row of a statement as the composite result of a function.
pub fn composite(rows: Rows) -> Option<AnyElement> {
    rows.into_composite().and_then(|datum| unsafe {
        AnyElement::from_polymorphic_datum(datum, false, pg_sys::RECORDOID)
    })
}

/// Returns the rows of a statement as the result set of a function.
///
/// # Safety
/// The columns must be of the types that the function declares.
pub unsafe fn return_rows(fcinfo: pg_sys::FunctionCallInfo, rows: &Rows) {
    unsafe {
        pg_sys::InitMaterializedSRF(fcinfo, 0);
        let result = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        for row in 0..rows.len() {
            if let Some(tuple) = rows.tuple(row) {
                pg_sys::tuplestore_puttuple((*result).setResult, tuple);
            }
        }
    }
}

/// An argument of a raw function, `None` if it is NULL.
///
/// # Safety
/// The argument must be of the type that `T` stands for.
pub unsafe fn argument<T: FromDatum>(fcinfo: pg_sys::FunctionCallInfo, number: usize) -> Option<T> {
    unsafe { pgrx::fcinfo::pg_getarg(fcinfo, number) }
}
