//! Days and moments in the time zone of a program. Days and timestamps are PostgreSQL's:
//! days and microseconds since 2000-01-01, the latter in UTC.

use std::ffi::CString;

use pgrx::pg_sys;

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;
const MICROSECONDS_PER_SECOND: i64 = 1_000_000;
/// 2000-01-01 in seconds since 1970-01-01.
const EPOCH_OFFSET_SECONDS: i64 = 946_684_800;
const POSTGRES_EPOCH_JULIAN: i32 = pg_sys::POSTGRES_EPOCH_JDATE as i32;
/// First and one past the last moment of `timestamptz` (`src/include/datatype/timestamp.h`).
const TIMESTAMPS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

#[derive(Clone, Copy)]
pub struct Zone {
    zone: *mut pg_sys::pg_tz,
    is_utc: bool,
}

impl Zone {
    /// `None` if the server knows no zone of that name.
    pub fn named(name: &str) -> Option<Self> {
        let c_name = CString::new(name).ok()?;
        // the server keeps every zone it has loaded, so the pointer stays good
        let zone = unsafe { pg_sys::pg_tzset(c_name.as_ptr()) };
        let is_utc = matches!(name, "UTC" | "Etc/UTC" | "GMT");
        (!zone.is_null()).then_some(Self { zone, is_utc })
    }

    /// UTC, should a zone have vanished from the server since it was set.
    pub fn utc() -> Self {
        Self {
            zone: std::ptr::null_mut(),
            is_utc: true,
        }
    }

    /// The day of a moment; `None` for infinity and what lies outside the calendar.
    pub fn day(self, moment: i64) -> Option<i32> {
        if !TIMESTAMPS.contains(&moment) {
            return None;
        }
        if self.is_utc {
            return i32::try_from(moment.div_euclid(MICROSECONDS_PER_DAY)).ok();
        }
        unsafe {
            let (mut offset, mut fraction) = (0, 0);
            let mut tm = pg_sys::pg_tm::default();
            let failed = pg_sys::timestamp2tm(
                moment,
                &mut offset,
                &mut tm,
                &mut fraction,
                std::ptr::null_mut(),
                self.zone,
            );
            (failed == 0)
                .then(|| pg_sys::date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JULIAN)
        }
    }

    /// The moment at which clocks in the zone show a `timestamp`.
    pub fn moment(self, local: i64) -> Option<i64> {
        if !TIMESTAMPS.contains(&local) {
            return None;
        }
        if self.is_utc {
            return Some(local);
        }
        unsafe {
            let mut fraction = 0;
            let mut tm = pg_sys::pg_tm::default();
            let failed = pg_sys::timestamp2tm(
                local,
                std::ptr::null_mut(),
                &mut tm,
                &mut fraction,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            );
            let west = i64::from(pg_sys::DetermineTimeZoneOffset(&mut tm, self.zone));
            (failed == 0).then(|| local + west * MICROSECONDS_PER_SECOND)
        }
    }
}

/// The start of the transaction.
pub fn now() -> i64 {
    unsafe { pg_sys::GetCurrentTransactionStartTimestamp() }
}

/// A moment given as seconds since 1970, as payment providers do. What lies beyond the year
/// 9999 are seconds of another unit.
pub fn from_epoch_seconds(seconds: i64) -> Option<i64> {
    let moment = seconds
        .checked_sub(EPOCH_OFFSET_SECONDS)?
        .checked_mul(MICROSECONDS_PER_SECOND)?;
    const YEAR_9999_ENDS: i64 = 252_455_616_000 * MICROSECONDS_PER_SECOND;
    (TIMESTAMPS.start..YEAR_9999_ENDS)
        .contains(&moment)
        .then_some(moment)
}
