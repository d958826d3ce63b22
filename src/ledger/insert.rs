//! The short way of inserted rows: who referred the customer, is there anything about this
//! payment yet, what does the row earn, one entry.

use std::rc::Rc;

use pgrx::pg_sys;

use super::binding::Binding;
use super::book::{Reader, Terms, Writer};
use super::quarantine;
use super::referrals::Referrals;
use super::refunds::Recorded;
use super::row::{self, Judgement, Refunds, Row};
use super::within;
use crate::domain::fault::Fault;
use crate::domain::settlement::{self, Posting};
use crate::pg::memory::Context;
use crate::pg::probe::Lock;
use crate::pg::rights::as_owner;

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
    pub fn new(binding: &'a Rc<Binding>) -> Self {
        Self {
            binding,
            home: Context::current(),
            referrals: Referrals::of(binding),
            reader: None,
            recorded: None,
            writer: None,
        }
    }

    /// # Safety
    /// The slot must hold a row of the table or partition that the binding was made for.
    pub unsafe fn add(&mut self, slot: *mut pg_sys::TupleTableSlot) -> Inserted {
        let row = unsafe { Row::new(self.binding, slot) };
        let referral = row
            .customer()
            .and_then(|customer| self.referrals.find(&customer));
        let Some(referral) = referral else {
            return Inserted::Nothing;
        };
        let key_columns = row.key_columns();
        let key = self.binding.key_text(key_columns.clone());
        if !row::key_fits(&key) || self.is_known(&key, &key_columns) {
            return Inserted::NotNew(key_columns);
        }
        match row.judge(&referral, None, false, Refunds::None) {
            Judgement::Nothing(_) => Inserted::Nothing,
            Judgement::Claim(claim, terms) => match settlement::advance(&claim, terms.rate, None) {
                Ok(Some(posting)) => self.post(&key, terms, &posting),
                Ok(None) => Inserted::Nothing,
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
    fn is_known(&mut self, key: &str, key_columns: &[String]) -> bool {
        let (id, home) = (self.binding.id, &self.home);
        within::was_changed(id, key)
            || self
                .reader
                .get_or_insert_with(|| home.with(|| Reader::open(Lock::Write)))
                .has_entries(id, key)
            || self.binding.has_recorded_refunds
                && self
                    .recorded
                    .get_or_insert_with(|| home.with(Recorded::open))
                    .of_payment(id, key)
                    .is_some()
            || self
                .binding
                .refunds_table
                .as_ref()
                .is_some_and(|table| as_owner(|| table.has_refunds(key_columns)))
    }

    fn post(&mut self, key: &str, terms: Terms, posting: &Posting) -> Inserted {
        const FIRST: i32 = 1;
        let writer = self
            .writer
            .get_or_insert_with(|| self.home.with(Writer::open));
        writer.add(self.binding.id, key, FIRST, terms, posting);
        Inserted::Posted
    }

    unsafe fn quarantine(
        &self,
        key: &str,
        fault: Fault,
        detail: &str,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> Inserted {
        as_owner(|| unsafe {
            let json = quarantine::row_json(slot);
            quarantine::put(self.binding, key, fault, detail, json);
        });
        Inserted::Quarantined
    }

    /// Writes what is not written yet.
    pub fn close(self) {
        if let Some(writer) = self.writer {
            writer.close();
        }
    }
}
