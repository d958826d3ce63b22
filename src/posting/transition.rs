//! The rows that a statement has inserted, changed or deleted.

use pgrx::pg_sys;

use crate::server::memory::Context;
use crate::server::raw;
use crate::server::slot::Slot;

/// Rows after which the memory that they needed is freed.
const ROWS_PER_RESET: i64 = 1000;

/// A transition table, read once and from its start through the pointer that nobody else uses:
/// PostgreSQL gives every scan in SQL one of its own.
pub struct Transition {
    store: *mut pg_sys::Tuplestorestate,
    slot: Slot,
    /// Where this was made. A row of a table that has gone to disk is allocated when it is read,
    /// and freed when the next one is: what a row at hand needs may be freed between the two.
    home: Context,
    /// How many attributes are taken out of a row along with it.
    attributes: i32,
    pub count: i64,
}

impl Transition {
    /// Reads the first row, if there is one.
    ///
    /// # Safety
    /// The slot must be for rows of the table, and have so many attributes.
    pub unsafe fn open(store: *mut pg_sys::Tuplestorestate, slot: Slot, attributes: i16) -> Self {
        let attributes = attributes.into();
        let count = unsafe {
            raw::guarded(|| {
                raw::tuplestore_select_read_pointer(store, 0);
                raw::tuplestore_rescan(store);
                fetch(store, slot, attributes);
                raw::tuplestore_tuple_count(store)
            })
        };
        Self {
            store,
            slot,
            home: Context::current(),
            attributes,
            count,
        }
    }

    /// # Safety
    /// The first row, and all between it and this one, must have been read.
    pub unsafe fn next(&self) -> bool {
        let (store, slot, attributes) = (self.store, self.slot, self.attributes);
        self.home
            .with(|| unsafe { raw::guarded(|| fetch(store, slot, attributes)) })
    }

    /// Calls `body` for every row.
    ///
    /// # Safety
    /// Once for each that was opened.
    pub unsafe fn each(&self, mut body: impl FnMut(Slot)) {
        // few rows need little, and the server frees it after the statement
        let is_large = self.count > ROWS_PER_RESET;
        let memory = is_large.then(|| Context::within_current(c"affiliate rows"));
        let mut seen = 0;
        while seen < self.count && (seen == 0 || unsafe { self.next() }) {
            seen += 1;
            let Some(memory) = &memory else {
                body(self.slot);
                continue;
            };
            memory.with(|| body(self.slot));
            if seen % ROWS_PER_RESET == 0 {
                memory.reset();
                pgrx::check_for_interrupts!();
            }
        }
        if let Some(memory) = memory {
            memory.delete();
        }
    }
}

/// Within a guard.
unsafe fn fetch(store: *mut pg_sys::Tuplestorestate, slot: Slot, attributes: i32) -> bool {
    unsafe {
        let is_row = raw::tuplestore_gettupleslot(store, true, false, slot);
        if is_row {
            raw::slot_getsomeattrs_int(slot, attributes);
        }
        is_row
    }
}
