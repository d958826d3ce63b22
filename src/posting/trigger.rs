//! The triggers of payments and refunds tables. Inserted payments take the short way;
//! everything else is settled from the present state of the row.

use std::collections::BTreeSet;
use std::rc::Rc;

use pgrx::pg_sys;

use crate::bindings::binding::{Binding, OWN_PAYMENTS};
use crate::bindings::host_table::ROWS_PER_BATCH;
use crate::bindings::pause;
use crate::bindings::refunds_table::RefundsTable;
use crate::bindings::row::Row;
use crate::ledger::reader::NOT_CANCELED_OUT;
use crate::posting::changes::{Changes, settle_all};
use crate::posting::insert::{Inserted, Inserts};
use crate::posting::on_error;
use crate::posting::referrals::Referrals;
use crate::posting::respell;
use crate::posting::restore;
use crate::posting::settle::{Options, Settler};
use crate::posting::transaction;
use crate::posting::transition::Transition;
use crate::rules::truncation::OnTruncate;
use crate::rules::words::Word;
use crate::server::error::Problem;
use crate::server::rights::as_owner;
use crate::server::slot::{KeptSlot, Slot};
use crate::server::spi::{self, Sees};

/// The body of affiliate.post_payments().
pub fn post_payments(fcinfo: pg_sys::FunctionCallInfo) {
    unsafe {
        let trigger = trigger_data(fcinfo);
        let relation = trigger.tg_relation;
        // a trigger that came with a schema alone, or that somebody made: there is nothing to post
        let Some(binding) = Binding::of((*relation).rd_id) else {
            return;
        };
        let Some(binding) = pause::unless_paused((*relation).rd_id, binding) else {
            return;
        };
        if !binding.columns.has_key {
            return;
        }
        let binding = respell::up_to_date(binding);
        let event = trigger.tg_event & pg_sys::TRIGGER_EVENT_OPMASK;
        let is_restore = restore::is_under_way();
        let body = || {
            if trigger.tg_event & pg_sys::TRIGGER_EVENT_ROW != 0 {
                post_row(&binding, trigger, event, is_restore);
            } else if is_restore && event == pg_sys::TRIGGER_EVENT_INSERT {
                restore::warn(binding.table);
            } else {
                post_statement(&binding, trigger, event);
            }
        };
        let post = || {
            if binding.depends_on_settings {
                as_owner(body)
            } else {
                body()
            }
        };
        if !on_error::quarantines() {
            post();
        } else if let Err(failure) = on_error::attempt(post) {
            on_error::put_aside(&binding, &failure, |only_referred, put| {
                concerned(&binding, trigger, only_referred, put);
            });
        }
    }
}

/// Passes on the key columns of the rows that the statement inserted, changed or deleted, all or
/// those of referred customers.
///
/// # Safety
/// The trigger must be one of the table that the binding was made for.
unsafe fn concerned(
    binding: &Rc<Binding>,
    trigger: &pg_sys::TriggerData,
    only_referred: bool,
    put: &mut dyn FnMut(Vec<String>),
) {
    let mut referrals = Referrals::of(binding);
    let last = binding.columns.last_of_identity;
    unsafe {
        each_row(trigger, last, |slot| {
            let row = Row::new(binding, slot);
            if !only_referred || referrals.of_row(&row).is_some() {
                put(row.key_columns());
            }
        });
    }
}

/// Calls `body` for the old and new versions of all rows of a statement, with so many attributes
/// taken out.
///
/// # Safety
/// The trigger must be the one that is being fired.
unsafe fn each_row(trigger: &pg_sys::TriggerData, attributes: i16, mut body: impl FnMut(Slot)) {
    unsafe {
        if trigger.tg_event & pg_sys::TRIGGER_EVENT_ROW != 0 {
            for slot in [trigger.tg_trigslot, trigger.tg_newslot] {
                if !slot.is_null() {
                    body(slot);
                }
            }
            return;
        }
        let kept = KeptSlot::default();
        let lent = kept.lend((*trigger.tg_relation).rd_att);
        for store in [trigger.tg_oldtable, trigger.tg_newtable] {
            if !store.is_null() {
                Transition::open(store, lent.slot, attributes).each(&mut body);
            }
        }
    }
}

/// A row that moves to another partition is deleted there and inserted here by one command. The
/// second event takes up the terms of the key that the first one left.
unsafe fn post_row(
    binding: &Rc<Binding>,
    trigger: &pg_sys::TriggerData,
    event: u32,
    is_restore: bool,
) {
    let (old, new) = (trigger.tg_trigslot, trigger.tg_newslot);
    let key_columns = |slot| unsafe { Row::new(binding, slot) }.key_columns();
    let header = unsafe { (*trigger.tg_trigtuple).t_data };
    match event {
        pg_sys::TRIGGER_EVENT_INSERT => {
            let command = || unsafe { pg_sys::HeapTupleHeaderGetCmin(header) };
            match transaction::take_moved(binding.id, command) {
                Some(from) => {
                    let mut changes = Changes::new(binding);
                    changes.moved(from, key_columns(old));
                    changes.finish();
                }
                None if is_restore => restore::warn(binding.table),
                None => insert(binding, 1, |add| add(old)),
            }
        }
        pg_sys::TRIGGER_EVENT_UPDATE => {
            let mut changes = Changes::new(binding);
            unsafe { changes.updated(old, new) };
            changes.finish();
        }
        _ => {
            let mut changes = Changes::new(binding);
            unsafe { changes.deleted(old) };
            if unsafe { moved_to_another_partition(trigger.tg_trigtuple) } {
                changes.has_moved_away = true;
                let command = unsafe { pg_sys::HeapTupleHeaderGetCmax(header) };
                transaction::remember_moved(binding.id, command, key_columns(old));
            }
            changes.finish();
        }
    }
}

/// Whether a deleted row was the old version of one in another partition, as its header says
/// (`HeapTupleHeaderIndicatesMovedPartitions` of `access/htup_details.h`).
unsafe fn moved_to_another_partition(tuple: pg_sys::HeapTuple) -> bool {
    const MOVED_OFFSET: u16 = 0xfffd;
    let ctid = unsafe { &(*(*tuple).t_data).t_ctid };
    ctid.ip_posid == MOVED_OFFSET && (ctid.ip_blkid.bi_hi, ctid.ip_blkid.bi_lo) == (0xffff, 0xffff)
}

unsafe fn post_statement(binding: &Rc<Binding>, trigger: &pg_sys::TriggerData, event: u32) {
    let descriptor = unsafe { (*trigger.tg_relation).rd_att };
    let (old, new) = (trigger.tg_oldtable, trigger.tg_newtable);
    let columns = &binding.columns;
    match event {
        pg_sys::TRIGGER_EVENT_INSERT => unsafe {
            let lent = binding.new_row.lend(descriptor);
            let rows = Transition::open(new, lent.slot, columns.last_of_identity);
            insert(binding, rows.count, |add| rows.each(add));
        },
        pg_sys::TRIGGER_EVENT_UPDATE => unsafe {
            let (old_lent, new_lent) = (
                binding.old_row.lend(descriptor),
                binding.new_row.lend(descriptor),
            );
            let old = Transition::open(old, old_lent.slot, columns.last_read);
            let new = Transition::open(new, new_lent.slot, columns.last_read);
            let mut changes = Changes::new(binding);
            // old and new rows stand in the same order
            let mut is_first = true;
            new.each(|new_slot| {
                if is_first || old.next() {
                    changes.updated(old_lent.slot, new_slot);
                }
                is_first = false;
            });
            changes.finish();
        },
        _ => unsafe {
            let lent = binding.old_row.lend(descriptor);
            let rows = Transition::open(old, lent.slot, columns.last_of_identity);
            let mut changes = Changes::new(binding);
            rows.each(|slot| changes.deleted(slot));
            changes.finish();
        },
    }
}

/// Posts the rows that `rows` passes on, about `count` of them.
fn insert(binding: &Rc<Binding>, count: i64, rows: impl FnOnce(&mut dyn FnMut(Slot))) {
    let mut inserts = Inserts::new(binding, count);
    let mut others = Vec::new();
    rows(&mut |slot| {
        if let Inserted::NotNew(key_columns) = unsafe { inserts.add(slot) } {
            others.push(key_columns);
            if others.len() == ROWS_PER_BATCH {
                settle_all(binding, &std::mem::take(&mut others), Options::default());
            }
        }
    });
    others.extend(inserts.close());
    settle_all(binding, &others, Options::default());
}

/// The body of affiliate.refuse_truncate().
pub fn refuse_truncate(fcinfo: pg_sys::FunctionCallInfo) {
    let table = unsafe { (*trigger_data(fcinfo).tg_relation).rd_id };
    let payments =
        as_owner(|| RefundsTable::attached(table)).map_or(table, |(_, payments)| payments);
    let is_refunds = payments != table;
    let Some(binding) = Binding::of(payments) else {
        return;
    };
    let allows = format!(
        "SELECT CASE b.on_truncate WHEN $2 THEN $3 WHEN $4 THEN true ELSE false END
            OR NOT EXISTS (SELECT FROM affiliate.commission c WHERE c.binding_id = b.id {NOT_CANCELED_OUT})
                AS allows
         FROM affiliate.binding b WHERE b.id = $1"
    );
    let allows: bool = as_owner(|| {
        spi::connect(|connection| {
            let args = [
                binding.id.into(),
                OnTruncate::Keep.as_str().into(),
                // refunds that are gone give back what they took
                (!is_refunds).into(),
                OnTruncate::Reconcile.as_str().into(),
            ];
            let rows = connection.run(&allows, Sees::Latest, &args);
            rows.only().required("allows")
        })
    });
    if !allows {
        Problem::TruncateRefused {
            table: crate::server::names::table_name(table),
            is_refunds,
            can_be_detached: is_refunds || binding.id != OWN_PAYMENTS,
        }
        .raise();
    }
}

/// The body of affiliate.post_refunds(): settles the payments of the refunds that changed.
pub fn post_refunds(fcinfo: pg_sys::FunctionCallInfo) {
    unsafe {
        let trigger = trigger_data(fcinfo);
        let table = (*trigger.tg_relation).rd_id;
        let is_restore = restore::is_under_way();
        as_owner(|| {
            let Some((refunds, payments)) = RefundsTable::attached(table) else {
                return;
            };
            let Some(binding) =
                Binding::of(payments).and_then(|binding| pause::unless_paused(payments, binding))
            else {
                return;
            };
            let event = trigger.tg_event & pg_sys::TRIGGER_EVENT_OPMASK;
            if is_restore && event == pg_sys::TRIGGER_EVENT_INSERT {
                return restore::warn(table);
            }
            let binding = respell::up_to_date(binding.of_bound_table());
            let mut changed = Refunded {
                refunds: &refunds,
                binding: &binding,
                payments: BTreeSet::new(),
            };
            each_row(trigger, 1, |slot| changed.note(slot));
            changed.settle();
        });
    }
}

/// The payments whose refunds a statement has changed, as their refunds spell them, and in one
/// order, so that statements over the same payments wait for each other in turn.
struct Refunded<'a> {
    refunds: &'a RefundsTable,
    binding: &'a Rc<Binding>,
    payments: BTreeSet<Vec<String>>,
}

impl Refunded<'_> {
    /// # Safety
    /// The slot must hold a row of the refunds table.
    unsafe fn note(&mut self, slot: Slot) {
        // SAFETY: as for the caller
        if let Some(payment) = unsafe { self.refunds.payment_of(slot) } {
            self.payments.insert(payment);
            if self.payments.len() == ROWS_PER_BATCH {
                self.settle();
            }
        }
    }

    fn settle(&mut self) {
        let payments = std::mem::take(&mut self.payments);
        if on_error::quarantines() {
            for payment in &payments {
                on_error::settle_by(self.binding, payment, |settler| {
                    settler.settle_refunded(self.refunds, payment)
                });
            }
            return;
        }
        let mut settler = Settler::new(Rc::clone(self.binding));
        for payment in &payments {
            settler.settle_refunded(self.refunds, payment);
        }
    }
}

/// The trigger that called a function.
///
/// # Safety
/// `fcinfo` must be what PostgreSQL called the function with.
pub unsafe fn trigger_data<'a>(fcinfo: pg_sys::FunctionCallInfo) -> &'a pg_sys::TriggerData {
    unsafe {
        let context = (*fcinfo).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            Problem::NotATrigger.raise();
        }
        &*context.cast::<pg_sys::TriggerData>()
    }
}
