//! How entries get into the ledger.

#![allow(
    clippy::indexing_slicing,
    reason = "a batch has slots and bits for all of its entries, and a slot all columns"
)]

use pgrx::pg_sys;
use rustc_hash::FxHashSet;

use crate::ledger::epoch;
use crate::ledger::further::Further;
use crate::ledger::reader::{LEDGER, Reader, column};
use crate::rules::money;
use crate::rules::settlement::{Account, Posting};
use crate::server::majors;
use crate::server::memory::Context;
use crate::server::numeric::Numeric;
use crate::server::raw;
use crate::server::rights::as_owner;
use crate::server::slot::Slot;
use crate::server::text::Text;
use crate::server::zone;

/// What becomes of an entry whose number its payment has used already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// The unique key of the ledger raises an error.
    Fail,
    /// It is taken back, as if it had never been there: that there are no entries yet is true
    /// for all but very few inserted payments, and asking first would cost all of them. But where
    /// changes of the ledger are decoded they are asked first: a subscriber would be sent the
    /// entry before its deletion, and stop at the duplicate key.
    TakeBack,
}

/// Adds entries, many at a time, through the index and constraint machinery of the executor
/// but without a plan: that is most of the cost of a short statement.
pub struct Writer {
    /// Where this was made: what it allocates later must live as long.
    home: Context,
    ledger: pg_sys::Relation,
    executor: *mut pg_sys::EState,
    target: *mut pg_sys::ResultRelInfo,
    takes_back: bool,
    /// Asks for entries that are there already, instead of taking back.
    reader: Option<Reader>,
    further: Option<Further>,
    /// An entry is checked or indexed by code that somebody has added to the ledger.
    runs_code: bool,
    /// The entries of a batch, and slots for at least as many.
    entries: Vec<Entry>,
    slots: Vec<Slot>,
    /// What writing a batch needs; freed with the executor's state.
    memory: Context,
    now: i64,
    epoch: i32,
    taken_back: Vec<String>,
}

/// An entry to be written.
struct Entry {
    account: Account,
    binding_id: i32,
    seq: i32,
    paid_on: i32,
    matures_on: i32,
    rule: u8,
    payment_key: Text,
    currency: Text,
    rate: Numeric,
    base: Numeric,
    refunded: Numeric,
    base_before: Numeric,
    posted_before: Numeric,
    amount: Numeric,
}

impl Entry {
    fn new(binding_id: i32, payment_key: &str, seq: i32, posting: &Posting) -> Self {
        let terms = posting.terms;
        let base = money::with_minor_digits(posting.base.normalize(), posting.currency);
        Self {
            account: posting.account,
            binding_id,
            seq,
            paid_on: terms.paid_on,
            matures_on: terms.matures_on,
            rule: terms.rule.code(),
            payment_key: Text::new(payment_key),
            currency: Text::new(posting.currency.code()),
            rate: Numeric::new(terms.rule.rate()),
            base: Numeric::new(base),
            refunded: Numeric::new(posting.refunded.normalize()),
            base_before: Numeric::new(posting.base_before),
            posted_before: Numeric::new(posting.posted_before),
            amount: Numeric::new(posting.amount),
        }
    }

    /// Fills in a row of the ledger, which refers to this.
    fn fill(&self, row: &mut [pg_sys::Datum], posted_at: i64, epoch: i32) {
        let mut set = |column: usize, value: pg_sys::Datum| row[column - 1] = value;
        set(column::POSTED_AT, posted_at.into());
        set(column::REFERRAL_ID, self.account.referral_id.into());
        set(column::AFFILIATE_ID, self.account.affiliate_id.into());
        set(column::EPOCH, epoch.into());
        set(column::BINDING_ID, self.binding_id.into());
        set(column::SEQ, self.seq.into());
        set(column::PAID_ON, self.paid_on.into());
        set(column::MATURES_ON, self.matures_on.into());
        set(column::RULE, self.rule.into());
        set(column::PAYMENT_KEY, self.payment_key.datum());
        set(column::CURRENCY, self.currency.datum());
        set(column::RATE, self.rate.datum());
        set(column::BASE, self.base.datum());
        set(column::REFUNDED, self.refunded.datum());
        set(column::BASE_BEFORE, self.base_before.datum());
        set(column::POSTED_BEFORE, self.posted_before.datum());
        set(column::AMOUNT, self.amount.datum());
    }
}

impl Writer {
    const BATCH: usize = 500;

    pub fn open(duplicates: Duplicates) -> Self {
        unsafe {
            // lock first, epoch second; the lock is kept until the transaction ends
            let lock = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
            let (ledger, executor, target, memory) = LEDGER.open(lock, |ledger, _| {
                let executor = raw::CreateExecutorState();
                let size = size_of::<pg_sys::ResultRelInfo>();
                let target = raw::MemoryContextAllocZero((*executor).es_query_cxt, size)
                    .cast::<pg_sys::ResultRelInfo>();
                (*target).type_ = pg_sys::NodeTag::T_ResultRelInfo;
                // not in a range table, which an error of a constraint would look into
                raw::InitResultRelInfo(target, ledger, 0, std::ptr::null_mut(), 0);
                raw::ExecOpenIndices(target, false);
                // which adding index tuples would make
                let context = raw::MakePerTupleExprContext(executor);
                (ledger, executor, target, (*context).ecxt_per_tuple_memory)
            });
            let epoch = epoch::current();
            let further = Further::of(ledger, executor, target);
            let runs_code = further.is_some() || has_expressions(target);
            let takes_back = duplicates == Duplicates::TakeBack;
            let asks_first = takes_back && is_decoded(ledger);
            Self {
                home: Context::current(),
                ledger,
                executor,
                target,
                takes_back: takes_back && !asks_first,
                reader: asks_first.then(Reader::open),
                further,
                runs_code,
                entries: Vec::new(),
                slots: Vec::new(),
                memory: Context::of_server(memory),
                now: zone::now(),
                epoch,
                taken_back: Vec::new(),
            }
        }
    }

    pub fn add(&mut self, binding_id: i32, payment_key: &str, seq: i32, posting: &Posting) {
        if self.entries.len() == Self::BATCH {
            self.flush();
            self.memory.reset();
        }
        let entry = Entry::new(binding_id, payment_key, seq, posting);
        self.entries.push(entry);
    }

    fn flush(&mut self) {
        self.leave_out_what_is_there();
        if self.entries.is_empty() {
            return;
        }
        if self.runs_code {
            // it belongs to the owner of the ledger, and must not run as whoever pays
            as_owner(|| self.write());
        } else {
            self.write();
        }
    }

    fn write(&mut self) {
        unsafe {
            self.fill_slots();
            let (ledger, executor, target) = (self.ledger, self.executor, self.target);
            let (slots, count) = (self.slots.as_mut_ptr(), self.entries.len());
            let takes_back = self.takes_back;
            let is_complete = self.further.is_some();
            let mut duplicates = [0u64; Self::BATCH.div_ceil(64)];
            let found = &mut duplicates;
            self.memory.with(|| {
                raw::guarded(|| {
                    for n in 0..count {
                        let slot = *slots.add(n);
                        if !is_complete {
                            raw::clear(slot);
                            raw::ExecStoreVirtualTuple(slot);
                        }
                        raw::ExecConstraints(target, slot, executor);
                    }
                    let command = raw::GetCurrentCommandId(true);
                    let none = std::ptr::null_mut();
                    raw::heap_multi_insert(ledger, slots, count as i32, command, 0, none);
                    for n in 0..count {
                        let slot = *slots.add(n);
                        let conflicts =
                            majors::insert_index_tuples(target, slot, executor, takes_back);
                        if !conflicts.is_null() {
                            found[n / 64] |= 1 << (n % 64);
                        }
                    }
                });
            });
            if duplicates.iter().any(|word| *word != 0) {
                self.take_back(|n| duplicates[n / 64] & 1 << (n % 64) != 0);
            }
            self.entries.clear();
        }
    }

    /// Leaves entries out of the batch whose number the ledger has already, or an entry before
    /// them, where that is asked first.
    fn leave_out_what_is_there(&mut self) {
        let Some(reader) = &mut self.reader else {
            return;
        };
        let mut seen = FxHashSet::default();
        let taken_back = &mut self.taken_back;
        self.entries.retain(|entry| {
            let key = entry.payment_key.to_owned();
            let is_there = reader.has_entries(entry.binding_id, &key) || seen.contains(&key);
            if is_there {
                taken_back.push(key);
            } else {
                seen.insert(key);
            }
            !is_there
        });
    }

    unsafe fn fill_slots(&mut self) {
        let virtual_slot = &raw const pg_sys::TTSOpsVirtual;
        for (n, entry) in self.entries.iter().enumerate() {
            unsafe {
                if n == self.slots.len() {
                    let descriptor = (*self.ledger).rd_att;
                    let make = || pg_sys::MakeSingleTupleTableSlot(descriptor, virtual_slot);
                    self.slots.push(self.home.with(make));
                }
                let slot = self.slots[n];
                let row = std::slice::from_raw_parts_mut((*slot).tts_values, column::COUNT);
                std::slice::from_raw_parts_mut((*slot).tts_isnull, column::COUNT).fill(false);
                entry.fill(row, self.now, self.epoch);
            }
        }
        if let Some(further) = &self.further {
            let slots = &self.slots[..self.entries.len()];
            self.memory.with(|| unsafe { further.complete(slots) });
        }
    }

    /// Deletes entries of this batch.
    unsafe fn take_back(&mut self, is_duplicate: impl Fn(usize) -> bool) {
        unsafe {
            // what a command has inserted can be deleted by a later one
            pg_sys::CommandCounterIncrement();
            for n in (0..self.entries.len()).filter(|n| is_duplicate(*n)) {
                self.taken_back.push(self.entries[n].payment_key.to_owned());
                pg_sys::simple_heap_delete(self.ledger, &mut (*self.slots[n]).tts_tid);
            }
        }
    }

    /// Writes what is not written yet, and returns the keys of payments whose entries were taken
    /// back.
    pub fn close(mut self) -> Vec<String> {
        self.flush();
        unsafe {
            let (ledger, executor, target) = (self.ledger, self.executor, self.target);
            let (slots, count) = (self.slots.as_mut_ptr(), self.slots.len());
            raw::guarded(|| {
                for n in 0..count {
                    raw::ExecDropSingleTupleTableSlot(*slots.add(n));
                }
                // unlike the executor it keeps their locks until the transaction ends: to release
                // them one by one takes longer, and the lock of the table holds as much
                for n in 0..(*target).ri_NumIndices as usize {
                    let index = *(*target).ri_IndexRelationDescs.add(n);
                    majors::end_index_inserts(index, *(*target).ri_IndexRelationInfo.add(n));
                    raw::index_close(index, pg_sys::NoLock as _);
                }
                raw::FreeExecutorState(executor);
                raw::table_close(ledger, pg_sys::NoLock as _);
            });
        }
        self.taken_back
    }
}

/// Whether changes of a table are written for logical decoding (`RelationIsLogicallyLogged` of
/// `utils/rel.h`).
unsafe fn is_decoded(table: pg_sys::Relation) -> bool {
    unsafe {
        pg_sys::wal_level >= pg_sys::WalLevel::WAL_LEVEL_LOGICAL as i32
            && (*(*table).rd_rel).relpersistence == pg_sys::RELPERSISTENCE_PERMANENT as i8
    }
}

/// Whether a table has constraints or indexes that evaluate expressions.
unsafe fn has_expressions(target: *mut pg_sys::ResultRelInfo) -> bool {
    unsafe {
        let constraints = (*(*(*target).ri_RelationDesc).rd_att).constr;
        let checks = !constraints.is_null() && (*constraints).num_check > 0;
        checks
            || (0..(*target).ri_NumIndices as usize).any(|n| {
                let index = *(*target).ri_IndexRelationInfo.add(n);
                !(*index).ii_Expressions.is_null() || !(*index).ii_Predicate.is_null()
            })
    }
}
