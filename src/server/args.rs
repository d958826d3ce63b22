//! Arguments of statements that pgrx has no type for, or another one than we keep.

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::{IntoDatum, pg_sys};

use crate::server::calls::required;
use crate::server::error::Problem;
use crate::server::zone::Zone;

/// A table as an argument of type regclass.
pub fn regclass<'a>(table: pg_sys::Oid) -> DatumWithOid<'a> {
    unsafe { DatumWithOid::new(table, pg_sys::REGCLASSOID) }
}

/// A timestamp as an argument.
pub fn timestamptz<'a>(moment: Option<i64>) -> DatumWithOid<'a> {
    match moment {
        Some(moment) => unsafe {
            DatumWithOid::new(RawDatum(moment.into()), pg_sys::TIMESTAMPTZOID)
        },
        None => DatumWithOid::null_oid(pg_sys::TIMESTAMPTZOID),
    }
}

/// A date, in days since 2000-01-01, as an argument.
pub fn date<'a>(day: i32) -> DatumWithOid<'a> {
    unsafe { DatumWithOid::new(RawDatum(day.into()), pg_sys::DATEOID) }
}

/// A datum as it is, for arguments of types that Rust has no other name for.
pub struct RawDatum(pg_sys::Datum);

impl RawDatum {
    pub fn new(datum: pg_sys::Datum) -> Self {
        Self(datum)
    }
}

impl IntoDatum for RawDatum {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(self.0)
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::InvalidOid
    }
}

/// A time that must be finite, in microseconds since 2000-01-01 UTC.
pub fn moment(name: &'static str, value: Option<TimestampWithTimeZone>) -> i64 {
    let moment = i64::from(required(name, value));
    if Zone::utc().day(moment).is_none() {
        let value = if moment < 0 { "-infinity" } else { "infinity" }.to_owned();
        Problem::NumberOutOfRange {
            name,
            value,
            allowed: "a finite time",
        }
        .raise();
    }
    moment
}
