//! A snapshot of the latest committed state that several reads share.

use pgrx::pg_sys;

/// The latest committed state, and what the own transaction did until then, to come back to it.
pub struct Kept(pg_sys::Snapshot);

impl Kept {
    /// The tables that are read by it are locked first: one that has to be waited for may be
    /// rewritten meanwhile, and a snapshot from before shows none of its rows.
    pub fn latest(tables: &[pg_sys::Oid]) -> Self {
        // SAFETY: registered until it is dropped, or until the abort of its transaction. A table
        // that is gone has a lock that nobody else asks for.
        unsafe {
            for table in tables {
                pg_sys::LockRelationOid(*table, pg_sys::AccessShareLock as _);
            }
            pg_sys::CommandCounterIncrement();
            Self(pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot()))
        }
    }

    /// Runs `body` with this as the active snapshot.
    pub fn with<T>(&self, body: impl FnOnce() -> T) -> T {
        // SAFETY: pushed and popped in pairs; an error is followed by the abort, which pops all.
        unsafe {
            pg_sys::PushActiveSnapshot(self.0);
            let result = body();
            pg_sys::PopActiveSnapshot();
            result
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // after an error the abort lets go of it
        if !std::thread::panicking() {
            // SAFETY: it is still registered
            unsafe { pg_sys::UnregisterSnapshot(self.0) };
        }
    }
}

/// Runs `body` with the latest committed state, and what the own transaction did, as the active
/// snapshot, at any isolation level.
pub fn with_latest<T>(tables: &[pg_sys::Oid], body: impl FnOnce() -> T) -> T {
    Kept::latest(tables).with(body)
}
