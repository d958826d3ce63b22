//! The trigger of payments tables. Inserted rows take the short way: who referred the
//! customer, is there anything about this payment yet, what does the row earn, one entry.
//! Everything else is settled from the present state of the row.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use pgrx::pg_sys;
use rust_decimal::Decimal;

use super::binding::Binding;
use super::book::{Reader, Terms, Writer};
use super::quarantine;
use super::referrals::Referrals;
use super::refunds::Recorded;
use super::row::{self, Judgement, Row};
use super::settle::{Options, Settler};
use crate::domain::fault::Fault;
use crate::domain::settlement;
use crate::pg::error::Problem;
use crate::pg::memory::Context;
use crate::pg::rights::as_owner;

/// Rows after which the memory that they needed is freed.
const ROWS_PER_RESET: usize = 1000;

thread_local! {
    /// Payments that a trigger of the host changed or deleted within another statement. The
    /// copy that the outer statement hands to us may be older, so their rows are read.
    static CHANGED_WITHIN: RefCell<HashSet<(i32, String)>> = RefCell::default();
}

type Slot = *mut pg_sys::TupleTableSlot;

/// The body of affiliate.post_payments().
pub fn post_payments(fcinfo: pg_sys::FunctionCallInfo) {
    unsafe {
        let context = (*fcinfo).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            Problem::NotATrigger.raise();
        }
        let trigger = &*context.cast::<pg_sys::TriggerData>();
        let relation = trigger.tg_relation;
        let Some(binding) = Binding::of((*relation).rd_id) else {
            Problem::NotBound {
                table: super::binding::table_name((*relation).rd_id),
            }
            .raise();
        };
        if !binding.columns.has_key {
            return;
        }
        let event = trigger.tg_event & pg_sys::TRIGGER_EVENT_OPMASK;
        let body = || {
            if trigger.tg_event & pg_sys::TRIGGER_EVENT_ROW != 0 {
                post_row(&binding, trigger, event);
            } else {
                post_statement(&binding, trigger, event);
            }
        };
        if binding.depends_on_settings {
            as_owner(body)
        } else {
            body()
        }
    }
}

unsafe fn post_row(binding: &Rc<Binding>, trigger: &pg_sys::TriggerData, event: u32) {
    let (old, new) = (trigger.tg_trigslot, trigger.tg_newslot);
    match event {
        pg_sys::TRIGGER_EVENT_INSERT => {
            let mut inserts = Inserts::new(binding);
            unsafe { inserts.add(old) };
            inserts.finish();
        }
        pg_sys::TRIGGER_EVENT_UPDATE => {
            let mut changes = Changes::new(binding);
            unsafe { changes.updated(old, new) };
            changes.finish();
        }
        _ => {
            let mut changes = Changes::new(binding);
            unsafe { changes.deleted(old) };
            changes.finish();
        }
    }
}

unsafe fn post_statement(binding: &Rc<Binding>, trigger: &pg_sys::TriggerData, event: u32) {
    let descriptor = unsafe { (*trigger.tg_relation).rd_att };
    match event {
        pg_sys::TRIGGER_EVENT_INSERT => {
            let mut inserts = Inserts::new(binding);
            unsafe { each(trigger.tg_newtable, descriptor, |slot| inserts.add(slot)) };
            inserts.finish();
        }
        pg_sys::TRIGGER_EVENT_UPDATE => {
            let mut changes = Changes::new(binding);
            unsafe {
                each_pair(
                    trigger.tg_oldtable,
                    trigger.tg_newtable,
                    descriptor,
                    |old, new| changes.updated(old, new),
                );
            }
            changes.finish();
        }
        _ => {
            let mut changes = Changes::new(binding);
            unsafe {
                each(trigger.tg_oldtable, descriptor, |slot| {
                    changes.deleted(slot)
                })
            };
            changes.finish();
        }
    }
}

/// A transition table, read from its start through a pointer of its own: other triggers of
/// the statement read the same one.
struct Transition {
    store: *mut pg_sys::Tuplestorestate,
    pointer: i32,
    slot: Slot,
}

impl Transition {
    unsafe fn open(store: *mut pg_sys::Tuplestorestate, descriptor: pg_sys::TupleDesc) -> Self {
        unsafe {
            let pointer =
                pg_sys::tuplestore_alloc_read_pointer(store, pg_sys::EXEC_FLAG_REWIND as i32);
            pg_sys::tuplestore_select_read_pointer(store, pointer);
            pg_sys::tuplestore_rescan(store);
            pg_sys::tuplestore_select_read_pointer(store, 0);
            let slot =
                pg_sys::MakeSingleTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsMinimalTuple);
            Self {
                store,
                pointer,
                slot,
            }
        }
    }

    unsafe fn next(&self) -> bool {
        unsafe {
            pg_sys::tuplestore_select_read_pointer(self.store, self.pointer);
            let found = pg_sys::tuplestore_gettupleslot(self.store, true, false, self.slot);
            pg_sys::tuplestore_select_read_pointer(self.store, 0);
            found
        }
    }

    unsafe fn close(self) {
        unsafe { pg_sys::ExecDropSingleTupleTableSlot(self.slot) }
    }
}

unsafe fn each(
    store: *mut pg_sys::Tuplestorestate,
    descriptor: pg_sys::TupleDesc,
    mut body: impl FnMut(Slot),
) {
    unsafe {
        let rows = Transition::open(store, descriptor);
        let memory = Context::within_current(c"affiliate rows");
        let mut count = 0;
        while rows.next() {
            memory.with(|| body(rows.slot));
            count += 1;
            if count % ROWS_PER_RESET == 0 {
                memory.reset();
                pgrx::check_for_interrupts!();
            }
        }
        memory.delete();
        rows.close();
    }
}

/// Old and new rows of an UPDATE stand in the same order.
unsafe fn each_pair(
    old: *mut pg_sys::Tuplestorestate,
    new: *mut pg_sys::Tuplestorestate,
    descriptor: pg_sys::TupleDesc,
    mut body: impl FnMut(Slot, Slot),
) {
    unsafe {
        let old = Transition::open(old, descriptor);
        each(new, descriptor, |new_slot| {
            if old.next() {
                body(old.slot, new_slot);
            }
        });
        old.close();
    }
}

/// The inserted rows of a statement.
struct Inserts<'a> {
    binding: &'a Rc<Binding>,
    /// Where this was made: what it opens later must outlive the row at hand.
    home: Context,
    referrals: Referrals,
    reader: Option<Reader>,
    recorded: Option<Recorded>,
    writer: Option<Writer>,
    /// Payments to be settled from their rows.
    others: Vec<Vec<String>>,
}

impl<'a> Inserts<'a> {
    fn new(binding: &'a Rc<Binding>) -> Self {
        Self {
            binding,
            home: Context::current(),
            referrals: Referrals::of(&binding.program),
            reader: None,
            recorded: None,
            writer: None,
            others: Vec::new(),
        }
    }

    /// # Safety
    /// The slot must hold a row of the table that the trigger is on.
    unsafe fn add(&mut self, slot: Slot) {
        let row = unsafe { Row::new(self.binding, slot) };
        let Some(referral) = row
            .customer()
            .and_then(|customer| self.referrals.find(&customer))
        else {
            return;
        };
        let key_columns = row.key_columns();
        let key = self.binding.key_text(key_columns.clone());
        if self.is_known(&key) {
            self.others.push(key_columns);
            return;
        }
        match row.judge(&referral, None, false, Decimal::ZERO) {
            Judgement::Nothing(_) => {}
            Judgement::Claim(claim, terms) => match settlement::advance(&claim, terms.rate, None) {
                Ok(Some(posting)) => self.post(&key, terms, &posting),
                Ok(None) => {}
                Err(fault) => unsafe {
                    self.quarantine(&key, fault, &claim.amount.to_string(), slot)
                },
            },
            Judgement::Fault(fault, detail) => unsafe {
                self.quarantine(&key, fault, &detail, slot)
            },
        }
    }

    /// Whether there is more to a payment than its inserted row.
    fn is_known(&mut self, key: &str) -> bool {
        if !row::key_fits(key) {
            return true;
        }
        let id = self.binding.id;
        let changed = CHANGED_WITHIN
            .with_borrow(|set| !set.is_empty() && set.contains(&(id, key.to_owned())));
        changed
            || self
                .reader
                .get_or_insert_with(|| self.home.with(Reader::open))
                .has_entries(id, key)
            || self
                .recorded
                .get_or_insert_with(|| self.home.with(Recorded::open))
                .of_payment(id, key)
                .is_some()
    }

    fn post(&mut self, key: &str, terms: Terms, posting: &settlement::Posting) {
        const FIRST: i32 = 1;
        let writer = self
            .writer
            .get_or_insert_with(|| self.home.with(Writer::open));
        writer.add(self.binding.id, key, FIRST, terms, posting);
    }

    unsafe fn quarantine(&self, key: &str, fault: Fault, detail: &str, slot: Slot) {
        as_owner(|| unsafe {
            let json = quarantine::row_json(slot);
            quarantine::put(self.binding, key, fault, detail, json);
        });
    }

    fn finish(self) {
        if let Some(writer) = self.writer {
            writer.close();
        }
        settle_all(self.binding, &self.others);
    }
}

fn settle_all(binding: &Rc<Binding>, payments: &[Vec<String>]) {
    if payments.is_empty() {
        return;
    }
    as_owner(|| {
        let mut settler = Settler::new(Rc::clone(binding));
        for key_columns in payments {
            settler.settle(key_columns, Options::default());
        }
    });
}

/// A payment whose key has changed.
struct Move {
    from: Vec<String>,
    to: Vec<String>,
}

/// The updated or deleted rows of a statement.
struct Changes<'a> {
    binding: &'a Rc<Binding>,
    referrals: Referrals,
    settle: Vec<Vec<String>>,
    moves: Vec<Move>,
}

impl<'a> Changes<'a> {
    fn new(binding: &'a Rc<Binding>) -> Self {
        let referrals = Referrals::of(&binding.program);
        Self {
            binding,
            referrals,
            settle: Vec::new(),
            moves: Vec::new(),
        }
    }

    fn is_referred(&mut self, row: &Row) -> bool {
        row.customer()
            .is_some_and(|customer| self.referrals.find(&customer).is_some())
    }

    /// # Safety
    /// The slots must hold the old and the new version of a row of the table.
    unsafe fn updated(&mut self, old: Slot, new: Slot) {
        if unsafe { row::reads_the_same(self.binding, old, new) } {
            return;
        }
        let (old_row, new_row) =
            unsafe { (Row::new(self.binding, old), Row::new(self.binding, new)) };
        let is_referred = self.is_referred(&old_row) || self.is_referred(&new_row);
        let (from, to) = (old_row.key_columns(), new_row.key_columns());
        self.remember(&to);
        if from != to {
            self.remember(&from);
            if is_referred {
                self.moves.push(Move { from, to });
            }
        } else if is_referred {
            self.settle.push(to);
        }
    }

    /// # Safety
    /// The slot must hold a deleted row of the table.
    unsafe fn deleted(&mut self, old: Slot) {
        let row = unsafe { Row::new(self.binding, old) };
        let key_columns = row.key_columns();
        self.remember(&key_columns);
        if self.is_referred(&row) {
            self.settle.push(key_columns);
        }
    }

    /// Within another statement, see [`CHANGED_WITHIN`].
    fn remember(&self, key_columns: &[String]) {
        if trigger_depth() > 1 {
            let key = self.binding.key_text(key_columns.to_vec());
            CHANGED_WITHIN.with_borrow_mut(|set| set.insert((self.binding.id, key)));
        }
    }

    fn finish(self) {
        if self.moves.is_empty() {
            return settle_all(self.binding, &self.settle);
        }
        as_owner(|| {
            let mut settler = Settler::new(Rc::clone(self.binding));
            let keys: Vec<(String, String)> = self
                .moves
                .iter()
                .map(|m| {
                    (
                        self.binding.key_text(m.from.clone()),
                        self.binding.key_text(m.to.clone()),
                    )
                })
                .collect();
            // the terms of all before any is settled: a statement may exchange keys
            let terms: Vec<Option<Terms>> = keys
                .iter()
                .map(|(from, _)| settler.entries(from).terms)
                .collect();
            super::refunds::move_recorded(self.binding.id, &keys);
            for moved in &self.moves {
                settler.settle(
                    &moved.from,
                    Options {
                        moved_away: true,
                        ..Options::default()
                    },
                );
            }
            for (moved, inherited) in self.moves.iter().zip(terms) {
                settler.settle(
                    &moved.to,
                    Options {
                        inherited,
                        ..Options::default()
                    },
                );
            }
            for key_columns in &self.settle {
                settler.settle(key_columns, Options::default());
            }
        });
    }
}

fn trigger_depth() -> i32 {
    unsafe {
        pg_sys::OidFunctionCall0Coll(pg_sys::F_PG_TRIGGER_DEPTH.into(), pg_sys::InvalidOid).value()
            as i32
    }
}

/// Has what a transaction's triggers remember forgotten at its end; once, when the library is
/// loaded.
pub fn init() {
    unsafe {
        pg_sys::RegisterXactCallback(Some(at_transaction_end), std::ptr::null_mut());
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn at_transaction_end(
    _event: pg_sys::XactEvent::Type,
    _arg: *mut std::ffi::c_void,
) {
    CHANGED_WITHIN.with_borrow_mut(HashSet::clear);
}

/// The body of affiliate.refuse_truncate().
pub fn refuse_truncate(fcinfo: pg_sys::FunctionCallInfo) {
    unsafe {
        let context = (*fcinfo).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            Problem::NotATrigger.raise();
        }
        let table = (*(*context.cast::<pg_sys::TriggerData>()).tg_relation).rd_id;
        if Binding::of(table).is_some_and(|binding| !binding.keeps_deleted) {
            Problem::TruncateRefused {
                table: super::binding::table_name(table),
            }
            .raise();
        }
    }
}
