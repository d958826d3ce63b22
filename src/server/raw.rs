//! Several calls of the server under one guard.
//!
//! Every function of `pg_sys` is guarded against the server's long jumps by itself, which costs
//! as much as many of these functions do. Those that every payment needs, one after the other,
//! are declared here without a guard and called within [`guarded`]: a long jump leaves the whole
//! closure, so nothing in it may own anything.

use std::ffi::c_int;

use pgrx::pg_sys::{
    Datum, EState, HeapTuple, IndexScanDesc, ItemPointerData, LOCKMODE, MemoryContext, Oid,
    Relation, ResultRelInfo, ScanDirection, ScanKey, TupleTableSlot, Tuplestorestate,
};

/// Declares functions of the server without a guard. The signatures are held against those of its
/// headers, so that one that another major has changed does not compile.
macro_rules! unguarded {
    ($(pub fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        unsafe extern "C-unwind" {
            $(pub fn $name($($argument: $type),*) $(-> $result)?;)*
        }
        $(const _: unsafe fn($($type),*) $(-> $result)? = pgrx::pg_sys::$name;)*
    };
}
pub(super) use unguarded;

unguarded! {
    pub fn table_open(relation: Oid, lock: LOCKMODE) -> Relation;
    pub fn table_close(relation: Relation, lock: LOCKMODE);
    pub fn index_open(relation: Oid, lock: LOCKMODE) -> Relation;
    pub fn index_close(relation: Relation, lock: LOCKMODE);
    pub fn table_slot_create(
        relation: Relation,
        list: *mut *mut pgrx::pg_sys::List,
    ) -> *mut TupleTableSlot;
    pub fn ScanKeyEntryInitialize(
        entry: ScanKey,
        flags: c_int,
        attribute: i16,
        strategy: pgrx::pg_sys::StrategyNumber,
        subtype: Oid,
        collation: Oid,
        procedure: Oid,
        value: Datum,
    );
    pub fn tuplestore_tuple_count(store: *mut Tuplestorestate) -> i64;
    pub fn index_rescan(
        scan: IndexScanDesc,
        keys: ScanKey,
        count: c_int,
        order_bys: ScanKey,
        order_count: c_int,
    );
    pub fn index_getnext_tid(
        scan: IndexScanDesc,
        direction: ScanDirection::Type,
    ) -> *mut ItemPointerData;
    pub fn index_fetch_heap(scan: IndexScanDesc, slot: *mut TupleTableSlot) -> bool;
    pub fn index_endscan(scan: IndexScanDesc);
    pub fn ExecDropSingleTupleTableSlot(slot: *mut TupleTableSlot);
    pub fn systable_getnext(scan: pgrx::pg_sys::SysScanDesc) -> HeapTuple;
    pub fn ExecStoreHeapTuple(
        tuple: HeapTuple,
        slot: *mut TupleTableSlot,
        should_free: bool,
    ) -> *mut TupleTableSlot;
    pub fn tuplestore_gettupleslot(
        store: *mut Tuplestorestate,
        forward: bool,
        copy: bool,
        slot: *mut TupleTableSlot,
    ) -> bool;
    pub fn ExecStoreVirtualTuple(slot: *mut TupleTableSlot) -> *mut TupleTableSlot;
    pub fn slot_getsomeattrs_int(slot: *mut TupleTableSlot, attributes: c_int);
    pub fn tuplestore_select_read_pointer(store: *mut Tuplestorestate, pointer: c_int);
    pub fn tuplestore_rescan(store: *mut Tuplestorestate);
    pub fn CreateExecutorState() -> *mut EState;
    pub fn MakePerTupleExprContext(executor: *mut EState) -> *mut pgrx::pg_sys::ExprContext;
    pub fn FreeExecutorState(executor: *mut EState);
    pub fn MemoryContextAllocZero(context: MemoryContext, size: usize) -> *mut std::ffi::c_void;
    pub fn InitResultRelInfo(
        target: *mut ResultRelInfo,
        relation: Relation,
        index: u32,
        root: *mut ResultRelInfo,
        options: c_int,
    );
    pub fn ExecOpenIndices(target: *mut ResultRelInfo, speculative: bool);
    pub fn ExecConstraints(
        target: *mut ResultRelInfo,
        slot: *mut TupleTableSlot,
        executor: *mut EState,
    );
    pub fn heap_multi_insert(
        relation: Relation,
        slots: *mut *mut TupleTableSlot,
        count: c_int,
        command: u32,
        options: c_int,
        state: pgrx::pg_sys::BulkInsertState,
    );
    pub fn GetCurrentCommandId(used: bool) -> u32;
    pub fn RelationIdGetRelation(relation: Oid) -> Relation;
    pub fn RelationClose(relation: Relation);
    pub fn ReadBuffer(relation: Relation, block: u32) -> c_int;
    pub fn LockBuffer(buffer: c_int, mode: c_int);
    pub fn UnlockReleaseBuffer(buffer: c_int);
}

/// `ExecClearTuple`, which is inline in C.
///
/// # Safety
/// As for the functions above.
pub unsafe fn clear(slot: *mut TupleTableSlot) {
    unsafe {
        if let Some(clear) = (*(*slot).tts_ops).clear {
            clear(slot);
        }
    }
}

/// Runs calls of the functions above; an error of the server leaves as one of ours does.
///
/// # Safety
/// `body` must own nothing that is dropped, and call nothing that unwinds.
pub unsafe fn guarded<T>(body: impl FnOnce() -> T) -> T {
    unsafe { pgrx::pg_sys::ffi::pg_guard_ffi_boundary(body) }
}
