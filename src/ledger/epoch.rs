//! Epochs: how figures stay exact while they are folded, without a row that payments queue for.
//!
//! A writer of the ledger or of referrals takes its lock on the table first and reads the
//! epoch afterwards, and keeps the lock until its transaction ends. Whoever folds takes the
//! next epoch and then waits for the transactions that hold such a lock: after that, every
//! row of an earlier epoch is committed or gone, and a new snapshot sees all of them. Neither
//! transaction ids nor the order of commits enter into it. The sequence is not transactional,
//! so a writer under REPEATABLE READ stamps the current epoch too.

use pgrx::pg_sys;

use crate::server::error::Problem;
use crate::server::raw;
use crate::server::relations::Relations;

/// Locks a table as its writers do and returns the epoch for the rows to come.
pub fn enter(table: pg_sys::Oid) -> i32 {
    unsafe {
        pg_sys::LockRelationOid(table, pg_sys::RowExclusiveLock as _);
    }
    current()
}

/// The current epoch. Only a caller that holds the lock may write rows with it.
pub fn current() -> i32 {
    unsafe {
        let sequence = Relations::get().epoch;
        let epoch = raw::guarded(|| {
            // the caller's lock on the table keeps the extension, and so the sequence, from
            // being dropped: a lock of its own would only cost time
            let sequence = raw::RelationIdGetRelation(sequence);
            if sequence.is_null() {
                return None;
            }
            let buffer = raw::ReadBuffer(sequence, 0);
            raw::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as _);
            // a sequence is one page with one tuple, whose first column is the last value
            let page = pg_sys::BufferGetPage(buffer);
            let item = pg_sys::PageGetItemId(page, 1);
            let tuple = pg_sys::PageGetItem(page, item).cast::<pg_sys::HeapTupleHeaderData>();
            let epoch = *tuple
                .cast::<u8>()
                .add((*tuple).t_hoff as usize)
                .cast::<i64>();
            raw::UnlockReleaseBuffer(buffer);
            raw::RelationClose(sequence);
            Some(epoch as i32)
        });
        // unless it was taken out of the extension
        epoch.unwrap_or_else(|| {
            Problem::NotAsInstalled {
                object: "affiliate.epoch".to_owned(),
                what: "is missing".to_owned(),
            }
            .raise()
        })
    }
}
