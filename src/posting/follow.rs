//! Keys that a payment has, had, or is asked for by: what is known under one goes along to another.

use std::rc::Rc;

use rust_decimal::Decimal;

use crate::bindings::refunds_table::RefundsTable;
use crate::bindings::spelling;
use crate::ledger::payment_keys::key_fits;
use crate::ledger::reader::Entries;
use crate::posting::quarantine;
use crate::posting::refund_spellings;
use crate::posting::refunds;
use crate::posting::row::Row;
use crate::posting::settle::{Asked, Effect, Options, Settler};
use crate::rules::settlement::{self, Posting};

impl Settler {
    /// Settles the payment that a refund of an attached table names, in whatever spelling. One that
    /// is not there is nothing to wait for: its refunds are looked up when it comes.
    pub fn settle_refunded(&mut self, refunds: &RefundsTable, asked: &[String]) -> Effect {
        let binding = Rc::clone(&self.binding);
        if !refunds.spells_like(&binding.columns.key) {
            // what is no value of the key's type names no payment
            let Some(own) = self.find(asked) else {
                return Effect::default();
            };
            if own != asked {
                let (own, asked) = (binding.key_text(own), binding.key_text(asked.to_vec()));
                refund_spellings::remember_spelling(&binding, &own, &asked);
            }
        }
        let lock = Options {
            lock: true,
            ..Options::default()
        };
        self.settle(asked, lock)
    }

    /// The texts that the key columns of a payment have in its row, or would have if there was
    /// one; `None` if what is asked for is no key.
    pub fn find(&mut self, asked: &[String]) -> Option<Vec<String>> {
        let mut own = spelling::canonical(self.binding.table, &self.binding.columns.key, asked)?;
        self.read_row(Asked::ByText(asked), false, |settler, slot| {
            // SAFETY: the slot holds a row of the bound table
            own = unsafe { Row::new(&settler.binding, slot) }.key_columns();
        });
        Some(own)
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
