//! Single rows by an index, without the executor: starting it costs more than all the rest
//! that a payment of a customer nobody referred needs.
//!
//! Probes see the latest committed state and what the own transaction did, at any isolation
//! level. That is right for the ledger, whose rows never change, and takes no predicate locks,
//! so payments of different customers do not fail each other under SERIALIZABLE.

use pgrx::pg_sys;

use super::memory::Context;
use super::raw;
use super::text::attribute;

/// An open heap and index.
pub struct Probe {
    /// Where this was made. A scan allocates what it keeps when it first needs it.
    home: Context,
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    slot: *mut pg_sys::TupleTableSlot,
    scan: pg_sys::IndexScanDesc,
    keys: usize,
}

/// How the heap and the index are locked. Locks are kept until the transaction ends, as those
/// of a statement are.
#[derive(Clone, Copy)]
pub enum Lock {
    Read,
    /// For who will most likely write to the table next: one lock serves both.
    Write,
}

/// One equality of an index probe.
#[repr(transparent)]
pub struct Key {
    data: pg_sys::ScanKeyData,
}

impl Key {
    /// # Safety
    /// `value` must be of the type of the index column and outlive the probe that uses it.
    unsafe fn new(attribute: i16, strategy: u32, procedure: u32, value: pg_sys::Datum) -> Self {
        let mut data = pg_sys::ScanKeyData::default();
        unsafe {
            pg_sys::ScanKeyEntryInitialize(
                &mut data,
                0,
                attribute,
                strategy as _,
                pg_sys::InvalidOid,
                // keys are text under collation "C", integers have none and do not ask
                pg_sys::C_COLLATION_OID,
                pg_sys::Oid::from(procedure),
                value,
            );
        }
        Self { data }
    }

    /// A text column of a hash index.
    pub fn hashed_text(attribute: i16, value: pg_sys::Datum) -> Self {
        unsafe {
            Self::new(
                attribute,
                pg_sys::HTEqualStrategyNumber,
                pg_sys::F_TEXTEQ,
                value,
            )
        }
    }

    /// A text column of a B-tree.
    pub fn text(attribute: i16, value: pg_sys::Datum) -> Self {
        unsafe {
            Self::new(
                attribute,
                pg_sys::BTEqualStrategyNumber,
                pg_sys::F_TEXTEQ,
                value,
            )
        }
    }

    /// An integer column of a B-tree.
    pub fn integer(attribute: i16, value: i32) -> Self {
        unsafe {
            Self::new(
                attribute,
                pg_sys::BTEqualStrategyNumber,
                pg_sys::F_INT4EQ,
                value.into(),
            )
        }
    }
}

impl Probe {
    pub fn open(heap: pg_sys::Oid, index: pg_sys::Oid, keys: usize, lock: Lock) -> Self {
        let lock = match lock {
            Lock::Read => pg_sys::AccessShareLock,
            Lock::Write => pg_sys::RowExclusiveLock,
        } as pg_sys::LOCKMODE;
        let home = Context::current();
        let (heap, index, slot, scan) = unsafe {
            raw::guarded(|| {
                let heap = raw::table_open(heap, lock);
                let index = raw::index_open(index, lock);
                let slot = raw::table_slot_create(heap, std::ptr::null_mut());
                let snapshot = &raw mut pg_sys::SnapshotSelfData;
                #[cfg(not(feature = "pg18"))]
                let scan = raw::index_beginscan(heap, index, snapshot, keys as i32, 0);
                #[cfg(feature = "pg18")]
                let scan = raw::index_beginscan(
                    heap,
                    index,
                    snapshot,
                    std::ptr::null_mut(),
                    keys as i32,
                    0,
                );
                (heap, index, slot, scan)
            })
        };
        Self {
            home,
            heap,
            index,
            slot,
            scan,
            keys,
        }
    }

    /// Starts over with other keys and returns whether there is a row, whose attributes are
    /// read by [`Probe::get`]. A hash index returns rows that merely share the hash: the caller
    /// compares.
    pub fn seek(&mut self, keys: &mut [Key]) -> bool {
        debug_assert_eq!(keys.len(), self.keys);
        let keys_ptr = keys.as_mut_ptr().cast::<pg_sys::ScanKeyData>();
        let (count, none) = (keys.len() as i32, std::ptr::null_mut());
        let (scan, slot) = (self.scan, self.slot);
        self.home.with(|| unsafe {
            raw::guarded(|| {
                raw::index_rescan(scan, keys_ptr, count, none, 0);
                let forward = pg_sys::ScanDirection::ForwardScanDirection;
                raw::index_getnext_slot(scan, forward, slot)
            })
        })
    }

    /// The next row.
    pub fn next(&mut self) -> bool {
        self.home.with(|| unsafe {
            let forward = pg_sys::ScanDirection::ForwardScanDirection;
            pg_sys::index_getnext_slot(self.scan, forward, self.slot)
        })
    }

    /// An attribute of the current row that is never NULL.
    pub fn get(&self, attnum: i16) -> pg_sys::Datum {
        unsafe { attribute(self.slot, attnum).0 }
    }
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
                raw::ExecDropSingleTupleTableSlot(slot);
                raw::index_close(index, pg_sys::NoLock as _);
                raw::table_close(heap, pg_sys::NoLock as _);
            });
        }
    }
}
