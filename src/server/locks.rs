//! The advisory locks of the extension, and the isolation that waiting for them needs.

use pgrx::pg_sys;

use crate::server::error::Problem;
use crate::server::relations::Relations;
use crate::server::spi::{self, Sees};

/// Key of the advisory lock that keeps folds apart, with the OID of the ledger.
pub const FOLD_LOCK: i32 = 1;
/// Key of the advisory lock that keeps batches of payouts apart.
pub const PAYOUT_LOCK: i32 = 2;
/// Key of the advisory lock that keeps reconciliations apart: entries whose row is gone leave them
/// nothing else to wait for.
pub const RECONCILE_LOCK: i32 = 3;

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
