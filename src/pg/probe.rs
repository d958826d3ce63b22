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

/// A text of the server, in memory of our own.
pub struct Text(Vec<u32>);

impl Text {
    pub fn new(text: &str) -> Self {
        let size = pg_sys::VARHDRSZ + text.len();
        let mut words = vec![0u32; size.div_ceil(size_of::<u32>())];
        unsafe {
            let bytes = words.as_mut_ptr().cast::<u8>();
            pgrx::set_varsize_4b(bytes.cast(), size as i32);
            bytes
                .add(pg_sys::VARHDRSZ)
                .copy_from_nonoverlapping(text.as_ptr(), text.len());
        }
        Self(words)
    }

    fn datum(&self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.0.as_ptr())
    }
}

/// The most columns that a probe compares.
const MAX_KEYS: usize = 2;

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
    pub fn seek<const N: usize>(&mut self, keys: [Key; N]) -> bool {
        const { assert!(N <= MAX_KEYS) };
        debug_assert_eq!(N, self.keys);
        let (scan, slot, none) = (self.scan, self.slot, std::ptr::null_mut());
        self.home.with(|| unsafe {
            raw::guarded(|| {
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
