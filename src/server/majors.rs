//! What differs between the majors of PostgreSQL, and nothing else does. Each major is listed by
//! its name, so that another one compiles only once somebody has looked at every difference.

use std::ffi::c_int;

use pgrx::pg_sys::{
    CmdType, EState, IndexInfo, IndexScanDesc, List, Oid, Relation, ResultRelInfo, Snapshot,
    TupleTableSlot,
};

use crate::server::raw::unguarded;

#[cfg(not(any(feature = "pg15", feature = "pg16", feature = "pg17", feature = "pg18")))]
compile_error!(
    "PostgreSQL 15 to 18 are known: for another major, go through the differences in src/server/majors.rs"
);

#[cfg(any(feature = "pg15", feature = "pg16", feature = "pg17"))]
unguarded! {
    pub fn index_beginscan(
        heap: Relation,
        index: Relation,
        snapshot: Snapshot,
        keys: c_int,
        order_bys: c_int,
    ) -> IndexScanDesc;
}

#[cfg(feature = "pg18")]
unguarded! {
    pub fn index_beginscan(
        heap: Relation,
        index: Relation,
        snapshot: Snapshot,
        instrument: *mut pgrx::pg_sys::IndexScanInstrumentation,
        keys: c_int,
        order_bys: c_int,
    ) -> IndexScanDesc;
}

/// Begins a scan of an index, by so many keys.
///
/// # Safety
/// As for the functions of [`crate::server::raw`].
pub unsafe fn begin_index_scan(
    heap: Relation,
    index: Relation,
    snapshot: Snapshot,
    keys: c_int,
) -> IndexScanDesc {
    unsafe {
        #[cfg(any(feature = "pg15", feature = "pg16", feature = "pg17"))]
        return index_beginscan(heap, index, snapshot, keys, 0);
        #[cfg(feature = "pg18")]
        return index_beginscan(heap, index, snapshot, std::ptr::null_mut(), keys, 0);
    }
}

#[cfg(feature = "pg15")]
unguarded! {
    pub fn ExecInsertIndexTuples(
        target: *mut ResultRelInfo,
        slot: *mut TupleTableSlot,
        executor: *mut EState,
        update: bool,
        no_duplicate_error: bool,
        conflict: *mut bool,
        arbiters: *mut List,
    ) -> *mut List;
}

#[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
unguarded! {
    pub fn ExecInsertIndexTuples(
        target: *mut ResultRelInfo,
        slot: *mut TupleTableSlot,
        executor: *mut EState,
        update: bool,
        no_duplicate_error: bool,
        conflict: *mut bool,
        arbiters: *mut List,
        only_summarizing: bool,
    ) -> *mut List;
}

/// Enters an inserted row into the indexes of its table. With `may_conflict`, the indexes whose
/// uniqueness the row violates are returned instead of raised.
///
/// # Safety
/// As for the functions of [`crate::server::raw`].
pub unsafe fn insert_index_tuples(
    target: *mut ResultRelInfo,
    slot: *mut TupleTableSlot,
    executor: *mut EState,
    may_conflict: bool,
) -> *mut List {
    let (no_flag, no_arbiters) = (std::ptr::null_mut(), std::ptr::null_mut());
    unsafe {
        #[cfg(feature = "pg15")]
        return ExecInsertIndexTuples(
            target,
            slot,
            executor,
            false,
            may_conflict,
            no_flag,
            no_arbiters,
        );
        #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
        return ExecInsertIndexTuples(
            target,
            slot,
            executor,
            false,
            may_conflict,
            no_flag,
            no_arbiters,
            false,
        );
    }
}

#[cfg(any(feature = "pg17", feature = "pg18"))]
unguarded! {
    pub fn index_insert_cleanup(index: Relation, info: *mut IndexInfo);
}

/// Releases what an index keeps from one insertion to the next, since 17.
///
/// # Safety
/// As for the functions of [`crate::server::raw`].
#[cfg_attr(
    any(feature = "pg15", feature = "pg16"),
    allow(unused_variables, reason = "they keep nothing")
)]
pub unsafe fn end_index_inserts(index: Relation, info: *mut IndexInfo) {
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    unsafe {
        index_insert_cleanup(index, info);
    }
}

unsafe extern "C-unwind" {
    /// Without the compiler's comparison, because pgrx does not declare it. It is the same in
    /// `executor/nodeModifyTable.h` of all majors above.
    pub fn ExecComputeStoredGenerated(
        target: *mut ResultRelInfo,
        executor: *mut EState,
        slot: *mut TupleTableSlot,
        command: CmdType::Type,
    );
}

/// Whether a column is computed when it is read, as it may be since 18. It is in no row that a
/// trigger sees. Asked of the catalog, because most copies of a table's descriptor forget it.
pub fn is_virtual(table: Oid, attnum: i16) -> bool {
    // SAFETY: reads the catalog of attributes
    unsafe { pgrx::pg_sys::get_attgenerated(table, attnum) as u8 == b'v' }
}
