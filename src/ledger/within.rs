//! What one call of the trigger must know of another one in the same transaction.
//!
//! Payments that a trigger of the host changed or deleted within another statement: the copy
//! that the outer statement hands to our trigger may be older than the row, so for these the
//! row is read. And the payment that has just left its partition for another one.

use std::cell::RefCell;
use std::collections::HashSet;

use pgrx::pg_sys;

thread_local! {
    static CHANGED: RefCell<HashSet<(i32, String)>> = RefCell::default();
    static MOVED: RefCell<Option<(i32, u32, Vec<String>)>> = const { RefCell::new(None) };
}

/// Has what a transaction remembers forgotten at its end; once, when the library is loaded.
pub fn init() {
    unsafe {
        pg_sys::RegisterXactCallback(Some(at_transaction_end), std::ptr::null_mut());
    }
}

/// Whether the row of a payment was changed within a statement of this transaction. A change
/// that was rolled back to a savepoint may still count: then the row is read for nothing.
pub fn was_changed(binding_id: i32, key: &str) -> bool {
    CHANGED.with_borrow(|set| !set.is_empty() && set.contains(&(binding_id, key.to_owned())))
}

/// Remembers a changed payment, if this is within another statement's triggers.
pub fn remember(binding_id: i32, key: impl FnOnce() -> String) {
    if trigger_depth() > 1 {
        CHANGED.with_borrow_mut(|set| set.insert((binding_id, key())));
    }
}

/// Remembers the key columns of a payment that a command has taken out of its partition.
pub fn remember_moved(binding_id: i32, command: u32, key_columns: Vec<String>) {
    MOVED.replace(Some((binding_id, command, key_columns)));
}

/// The key columns of the payment that the same command has just taken out of its partition.
pub fn take_moved(binding_id: i32, command: impl FnOnce() -> u32) -> Option<Vec<String>> {
    let moved = MOVED.take()?;
    (moved.0 == binding_id && moved.1 == command()).then_some(moved.2)
}

fn trigger_depth() -> i32 {
    let depth = unsafe {
        pg_sys::OidFunctionCall0Coll(pg_sys::F_PG_TRIGGER_DEPTH.into(), pg_sys::InvalidOid)
    };
    depth.value() as i32
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn at_transaction_end(
    _event: pg_sys::XactEvent::Type,
    _arg: *mut std::ffi::c_void,
) {
    CHANGED.with_borrow_mut(HashSet::clear);
    MOVED.take();
}
