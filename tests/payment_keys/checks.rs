//! What payments have earned, against what they are to earn.

use crate::support::check::{Refusal, violations};
use crate::support::figures;
use crate::support::money::{commission, minor};
use crate::{LATER_RATE, Payment, RATE, Table, Test};

impl Test {
    /// Every payment has earned what it is to earn, once, under the text of its key.
    pub fn check_payments(&mut self) {
        for payment in 0..self.payments.len() {
            if !self.payments[payment].failed {
                self.check_payment(payment);
            }
        }
        for table in 0..self.tables.len() {
            self.check_ledger(table);
        }
    }

    pub fn check_payment(&mut self, payment: usize) {
        let Payment {
            table,
            spelling,
            amount,
            refunds,
            is_new,
            ..
        } = &self.payments[payment];
        let (table, spelling) = (*table, spelling.clone());
        let refunded: i128 = refunds.values().sum();
        let net = (amount - refunded).max(0) * 100;
        let rates = if *is_new {
            &[RATE, LATER_RATE][..]
        } else {
            &[RATE]
        };
        let expected: Vec<i128> = rates.iter().map(|rate| commission(*rate, net)).collect();
        let asked = self.respell(payment);
        let Table {
            name, key, binding, ..
        } = &self.tables[table];
        let sql = format!(
            "SELECT key, (SELECT coalesce(sum(amount), 0)::text FROM affiliate.commission
                 WHERE binding_id = {binding} AND payment_key = key COLLATE \"C\"),
                 (SELECT count(*) FROM {name} WHERE {})
             FROM (SELECT {} AS key FROM {name} WHERE {} LIMIT 1) t",
            key.where_is(&spelling),
            // in the text that the ledger has, whatever the settings of the session
            key.text(),
            key.where_is(&spelling)
        );
        let mut transaction = self.client.transaction().expect("a transaction");
        let pinned = "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres';
             SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1";
        transaction.batch_execute(pinned).expect("settings");
        let row = transaction.query_opt(&sql, &[]);
        transaction.rollback().expect("the end");
        let row = match row {
            Ok(Some(row)) => row,
            other => return self.fails(payment, &format!("{sql}: {other:?}")),
        };
        let (text, posted): (String, String) = (row.get(0), row.get(1));
        let earned = minor(&posted, "USD");
        if !expected.contains(&earned) {
            let why = format!("{posted} posted under {text:?} instead of {expected:?} cents");
            return self.fails(payment, &why);
        }
        self.payments[payment].earned = earned;
        let Table { name, key, .. } = &self.tables[table];
        let sql = format!(
            "SELECT e ->> 'payment_key', e #>> '{{commission,target}}', e ->> 'reason'
             FROM affiliate_explain('{name}', {}) e",
            key.argument(&asked)
        );
        match self.client.query_one(&sql, &[]) {
            Ok(row) => {
                let said: (Option<String>, Option<String>) = (row.get(0), row.get(1));
                let target = said.1.as_deref().map(|target| minor(target, "USD"));
                if said.0.as_deref() != Some(&text) || target != Some(earned) {
                    let reason: Option<String> = row.get(2);
                    self.fails(
                        payment,
                        &format!("{sql}: {said:?}, {reason:?}; it is {text:?}, {earned} cents"),
                    );
                }
            }
            Err(error) => self.fails(payment, &format!("{sql}: {:?}", Refusal::of(&error))),
        }
    }

    /// There is one net commission for each row, and nothing else.
    pub fn check_ledger(&mut self, table: usize) {
        let Table { name, binding, .. } = &self.tables[table];
        let sql = format!(
            "SELECT (SELECT count(*) FROM {name}), count(*) FILTER (WHERE earned <> 0),
                 coalesce(string_agg(payment_key || ': ' || earned, ', '), '')
             FROM (SELECT payment_key, sum(amount) AS earned FROM affiliate.commission
                 WHERE binding_id = {binding} GROUP BY 1) c"
        );
        let row = self.client.query_one(&sql, &[]).expect("the ledger");
        let (rows, keys): (i64, i64) = (row.get(0), row.get(1));
        // a full refund leaves nothing of a payment
        if keys > rows {
            let told = format!(
                "{name}: {rows} payments, {keys} commissions: {}",
                row.get::<_, String>(2)
            );
            self.failures.entry(name.clone()).or_insert(told);
        }
    }

    pub fn check_verified(&mut self) {
        let found = violations(&mut self.client);
        if !found.is_empty() {
            let told = format!("{found:#?}");
            self.failures.entry("verify".to_owned()).or_insert(told);
        }
    }

    pub fn check_figures(&mut self, code: &str) {
        let (mut spent, mut earned) = (0, 0);
        for payment in &self.payments {
            if payment.has_row {
                let refunded: i128 = payment.refunds.values().sum();
                spent += (payment.amount - refunded).max(0) * 100;
                earned += payment.earned;
            }
        }
        let said = figures(&mut self.client, code);
        let said = said.get("USD").map(|said| (said.spent, said.commission));
        if said != Some((spent, earned)) {
            let told = format!("{said:?} instead of {:?}", (spent, earned));
            self.failures.entry("figures".to_owned()).or_insert(told);
        }
    }

    pub fn fail_if_anything_failed(&self) {
        let told: Vec<String> = self.failures.values().cloned().collect();
        assert!(
            told.is_empty(),
            "{} tables:\n{}",
            told.len(),
            told.join("\n\n")
        );
    }
}
