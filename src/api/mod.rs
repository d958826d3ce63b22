//! The SQL functions, by topic. Their declarations, with names and defaults, are in `sql/`.

pub mod access;
pub mod affiliates;
pub mod alter;
pub mod attach;
pub mod compare;
pub mod dropped;
pub mod explain;
pub mod figures;
pub mod fold;
pub mod host;
pub mod key_types;
pub mod keys;
pub mod library;
pub mod mapping;
pub mod owner;
pub mod ownership;
pub mod pause;
pub mod payouts;
pub mod programs;
pub mod protect;
pub mod rebuild;
pub mod reconcile;
pub mod referrals;
pub mod refunds;
pub mod schedule;
pub mod triggers;
pub mod verify;

use pgrx::{AnyElement, FromDatum, pg_sys};

use crate::ledger::binding::Binding;
use crate::ledger::row::MAX_KEY_LENGTH;
use crate::pg::error::Problem;
use crate::pg::spi::Rows;
use crate::pg::text::{ToText, key_text};

/// Owners, customers, visitors and names of programmes have at most this many bytes.
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
fn required<T>(name: &'static str, value: Option<T>) -> T {
    value.unwrap_or_else(|| Problem::NullArgument { name }.raise())
}

/// A text argument that must say something, in at most `MAX_NAME_LENGTH` bytes.
fn required_text(name: &'static str, value: Option<String>) -> String {
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

/// A key of the application, of any type, as text.
fn required_key(name: &'static str, value: Option<AnyElement>) -> String {
    required_text(name, value.map(|element| key_text(&element)))
}

/// The key of a payment, of any type and however it is written, as text: what may be too long is
/// the key as the ledger would have it. It may be empty only where a text is the key.
fn payment_key(binding: &Binding, value: Option<AnyElement>) -> String {
    let key = key_text(&required("payment_key", value));
    let may_be_empty = matches!(
        &binding.columns.key[..],
        [column] if matches!(column.to_text, ToText::Text | ToText::Padded)
    );
    if key.trim().is_empty() && !may_be_empty {
        Problem::EmptyText {
            name: "payment_key",
        }
        .raise();
    }
    key
}

/// Raises an error if a key is too long to be indexed.
fn require_short(name: &'static str, key: &str) {
    if key.len() > MAX_KEY_LENGTH {
        Problem::TooLong {
            name,
            length: key.len(),
            max: MAX_KEY_LENGTH,
        }
        .raise();
    }
}

/// The first row of a statement as the composite result of a function.
fn composite(rows: Rows) -> Option<AnyElement> {
    rows.into_composite().and_then(|datum| unsafe {
        AnyElement::from_polymorphic_datum(datum, false, pg_sys::RECORDOID)
    })
}

/// Returns the rows of a statement as the result set of a function.
///
/// # Safety
/// The columns must be of the types that the function declares.
unsafe fn return_rows(fcinfo: pg_sys::FunctionCallInfo, rows: &Rows) {
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
unsafe fn argument<T: FromDatum>(fcinfo: pg_sys::FunctionCallInfo, number: usize) -> Option<T> {
    unsafe { pgrx::fcinfo::pg_getarg(fcinfo, number) }
}
