//! The locks of the extension, and the isolation that waiting for them needs.

use std::ffi::CString;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use pgrx::pg_sys;

use crate::server::error::Problem;
use crate::server::relations::Relations;
use crate::server::rights;
use crate::server::spi::{self, Sees};
use crate::server::subtransaction::{Failure, catch};

/// Key of the advisory lock that keeps folds apart, with the OID of the ledger.
pub const FOLD_LOCK: i32 = 1;
/// Key of the advisory lock that keeps batches of payouts apart.
pub const PAYOUT_LOCK: i32 = 2;
/// Key of the advisory lock that keeps reconciliations apart: entries whose row is gone leave them
/// nothing else to wait for.
pub const RECONCILE_LOCK: i32 = 3;

/// Key of the advisory lock under which rights on trigger functions are lent.
pub const LEND_LOCK: i32 = 4;

/// Takes one of the extension's advisory locks until the transaction ends.
pub fn advisory_lock(key: i32) {
    spi::connect(|connection| {
        let ledger = Relations::get().commission.to_u32() as i32;
        connection.run(
            "SELECT pg_advisory_xact_lock($1, $2)",
            Sees::Now,
            &[ledger.into(), key.into()],
        );
    });
}

/// Raises an error where a new statement would not get a new snapshot.
pub fn require_read_committed(what: &'static str) {
    if unsafe { pg_sys::XactIsoLevel } >= pg_sys::XACT_REPEATABLE_READ as i32 {
        Problem::NotReadCommitted { what }.raise();
    }
}

/// The lock of a table.
pub fn table_lock(table: pg_sys::Oid) -> pg_sys::LOCKTAG {
    tag(
        table.to_u32(),
        0,
        pg_sys::LockTagType::LOCKTAG_RELATION as u8,
    )
}

/// A lock of the kind that objects of the catalog have, which no SQL can take: of a row, by its
/// number, of a table.
pub fn object_lock(table: pg_sys::Oid, number: u32) -> pg_sys::LOCKTAG {
    tag(
        table.to_u32(),
        number,
        pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
    )
}

fn tag(second: u32, third: u32, kind: u8) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: set once, when the session connects to its database
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: second,
        locktag_field3: third,
        locktag_field4: 0,
        locktag_type: kind,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    }
}

/// Runs `body`, in a subtransaction, and lets it wait so long for any one lock. If that is not
/// enough, what it did is undone.
pub fn within<T>(patience: Duration, body: impl FnOnce() -> T) -> Option<T> {
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    // 0 would be without limit
    let timeout = CString::new(patience.as_millis().max(1).to_string()).unwrap_or_default();
    let limited = || rights::with_setting(c"lock_timeout", &timeout, body);
    let is_locked = |failure: &Failure| failure.sqlstate() == LOCK_NOT_AVAILABLE;
    catch(is_locked, AssertUnwindSafe(limited)).ok()
}

/// Locks a table as reading it does, until the transaction ends; false if that would take waiting.
pub fn may_read(table: pg_sys::Oid) -> bool {
    // SAFETY: any number may be locked, whether or not it is a table's
    unsafe { pg_sys::ConditionalLockRelationOid(table, pg_sys::AccessShareLock as _) }
}
