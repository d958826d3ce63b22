//! The short way of inserted rows: who referred the customer, what does the row earn, one entry.
//! That the payment has none yet is found out by adding it; if it has, or if the row earns nothing
//! by itself but may by terms that entries froze, the payment is settled.

use std::rc::Rc;

use pgrx::pg_sys;

use crate::bindings::binding::Binding;
use crate::bindings::row::Row;
use crate::ledger::payment_keys::key_fits;
use crate::ledger::reader::Reader;
use crate::ledger::writer::{Duplicates, Writer};
use crate::posting::payment::{Beside, Payment};
use crate::posting::quarantine;
use crate::posting::referrals::Referrals;
use crate::posting::refund_spellings;
use crate::posting::refunds::{self, Recorded};
use crate::posting::transaction;
use crate::rules::eligibility::{self, History, Verdict};
use crate::rules::fault::Defect;
use crate::rules::settlement::{self, Posting};
use crate::server::memory::Context;
use crate::server::rights::as_owner;

/// What became of a row.
pub enum Inserted {
    Nothing,
    Posted,
    Quarantined,
    /// There is something about this payment already: it is to be settled from its row, which
    /// has these key columns.
    NotNew(Vec<String>),
}

/// Posts rows, and opens what it needs for that when it needs it.
pub struct Inserts<'a> {
    binding: &'a Rc<Binding>,
    /// Where this was made: what it opens later must outlive the row at hand.
    home: Context,
    referrals: Referrals,
    reader: Option<Reader>,
    recorded: Option<Recorded>,
    writer: Option<Writer>,
}

impl<'a> Inserts<'a> {
    /// For about so many rows.
    pub fn new(binding: &'a Rc<Binding>, rows: i64) -> Self {
        Self {
            binding,
            home: Context::current(),
            referrals: Referrals::for_rows(binding, rows),
            reader: None,
            recorded: None,
            writer: None,
        }
    }

    /// # Safety
    /// The slot must hold a row of the table or partition that the binding was made for.
    pub unsafe fn add(&mut self, slot: *mut pg_sys::TupleTableSlot) -> Inserted {
        let row = unsafe { Row::new(self.binding, slot) };
        let Some(referral) = self.referrals.of_row(&row) else {
            return Inserted::Nothing;
        };
        let key = row.key();
        if !key_fits(&key) || self.is_known(&key, &row) {
            return Inserted::NotNew(row.key_columns());
        }
        let payment = Payment {
            binding: self.binding,
            row: &row,
            beside: Beside::Nothing,
        };
        let defect = match eligibility::judge(&payment, &referral, History::default()) {
            Verdict::Claim(claim) => match settlement::advance(&claim, None) {
                Ok(Some(posting)) => return self.post(&key, &posting),
                Ok(None) => None,
                Err(fault) => Some(fault.of(claim.amount.to_string())),
            },
            Verdict::Missing | Verdict::Unreferred | Verdict::Nothing(_) => None,
            Verdict::Faulty(defect) => Some(defect),
        };
        if self.has_entries(&key) {
            return Inserted::NotNew(row.key_columns());
        }
        match defect {
            Some(defect) => unsafe { self.quarantine(&key, &defect, slot) },
            None => Inserted::Nothing,
        }
    }

    fn has_entries(&mut self, key: &str) -> bool {
        let Self {
            home,
            reader,
            binding,
            ..
        } = self;
        reader
            .get_or_insert_with(|| home.with(Reader::open))
            .has_entries(binding.id, key)
    }

    /// Whether there is more to a payment than its inserted row and, maybe, entries.
    fn is_known(&mut self, key: &str, row: &Row) -> bool {
        let (binding, home) = (self.binding, &self.home);
        transaction::was_changed(binding.id, key)
            || binding.has_recorded_refunds
                && (self
                    .recorded
                    .get_or_insert_with(|| home.with(Recorded::open))
                    .has_any(binding.id, key)
                    || binding.has_many_spellings
                        && as_owner(|| refunds::adopt_waiting(binding, key, &row.key_columns())))
            || binding.refunds_table.as_ref().is_some_and(|table| {
                let has_refunds = || {
                    let spellings = refund_spellings::spellings(binding, row.key_columns());
                    table.has_refunds(&spellings)
                };
                as_owner(has_refunds)
            })
    }

    fn post(&mut self, key: &str, posting: &Posting) -> Inserted {
        const FIRST: i32 = 1;
        let writer = self
            .writer
            .get_or_insert_with(|| self.home.with(|| Writer::open(Duplicates::TakeBack)));
        writer.add(self.binding.id, key, FIRST, posting);
        Inserted::Posted
    }

    unsafe fn quarantine(
        &self,
        key: &str,
        defect: &Defect,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> Inserted {
        as_owner(|| unsafe {
            let json = quarantine::row_json(self.binding.table, slot);
            quarantine::put(self.binding, key, defect, json);
        });
        Inserted::Quarantined
    }

    /// Writes what is not written yet, and returns the key columns of payments that were counted
    /// as posted and had entries already.
    pub fn close(self) -> Vec<Vec<String>> {
        let taken_back = self.writer.map(Writer::close).unwrap_or_default();
        taken_back
            .iter()
            .filter_map(|key| self.binding.key_columns(key))
            .collect()
    }
}
