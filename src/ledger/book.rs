//! The ledger itself: what it says of a payment, and how entries are added.

use pgrx::{FromDatum, pg_sys};
use rust_decimal::Decimal;

use super::epoch;
use crate::domain::currency::Currency;
use crate::domain::money;
use crate::domain::settlement::{Account, Posting, Standing};
use crate::pg::memory::Context;
use crate::pg::numeric;
use crate::pg::probe::{Key, Lock, Probe, Text};
use crate::pg::raw;
use crate::pg::relations::Relations;
use crate::pg::text::text_datum;
use crate::pg::zone;

/// The columns of affiliate.commission, in their order.
mod column {
    pub const POSTED_AT: usize = 1;
    pub const REFERRAL_ID: usize = 2;
    pub const AFFILIATE_ID: usize = 3;
    pub const EPOCH: usize = 4;
    pub const BINDING_ID: usize = 5;
    pub const SEQ: usize = 6;
    pub const MATURES_ON: usize = 7;
    pub const RULE: usize = 8;
    pub const PAYMENT_KEY: usize = 9;
    pub const CURRENCY: usize = 10;
    pub const RATE: usize = 11;
    pub const BASE: usize = 12;
    pub const REFUNDED: usize = 13;
    pub const BASE_BEFORE: usize = 14;
    pub const POSTED_BEFORE: usize = 15;
    pub const AMOUNT: usize = 16;
    pub const COUNT: usize = 16;
}

/// The rule of every entry so far: a rate of the net amount.
const RULE_RATE: u8 = b'r';

/// What the first entry of a payment froze.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub rate: Decimal,
    pub matures_on: i32,
}

/// What the ledger says of one payment.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    pub last_seq: i32,
    pub terms: Option<Terms>,
    /// What was refunded at the last entry.
    pub refunded: Decimal,
    pub standings: Vec<Standing>,
}

impl Entries {
    pub fn knows(&self, account: Account) -> bool {
        self.standings
            .iter()
            .any(|standing| standing.account == account)
    }
}

/// Reads the ledger by payment.
pub struct Reader {
    probe: Probe,
}

impl Reader {
    pub fn open(lock: Lock) -> Self {
        let relations = Relations::get();
        Self {
            probe: Probe::open(relations.commission, relations.commission_key, 2, lock),
        }
    }

    pub fn has_entries(&mut self, binding_id: i32, payment_key: &str) -> bool {
        let key = Text::new(payment_key);
        self.probe
            .seek([Key::integer(1, binding_id), Key::text(2, &key)])
    }

    /// The entries of a payment, summed up in their order.
    pub fn entries(&mut self, binding_id: i32, payment_key: &str) -> Entries {
        let mut entries = Entries::default();
        let key = Text::new(payment_key);
        let mut is_row = self
            .probe
            .seek([Key::integer(1, binding_id), Key::text(2, &key)]);
        while is_row {
            self.add_entry(&mut entries);
            is_row = self.probe.next();
        }
        entries
    }

    fn add_entry(&self, entries: &mut Entries) {
        let get = |column: usize| self.probe.get(column as i16);
        let decimal = |column| unsafe { numeric::decode(get(column)) }.unwrap_or_default();
        let code = unsafe { <&str>::from_datum(get(column::CURRENCY), false) };
        // what the ledger holds was a currency when it was posted
        let Some(currency) = code.and_then(Currency::parse) else {
            return;
        };
        let account = Account {
            affiliate_id: get(column::AFFILIATE_ID).value() as i32,
            referral_id: get(column::REFERRAL_ID).value() as i64,
        };
        entries.last_seq = get(column::SEQ).value() as i32;
        entries.terms = Some(Terms {
            rate: decimal(column::RATE),
            matures_on: get(column::MATURES_ON).value() as i32,
        });
        entries.refunded = decimal(column::REFUNDED);
        let base = decimal(column::BASE);
        let posted = decimal(column::POSTED_BEFORE) + decimal(column::AMOUNT);
        let standings = &mut entries.standings;
        let found = standings
            .iter_mut()
            .find(|s| s.account == account && s.currency == currency);
        match found {
            Some(standing) => {
                standing.base = base;
                standing.posted = posted;
            }
            None => standings.push(Standing {
                account,
                currency,
                base,
                posted,
            }),
        }
    }
}

/// Adds entries, many at a time, through the index and constraint machinery of the executor
/// but without a plan: that is most of the cost of a short statement.
pub struct Writer {
    /// Where this was made: what it allocates later must live as long.
    home: Context,
    ledger: pg_sys::Relation,
    executor: *mut pg_sys::EState,
    target: *mut pg_sys::ResultRelInfo,
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    filled: usize,
    values: Context,
    epoch: i32,
}

impl Writer {
    const BATCH: usize = 500;

    pub fn open() -> Self {
        let relation = Relations::get().commission;
        unsafe {
            // lock first, epoch second; the lock is kept until the transaction ends
            let (ledger, executor, target) = raw::guarded(|| {
                let ledger = raw::table_open(relation, pg_sys::RowExclusiveLock as _);
                let executor = raw::CreateExecutorState();
                let size = size_of::<pg_sys::ResultRelInfo>();
                let target = raw::MemoryContextAllocZero((*executor).es_query_cxt, size)
                    .cast::<pg_sys::ResultRelInfo>();
                (*target).type_ = pg_sys::NodeTag::T_ResultRelInfo;
                // not in a range table, which an error of a constraint would look into
                raw::InitResultRelInfo(target, ledger, 0, std::ptr::null_mut(), 0);
                raw::ExecOpenIndices(target, false);
                (ledger, executor, target)
            });
            let epoch = epoch::current();
            Self {
                home: Context::current(),
                ledger,
                executor,
                target,
                slots: Vec::new(),
                filled: 0,
                values: Context::within_current(c"affiliate entries"),
                epoch,
            }
        }
    }

    pub fn add(
        &mut self,
        binding_id: i32,
        payment_key: &str,
        seq: i32,
        terms: Terms,
        posting: &Posting,
    ) {
        if self.filled == Self::BATCH {
            self.flush();
        }
        unsafe {
            if self.filled == self.slots.len() {
                self.slots.push(self.home.with(|| {
                    pg_sys::MakeSingleTupleTableSlot(
                        (*self.ledger).rd_att,
                        &raw const pg_sys::TTSOpsVirtual,
                    )
                }));
            }
            let slot = self.slots[self.filled];
            self.filled += 1;
            pg_sys::ExecClearTuple(slot);
            let values = std::slice::from_raw_parts_mut((*slot).tts_values, column::COUNT);
            std::slice::from_raw_parts_mut((*slot).tts_isnull, column::COUNT).fill(false);
            let epoch = self.epoch;
            let mut set = |column: usize, value: pg_sys::Datum| values[column - 1] = value;
            self.values.with(|| {
                set(column::POSTED_AT, zone::now().into());
                set(column::REFERRAL_ID, posting.account.referral_id.into());
                set(column::AFFILIATE_ID, posting.account.affiliate_id.into());
                set(column::EPOCH, epoch.into());
                set(column::BINDING_ID, binding_id.into());
                set(column::SEQ, seq.into());
                set(column::MATURES_ON, terms.matures_on.into());
                set(column::RULE, RULE_RATE.into());
                set(column::PAYMENT_KEY, text_datum(payment_key));
                set(column::CURRENCY, text_datum(posting.currency.code()));
                set(column::RATE, numeric::encode(terms.rate));
                set(
                    column::BASE,
                    numeric::encode(money::at_least_minor(
                        posting.base.normalize(),
                        posting.currency,
                    )),
                );
                set(
                    column::REFUNDED,
                    numeric::encode(posting.refunded.normalize()),
                );
                set(column::BASE_BEFORE, numeric::encode(posting.base_before));
                set(
                    column::POSTED_BEFORE,
                    numeric::encode(posting.posted_before),
                );
                set(column::AMOUNT, numeric::encode(posting.amount));
            });
            pg_sys::ExecStoreVirtualTuple(slot);
        }
    }

    pub fn flush(&mut self) {
        if self.filled == 0 {
            return;
        }
        unsafe {
            let (ledger, executor, target) = (self.ledger, self.executor, self.target);
            let (slots, count) = (self.slots.as_mut_ptr(), self.filled);
            self.values.with(|| {
                raw::guarded(|| {
                    for n in 0..count {
                        raw::ExecConstraints(target, *slots.add(n), executor);
                    }
                    let command = raw::GetCurrentCommandId(true);
                    let none = std::ptr::null_mut();
                    raw::heap_multi_insert(ledger, slots, count as i32, command, 0, none);
                    for n in 0..count {
                        insert_index_tuples(target, *slots.add(n), executor);
                    }
                });
            });
            self.filled = 0;
            self.values.reset();
        }
    }

    pub fn close(mut self) {
        self.flush();
        unsafe {
            let (ledger, executor, target) = (self.ledger, self.executor, self.target);
            let (slots, count) = (self.slots.as_mut_ptr(), self.slots.len());
            raw::guarded(|| {
                for n in 0..count {
                    raw::ExecDropSingleTupleTableSlot(*slots.add(n));
                }
                // the locks stay until the transaction ends, as those of the executor do
                for n in 0..(*target).ri_NumIndices as usize {
                    raw::index_close(*(*target).ri_IndexRelationDescs.add(n), pg_sys::NoLock as _);
                }
                raw::FreeExecutorState(executor);
                raw::table_close(ledger, pg_sys::NoLock as _);
            });
        }
        self.values.delete();
    }
}

/// Within a guard.
unsafe fn insert_index_tuples(
    target: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    executor: *mut pg_sys::EState,
) {
    unsafe {
        #[cfg(feature = "pg15")]
        raw::ExecInsertIndexTuples(
            target,
            slot,
            executor,
            false,
            false,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        );
        #[cfg(not(feature = "pg15"))]
        raw::ExecInsertIndexTuples(
            target,
            slot,
            executor,
            false,
            false,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            false,
        );
    }
}
