//! Single rows by an index, without the executor: starting it costs more than all the rest
//! that a payment of a customer nobody referred needs.
//!
//! Probes see the latest committed state and what the own transaction did, at any isolation
//! level. That is right for the ledger, whose rows never change, and takes no predicate locks,
//! so payments of different customers do not fail each other under SERIALIZABLE.

use pgrx::pg_sys;

use crate::server::error::Problem;
use crate::server::majors;
use crate::server::memory::Context;
use crate::server::names::table_name;
use crate::server::raw;
use crate::server::relations::Layout;
use crate::server::text::Text;

/// An open heap and index.
pub struct Probe {
    /// Where this was made. A scan allocates what it keeps when it first needs it.
    home: Context,
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    /// For the current row; null until there is one. Most customers have none.
    slot: *mut pg_sys::TupleTableSlot,
    scan: pg_sys::IndexScanDesc,
    keys: usize,
    /// How many attributes are taken out of a row.
    attributes: i16,
}

/// What an index probe asks of a column.
#[derive(Clone, Copy)]
pub struct Key {
    attribute: i16,
    strategy: u32,
    procedure: u32,
    value: pg_sys::Datum,
}

impl Key {
    /// A text column of a hash index. The text must outlive the reading of its rows.
    pub fn hashed_text(attribute: i16, text: &Text) -> Self {
        Self {
            attribute,
            strategy: pg_sys::HTEqualStrategyNumber,
            procedure: pg_sys::F_TEXTEQ,
            value: text.datum(),
        }
    }

    /// A text column of a B-tree. The text must outlive the reading of its rows.
    pub fn text(attribute: i16, text: &Text) -> Self {
        let strategy = pg_sys::BTEqualStrategyNumber;
        Self {
            strategy,
            ..Self::hashed_text(attribute, text)
        }
    }

    /// From a text on, in a column of a B-tree, by a function that [`Probe::at_least`] has
    /// returned. The text must outlive the reading of its rows.
    pub fn text_at_least(attribute: i16, text: &Text, function: pg_sys::Oid) -> Self {
        Self {
            strategy: pg_sys::BTGreaterEqualStrategyNumber,
            procedure: function.to_u32(),
            ..Self::hashed_text(attribute, text)
        }
    }

    /// An integer column of a B-tree.
    pub fn integer(attribute: i16, value: i32) -> Self {
        Self {
            attribute,
            strategy: pg_sys::BTEqualStrategyNumber,
            procedure: pg_sys::F_INT4EQ,
            value: value.into(),
        }
    }
}

/// The most columns that a probe compares.
const MAX_KEYS: usize = 2;

impl Probe {
    /// For probes of a table's index with so many keys, whose rows are read up to an attribute.
    pub fn open(layout: &Layout, keys: usize, attributes: i16) -> Self {
        Self::of_snapshot(layout, keys, attributes, &raw mut pg_sys::SnapshotSelfData)
    }

    /// The same for what a snapshot shows, which must last as long as the probe.
    pub fn of_snapshot(
        layout: &Layout,
        keys: usize,
        attributes: i16,
        snapshot: pg_sys::Snapshot,
    ) -> Self {
        // kept until the transaction ends, as those of a statement are
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let home = Context::current();
        let (heap, index, scan) = unsafe {
            layout.open(lock, |heap, index| {
                let index = raw::index_open(index, lock);
                let scan = majors::begin_index_scan(heap, index, snapshot, keys as i32);
                (heap, index, scan)
            })
        };
        Self {
            home,
            heap,
            index,
            slot: std::ptr::null_mut(),
            scan,
            keys,
            attributes,
        }
    }

    /// The function that says whether a value of a column of the B-tree comes at or after another
    /// one, in the order of the index.
    pub fn at_least(&self, attribute: i16) -> Option<pg_sys::Oid> {
        let at = attribute as usize - 1;
        // SAFETY: the index is open, and has a family and a type for each column
        unsafe {
            let (family, type_oid) = (
                *(*self.index).rd_opfamily.add(at),
                *(*self.index).rd_opcintype.add(at),
            );
            let strategy = pg_sys::BTGreaterEqualStrategyNumber as i16;
            let operator = pg_sys::get_opfamily_member(family, type_oid, type_oid, strategy);
            let function = pg_sys::get_opcode(operator);
            (function != pg_sys::InvalidOid).then_some(function)
        }
    }

    /// Starts over with other keys and returns whether there is a row, whose attributes are
    /// read by [`Probe::get`]. A hash index returns rows that merely share the hash: the caller
    /// compares.
    pub fn seek<const N: usize>(&mut self, keys: [Key; N]) -> bool {
        const { assert!(N <= MAX_KEYS) };
        debug_assert_eq!(N, self.keys);
        let none = std::ptr::null_mut();
        self.fetch(|scan| unsafe {
            let mut data = [pg_sys::ScanKeyData::default(); MAX_KEYS];
            for (data, key) in data.iter_mut().zip(keys) {
                raw::ScanKeyEntryInitialize(
                    data,
                    0,
                    key.attribute,
                    key.strategy as _,
                    pg_sys::InvalidOid,
                    // texts are under collation "C", integers have none and do not ask
                    pg_sys::C_COLLATION_OID,
                    pg_sys::Oid::from(key.procedure),
                    key.value,
                );
            }
            raw::index_rescan(scan, data.as_mut_ptr(), N as i32, none, 0);
        })
    }

    /// The next row.
    pub fn next(&mut self) -> bool {
        self.fetch(|_| ())
    }

    /// Fetches the next visible row, after having told the scan something without owning
    /// anything.
    fn fetch(&mut self, tell: impl FnOnce(pg_sys::IndexScanDesc)) -> bool {
        let (heap, scan, attributes) = (self.heap, self.scan, self.attributes);
        let slot = &mut self.slot;
        let forward = pg_sys::ScanDirection::ForwardScanDirection;
        self.home.with(|| unsafe {
            raw::guarded(|| {
                tell(scan);
                // there may be further versions of the row that the index has named last
                while (*scan).xs_heap_continue || !raw::index_getnext_tid(scan, forward).is_null() {
                    if slot.is_null() {
                        *slot = raw::table_slot_create(heap, std::ptr::null_mut());
                    }
                    if raw::index_fetch_heap(scan, *slot) {
                        raw::slot_getsomeattrs_int(*slot, attributes.into());
                        return true;
                    }
                }
                false
            })
        })
    }

    /// Whether an attribute of the current row is NULL.
    pub fn is_null(&self, attnum: i16) -> bool {
        debug_assert!(attnum <= self.attributes);
        unsafe { *(*self.slot).tts_isnull.add(attnum as usize - 1) }
    }

    /// An attribute of the current row that is never NULL.
    pub fn get(&self, attnum: i16) -> pg_sys::Datum {
        debug_assert!(attnum <= self.attributes);
        let at = attnum as usize - 1;
        unsafe {
            if self.is_null(attnum) {
                holds_null(self.heap, attnum);
            }
            *(*self.slot).tts_values.add(at)
        }
    }
}

/// Raises the error of a row of a table of ours that has NULL where it must not.
///
/// # Safety
/// The table must be open.
#[cold]
pub unsafe fn holds_null(table: pg_sys::Relation, attnum: i16) -> ! {
    Problem::NotAsInstalled {
        object: table_name(unsafe { (*table).rd_id }),
        what: format!("has a row with NULL in column number {attnum}"),
    }
    .raise()
}

impl Drop for Probe {
    fn drop(&mut self) {
        // after an error the transaction's abort does this
        if std::thread::panicking() {
            return;
        }
        let (heap, index, slot, scan) = (self.heap, self.index, self.slot, self.scan);
        unsafe {
            raw::guarded(|| {
                raw::index_endscan(scan);
                if !slot.is_null() {
                    raw::ExecDropSingleTupleTableSlot(slot);
                }
                raw::index_close(index, pg_sys::NoLock as _);
                raw::table_close(heap, pg_sys::NoLock as _);
            });
        }
    }
}
