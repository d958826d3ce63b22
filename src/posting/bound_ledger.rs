//! What the ledger says of the payments of one table, and how it goes along when the key of a
//! payment becomes another one.

use std::rc::Rc;

use rust_decimal::Decimal;

use crate::bindings::binding::Binding;
use crate::ledger::payment_keys::key_fits;
use crate::ledger::reader::{Entries, Reader};
use crate::ledger::writer::{Duplicates, Writer};
use crate::posting::quarantine;
use crate::posting::refund_spellings;
use crate::posting::refunds;
use crate::rules::settlement::{self, Posting};

pub struct BoundLedger {
    binding: Rc<Binding>,
    reader: Reader,
}

impl BoundLedger {
    pub fn open(binding: Rc<Binding>) -> Self {
        Self {
            binding,
            reader: Reader::open(),
        }
    }

    /// The entries of a payment.
    pub fn entries(&mut self, key: &str) -> Entries {
        self.reader.entries(self.binding.id, key)
    }

    /// Adds entries to those that a payment has.
    pub fn write(&self, key: &str, last_seq: i32, postings: &[Posting]) {
        if postings.is_empty() {
            return;
        }
        let mut writer = Writer::open(Duplicates::Fail);
        for (seq, posting) in (last_seq + 1..).zip(postings) {
            writer.add(self.binding.id, key, seq, posting);
        }
        writer.close();
    }

    /// Takes what is known of a payment under one spelling of its key along to the one that its
    /// row has. Returns whether there are entries of other terms, so that the payment is to be
    /// settled under them.
    pub fn follow_spelling(&mut self, from: &str, to: &str) -> bool {
        if self.binding.has_recorded_refunds {
            refunds::move_recorded(self.binding.id, &[(from.to_owned(), to.to_owned())]);
        }
        refund_spellings::respell(&self.binding, from, to);
        quarantine::respell(&self.binding, from, to);
        let (before, there) = (self.entries(from), self.entries(to));
        let Some(terms) = before.terms else {
            return false;
        };
        let Ok(reversals) = settlement::reversals(&before.standings) else {
            return false;
        };
        self.write(from, before.last_seq, &reversals);
        // it may have had this spelling before
        let is_new = there.last_seq == 0;
        let has_these_terms = there.terms == Some(terms) && !there.come_to_something();
        if is_new || has_these_terms {
            let mut restored = settlement::restored(&before.standings, before.refunded);
            restored.retain(|p| is_new || !p.amount.is_zero() || !p.base.is_zero());
            self.write(to, there.last_seq, &restored);
        }
        !is_new && !has_these_terms
    }

    /// Freezes the terms of a payment under the key that it has moved to, if it earns nothing
    /// there for now: an entry of nothing keeps them.
    pub fn keep_terms(&mut self, key_columns: &[String], before: &Entries) {
        let key = self.binding.key_text(key_columns.to_vec());
        let Some(standing) = before.standings.last() else {
            return;
        };
        if !key_fits(&key) || self.entries(&key).last_seq > 0 {
            return;
        }
        let nothing = Posting {
            account: standing.account,
            currency: standing.currency,
            base: Decimal::ZERO,
            refunded: Decimal::ZERO,
            base_before: Decimal::ZERO,
            posted_before: Decimal::ZERO,
            amount: Decimal::new(0, standing.currency.minor_digits()),
            terms: standing.terms,
        };
        self.write(&key, 0, &[nothing]);
    }
}
