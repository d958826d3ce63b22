//! Columns of the ledger behind our own: those of a later version of the extension, which a
//! session meets while it keeps this library, and its owner's. They get what an INSERT that does
//! not name them would give them.

use pgrx::{PgTupleDesc, pg_sys};

use crate::ledger::reader::column;
use crate::server::error::Problem;
use crate::server::majors;
use crate::server::names::table_name;
use crate::server::raw;
use crate::server::rights::as_owner;
use crate::server::slot::Slot;

pub struct Further {
    executor: *mut pg_sys::EState,
    target: *mut pg_sys::ResultRelInfo,
    /// Counted from 0, without those that stay NULL.
    defaults: Vec<(usize, *mut pg_sys::ExprState)>,
    columns: usize,
    are_generated: bool,
}

impl Further {
    /// `None` where the ledger has no columns but ours.
    ///
    /// # Safety
    /// The ledger must be open, its first columns must be ours, and `target` be made for it in
    /// `executor`; all three must outlive what is returned.
    pub unsafe fn of(
        ledger: pg_sys::Relation,
        executor: *mut pg_sys::EState,
        target: *mut pg_sys::ResultRelInfo,
    ) -> Option<Self> {
        let columns = unsafe { (*(*ledger).rd_att).natts as usize };
        if columns == column::COUNT {
            return None;
        }
        let mut further = Self {
            executor,
            target,
            defaults: Vec::new(),
            columns,
            are_generated: false,
        };
        // the expressions are those of the ledger's owner
        as_owner(|| unsafe { further.prepare(ledger) });
        Some(further)
    }

    unsafe fn prepare(&mut self, ledger: pg_sys::Relation) {
        const STORED: std::ffi::c_char = b's' as _;
        let descriptor = unsafe { PgTupleDesc::from_pg_unchecked((*ledger).rd_att) };
        let further = descriptor.iter().enumerate().skip(column::COUNT);
        for (at, column) in further.filter(|(_, column)| !column.attisdropped) {
            if column.attgenerated != 0 {
                self.are_generated |= column.attgenerated == STORED;
                continue;
            }
            let default = unsafe { pg_sys::build_column_default(ledger, at as i32 + 1) };
            if !default.is_null() {
                let default = unsafe { pg_sys::ExecPrepareExpr(default.cast(), self.executor) };
                self.defaults.push((at, default));
            } else if column.attnotnull {
                Problem::NotAsInstalled {
                    object: table_name(unsafe { (*ledger).rd_id }),
                    what: format!(
                        "has a further column \"{}\" that is NOT NULL and has no default",
                        column.name()
                    ),
                }
                .raise();
            }
        }
    }

    /// Completes rows whose other columns are filled in, and stores them in their slots. What
    /// they refer to is allocated in the current memory context.
    ///
    /// # Safety
    /// The slots must be virtual ones for rows of the ledger.
    pub unsafe fn complete(&self, slots: &[Slot]) {
        as_owner(|| {
            for slot in slots {
                unsafe { self.complete_one(*slot) };
            }
        });
    }

    unsafe fn complete_one(&self, slot: Slot) {
        unsafe {
            // frees what was computed for the row before, which nothing refers to any more
            raw::clear(slot);
            // both have one element for each of the ledger's columns
            let (values, nulls) = ((*slot).tts_values, (*slot).tts_isnull);
            for at in column::COUNT..self.columns {
                *nulls.add(at) = true;
            }
            let context = (*self.executor).es_per_tuple_exprcontext;
            for (at, default) in &self.defaults {
                *values.add(*at) = pg_sys::ExecEvalExpr(*default, context, nulls.add(*at));
            }
            let (executor, target) = (self.executor, self.target);
            let are_generated = self.are_generated;
            raw::guarded(|| {
                raw::ExecStoreVirtualTuple(slot);
                if are_generated {
                    (*slot).tts_tableOid = (*(*target).ri_RelationDesc).rd_id;
                    let insert = pg_sys::CmdType::CMD_INSERT;
                    majors::ExecComputeStoredGenerated(target, executor, slot, insert);
                }
            });
        }
    }
}
