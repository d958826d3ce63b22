//! Refunds and disputes.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::Driver;
use super::tables::Role;
use crate::model::{Effect, Money, PaymentId, RefundKind};
use crate::support::money::whole;

/// A table of refunds, and its columns that name the payment.
type Credits = (&'static str, &'static [&'static str]);

impl Driver<'_> {
    pub(super) fn refund(&mut self, session: usize, table: usize) {
        if let Some(credits) = self.table(table).credits {
            match self.rng.random_range(0..3) {
                0 | 1 => self.add_credit(session, table, credits),
                _ => self.change_credit(session, table, credits),
            }
        } else {
            match self.rng.random_range(0..8) {
                0 => self.record_again(session, table),
                1 => self.cancel(session, table),
                _ => self.record(session, table),
            }
        }
    }

    /// A payment to refund and how much of it: mostly one that is there, else one that was
    /// deleted or is still to come.
    fn something_to_refund(&mut self, session: usize, table: usize) -> Option<(PaymentId, Money)> {
        let found = match self.rng.random_range(0..8) {
            0 => None,
            _ => Some(self.some_payment(session, table)?),
        };
        let (id, row) = found.unwrap_or_else(|| ((table, self.new_key(table)), None));
        let (currency, amount) = match &row {
            Some(row) => (row.currency, self.some_part(row.amount).max(1)),
            None => {
                let currency = self.some_currency(&id);
                (currency, whole(self.rng.random_range(1..100), currency))
            }
        };
        // A deleted payment whose commission was kept is settled; the rules are silent on it.
        if self.world.bindings[table].keeps_deleted
            && row.is_none()
            && self.committed(&id).is_some()
        {
            return None;
        }
        self.fixed_currency.insert(id.clone(), currency);
        Some((id, amount))
    }

    fn record(&mut self, session: usize, table: usize) {
        let Some((id, amount)) = self.something_to_refund(session, table) else {
            return;
        };
        let kind = *self
            .table(table)
            .recorded
            .choose(&mut self.rng)
            .expect("a kind of refund");
        let key = format!("refund-{}", self.number());
        let sql = self.recording(&id, kind, &key, amount);
        self.run(
            session,
            &sql,
            vec![Effect::Refund(id.clone(), kind, key.clone(), amount)],
        );
        if !self.table(table).has(Role::Refunded) || self.any_open() {
            return;
        }
        // Its refunds are in the column already.
        let sql = self.recording(&id, RefundKind::Refund, &format!("{key}-column"), amount);
        self.refused(&sql);
    }

    /// A message that arrives twice changes nothing; one that contradicts the first is refused.
    fn record_again(&mut self, session: usize, table: usize) {
        let Some((id, _)) = self.some_payment(session, table) else {
            return;
        };
        let refunds = self.committed(&id).map(|payment| payment.refunds.clone());
        let Some(((kind, key), amount)) = refunds.and_then(|mut refunds| refunds.pop_first())
        else {
            return;
        };
        let again = self.recording(&id, kind, &key, amount);
        self.run(
            session,
            &again,
            vec![Effect::Refund(id.clone(), kind, key.clone(), amount)],
        );
        if !self.any_open() {
            let contradiction = self.recording(&id, kind, &key, amount + 1);
            self.refused(&contradiction);
        }
    }

    /// Takes a recorded refund back, mostly for the first time.
    fn cancel(&mut self, session: usize, table: usize) {
        let Some((id, _)) = self.some_payment(session, table) else {
            return;
        };
        let refunds = self.committed(&id).map(|payment| payment.refunds.clone());
        let refunds: Vec<_> = refunds.into_iter().flatten().collect();
        let Some(((kind, key), _)) = refunds.choose(&mut self.rng).cloned() else {
            return;
        };
        let sql = format!(
            "SELECT affiliate_cancel_refund('{}', '{key}', kind => '{}', reason => 'failed')",
            self.table(table).name,
            name(kind)
        );
        self.run(session, &sql, vec![Effect::Cancel(id, kind, key)]);
    }

    fn recording(&self, id: &PaymentId, kind: RefundKind, key: &str, amount: Money) -> String {
        let table = self.table(id.0);
        let kind = name(kind);
        let currency = self.fixed_currency[id];
        format!(
            "SELECT affiliate_record_refund('{}', '{}', '{key}', {}, kind => '{kind}')",
            table.name,
            table.key_text(&id.1),
            table.money(amount, currency)
        )
    }

    fn add_credit(&mut self, session: usize, table: usize, credits: Credits) {
        let Some((id, amount)) = self.something_to_refund(session, table) else {
            return;
        };
        let key = format!("credit-{}", self.number());
        let sql = format!(
            "INSERT INTO {} ({}, id, amount) VALUES ({}, '{key}', {amount})",
            credits.0,
            credits.1.join(", "),
            self.table(table).key_texts(&id.1)
        );
        self.run(session, &sql, vec![Effect::Credit(id, key, Some(amount))]);
    }

    /// Corrects a credit note, takes it back, or books it on another invoice.
    fn change_credit(&mut self, session: usize, table: usize, of: Credits) {
        let Some((id, Some(row))) = self.some_payment(session, table) else {
            return;
        };
        let credits = self.committed(&id).map(|payment| payment.credits.clone());
        let Some((key, old)) = credits.and_then(|mut credits| credits.pop_last()) else {
            return;
        };
        if !self.is_free_of_own(session, &id) {
            return;
        }
        let (sql, effects) = match self.rng.random_range(0..3) {
            0 => {
                let amount = self.some_part(row.amount).max(1);
                (
                    format!("UPDATE {} SET amount = {amount} WHERE id = '{key}'", of.0),
                    vec![Effect::Credit(id, key, Some(amount))],
                )
            }
            1 => (
                format!("DELETE FROM {} WHERE id = '{key}'", of.0),
                vec![Effect::Credit(id, key, None)],
            ),
            _ => {
                let Some((other, Some(_))) = self.some_payment(session, table) else {
                    return;
                };
                let sql = format!(
                    "UPDATE {} SET ({}) = ROW ({}) WHERE id = '{key}'",
                    of.0,
                    of.1.join(", "),
                    self.table(table).key_texts(&other.1)
                );
                let effects = vec![
                    Effect::Credit(id, key.clone(), None),
                    Effect::Credit(other, key, Some(old)),
                ];
                (sql, effects)
            }
        };
        self.run(session, &sql, effects);
    }
}

fn name(kind: RefundKind) -> &'static str {
    match kind {
        RefundKind::Refund => "refund",
        RefundKind::Dispute => "dispute",
        RefundKind::DisputeWon => "dispute_won",
    }
}
