//! Every row of a table, without the executor. Sees what index probes see: the latest committed
//! state and what the own transaction did.

use pgrx::pg_sys;

use crate::server::probe::holds_null;
use crate::server::raw;
use crate::server::relations::Layout;

/// Calls `row` for each row of a table, with a function that reads one of its first `attributes`
/// attributes, which must not be NULL, if `worth_it` says so to the number of pages of the table.
/// Returns what that said.
pub fn each(
    layout: &Layout,
    attributes: i16,
    worth_it: impl FnOnce(u32) -> bool,
    mut row: impl FnMut(&dyn Fn(i16) -> pg_sys::Datum),
) -> bool {
    unsafe {
        let heap = layout.open(pg_sys::AccessShareLock as _, |heap, _| heap);
        let pages = pg_sys::RelationGetNumberOfBlocksInFork(heap, pg_sys::ForkNumber::MAIN_FORKNUM);
        let is_worth_it = worth_it(pages);
        if is_worth_it {
            let slot = pg_sys::MakeSingleTupleTableSlot(
                (*heap).rd_att,
                &raw const pg_sys::TTSOpsHeapTuple,
            );
            // through no index, in the order of the heap
            let scan = pg_sys::systable_beginscan(
                heap,
                pg_sys::InvalidOid,
                false,
                &raw mut pg_sys::SnapshotSelfData,
                0,
                std::ptr::null_mut(),
            );
            let next = || {
                raw::guarded(|| {
                    let tuple = raw::systable_getnext(scan);
                    if !tuple.is_null() {
                        raw::ExecStoreHeapTuple(tuple, slot, false);
                        raw::slot_getsomeattrs_int(slot, attributes.into());
                    }
                    !tuple.is_null()
                })
            };
            while next() {
                row(&|attnum| {
                    let at = attnum as usize - 1;
                    if *(*slot).tts_isnull.add(at) {
                        holds_null(heap, attnum);
                    }
                    *(*slot).tts_values.add(at)
                });
            }
            pg_sys::systable_endscan(scan);
            pg_sys::ExecDropSingleTupleTableSlot(slot);
        }
        // the lock stays until the transaction ends, as that of a statement does
        pg_sys::table_close(heap, pg_sys::NoLock as _);
        is_worth_it
    }
}
