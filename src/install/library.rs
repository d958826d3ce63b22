//! What this library says of itself, and what it asks of a database.

use std::ffi::CStr;

use pgrx::prelude::*;

use crate::server::calls::raw_function;
use crate::server::error::Problem;
use crate::server::version;

#[pg_extern(sql = false)]
fn library_version() -> &'static str {
    version::LIBRARY
}

raw_function!(require_utf8, pg_finfo_require_utf8, |_| unsafe {
    if pg_sys::GetDatabaseEncoding() != pg_sys::pg_enc::PG_UTF8 as i32 {
        let encoding = CStr::from_ptr(pg_sys::GetDatabaseEncodingName());
        let encoding = encoding.to_string_lossy().into_owned();
        Problem::NotUtf8 { encoding }.raise();
    }
    pg_sys::Datum::null()
});
