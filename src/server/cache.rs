//! What a session remembers of the catalog, and when it must forget it.
//!
//! One counter serves every cache: it moves on when PostgreSQL says that a relation we watch
//! has changed, and whoever remembers something remembers the count along with it: the count of
//! before it was looked up, because a change may be noticed in between.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use pgrx::{pg_guard, pg_sys};

/// No generation: that of what was never looked up.
pub const NEVER: u64 = 0;

thread_local! {
    static GENERATION: Cell<u64> = const { Cell::new(NEVER + 1) };
    static WATCHED: RefCell<HashSet<pg_sys::Oid>> = RefCell::new(HashSet::new());
}

/// Registers the callback; once, when the library is loaded.
pub fn init() {
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::null());
    }
}

/// What is remembered holds as long as this stays the same.
pub fn generation() -> u64 {
    GENERATION.get()
}

/// From now on, a change of this relation invalidates what is remembered. What was looked up
/// before counts only if it was watched already, which is returned.
pub fn watch(relation: pg_sys::Oid) -> bool {
    !WATCHED.with_borrow_mut(|watched| watched.insert(relation))
}

// The server calls this while it opens relations, so it does nothing but count.
#[pg_guard]
unsafe extern "C-unwind" fn relation_changed(_arg: pg_sys::Datum, relation: pg_sys::Oid) {
    let ours = relation == pg_sys::InvalidOid
        || WATCHED
            .try_with(|w| w.try_borrow().map_or(true, |w| w.contains(&relation)))
            .unwrap_or(true);
    if ours {
        GENERATION.set(GENERATION.get() + 1);
    }
}
