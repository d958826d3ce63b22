//! A snapshot of the latest committed state that several reads share.

use pgrx::pg_sys;

/// Runs `body` with the latest committed state, and what the own transaction did, as the active
/// snapshot, at any isolation level.
pub fn with_latest<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: pushed and popped in pairs; an error is followed by the abort, which pops all.
    unsafe {
        pg_sys::CommandCounterIncrement();
        pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
        let result = body();
        pg_sys::PopActiveSnapshot();
        result
    }
}
