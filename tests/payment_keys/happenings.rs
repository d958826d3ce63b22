//! What happens to payments.

use rand::Rng;

use crate::support::check::{Refusal, run, violations};
use crate::written::literal;
use crate::{Payment, Refunds, Table, Test};

impl Test {
    pub fn insert(&mut self, payment: usize, is_unseen: bool) {
        let Payment { table, amount, .. } = self.payments[payment];
        let spelling = self.respell(payment);
        let Table { name, key, .. } = &self.tables[table];
        let mut sql = format!(
            "INSERT INTO {name} VALUES ({}, 'bob', {amount})",
            key.typed_all(&spelling).join(", ")
        );
        if is_unseen {
            sql = format!(
                "SET session_replication_role = replica; {sql}; RESET session_replication_role"
            );
        }
        if self.does(payment, sql) {
            let payment = &mut self.payments[payment];
            (payment.has_row, payment.spelling) = (true, spelling);
        }
    }

    pub fn refund(&mut self, payment: usize) {
        let table = self.payments[payment].table;
        let spelling = self.respell(payment);
        let amount = self.rng.random_range(1..40);
        self.refunds += 1;
        let (
            number,
            Table {
                name, key, refunds, ..
            },
        ) = (self.refunds, &self.tables[table]);
        let sql = match refunds {
            Refunds::Recorded => format!(
                "SELECT affiliate_record_refund('{name}', {}, 'refund-{number}', {amount})",
                key.argument(&spelling)
            ),
            Refunds::InTexts => {
                let texts: Vec<String> = spelling.iter().map(|text| literal(text)).collect();
                format!(
                    "INSERT INTO {name}_refunds VALUES ({number}, {}, {amount})",
                    texts.join(", ")
                )
            }
            Refunds::InKind => format!(
                "INSERT INTO {name}_refunds VALUES ({number}, {}, {amount})",
                key.typed_all(&spelling).join(", ")
            ),
        };
        if self.does(payment, sql) {
            self.payments[payment].refunds.insert(number, amount);
        }
    }

    /// Back-fills a third of the tables, and reconciles all.
    pub fn repair(&mut self) {
        for table in self.tables.iter().step_by(3) {
            let sql = format!("SELECT affiliate_backfill('{}')", table.name);
            run(&mut self.client, &sql);
        }
        run(&mut self.client, "SELECT affiliate_reconcile()");
        let again = self
            .client
            .query_one("SELECT affiliate_reconcile()::text", &[])
            .expect("a reconciliation");
        let again: String = again.get(0);
        if again != "(0,0,0)" {
            let told = format!("a second reconciliation posted {again}");
            self.failures.entry("reconcile".to_owned()).or_insert(told);
        }
    }

    /// Something happens to a payment, by another spelling of its key.
    pub fn something(&mut self, payment: usize) {
        if self.payments[payment].failed {
            return;
        }
        let table = self.payments[payment].table;
        let old = self.payments[payment].spelling.clone();
        let new = self.respell(payment);
        let Table {
            name, key, refunds, ..
        } = &self.tables[table];
        let (name, key, refunds) = (name.clone(), *key, *refunds);
        let (is_old, is_new) = (key.where_is(&old), key.where_is(&new));
        let assignments: Vec<String> = key
            .typed_all(&new)
            .iter()
            .enumerate()
            .map(|(n, value)| format!("k{n} = {value}"))
            .collect();
        let assignments = assignments.join(", ");
        let refund = self.payments[payment].refunds.iter().next();
        let refund = refund.map(|(number, amount)| (*number, *amount));
        match (self.rng.random_range(0..10), refund) {
            (0..2, _) => self.refund(payment),
            (2..4, _) => {
                if self.does(
                    payment,
                    format!("UPDATE {name} SET {assignments} WHERE {is_old}"),
                ) {
                    self.payments[payment].spelling = new;
                }
            }
            (4, _) => {
                let amount = self.rng.random_range(50..500);
                let sql =
                    format!("UPDATE {name} SET {assignments}, amount = {amount} WHERE {is_old}");
                if self.does(payment, sql) {
                    self.payments[payment].spelling = new;
                    self.payments[payment].amount = amount;
                }
            }
            (5, _) => {
                let amount = self.rng.random_range(50..500);
                if self.does(
                    payment,
                    format!("UPDATE {name} SET amount = {amount} WHERE {is_new}"),
                ) {
                    self.payments[payment].amount = amount;
                }
            }
            (6, _) => {
                if self.does(payment, format!("DELETE FROM {name} WHERE {is_new}")) {
                    self.payments[payment].has_row = false;
                    self.payments[payment].is_new = true;
                    self.insert(payment, false);
                }
            }
            (7, _) => {
                self.does(
                    payment,
                    format!("BEGIN; SAVEPOINT s; UPDATE {name} SET {assignments} WHERE {is_old}; ROLLBACK TO s; COMMIT"),
                );
            }
            (8, Some((number, amount))) if refunds == Refunds::Recorded => {
                // a message that comes twice, and names the payment in another way
                let argument = key.argument(&new);
                self.does(
                    payment,
                    format!("SELECT affiliate_record_refund('{name}', {argument}, 'refund-{number}', {amount})"),
                );
            }
            (8, Some((number, _))) => {
                let values: Vec<String> = match refunds {
                    Refunds::InTexts => new.iter().map(|text| literal(text)).collect(),
                    _ => key.typed_all(&new),
                };
                let set = values
                    .iter()
                    .enumerate()
                    .map(|(n, value)| format!("k{n} = {value}"));
                let set = set.collect::<Vec<_>>().join(", ");
                self.does(
                    payment,
                    format!("UPDATE {name}_refunds SET {set} WHERE id = {number}"),
                );
            }
            (_, Some((number, _))) if refunds != Refunds::Recorded => {
                if self.does(
                    payment,
                    format!("DELETE FROM {name}_refunds WHERE id = {number}"),
                ) {
                    self.payments[payment].refunds.remove(&number);
                }
            }
            _ => self.refund(payment),
        }
    }

    /// Something happens to a payment that no trigger sees.
    pub fn something_unseen(&mut self, payment: usize) {
        if self.payments[payment].failed || self.rng.random_bool(0.5) {
            return;
        }
        let old = self.payments[payment].spelling.clone();
        let new = self.respell(payment);
        let amount = self.rng.random_range(50..500);
        let Table { name, key, .. } = &self.tables[self.payments[payment].table];
        let (is_old, values) = (key.where_is(&old), key.typed_all(&new));
        let comes_again = self.rng.random_bool(0.5);
        let sql = if comes_again {
            let values = values.join(", ");
            format!(
                "DELETE FROM {name} WHERE {is_old}; INSERT INTO {name} VALUES ({values}, 'bob', {amount})"
            )
        } else {
            let set: Vec<String> = values
                .iter()
                .enumerate()
                .map(|(n, value)| format!("k{n} = {value}"))
                .collect();
            format!(
                "UPDATE {name} SET {}, amount = {amount} WHERE {is_old}",
                set.join(", ")
            )
        };
        let sql = format!(
            "SET session_replication_role = replica; {sql}; RESET session_replication_role"
        );
        if self.does(payment, sql) {
            let payment = &mut self.payments[payment];
            payment.is_new |= comes_again;
            (payment.spelling, payment.amount) = (new, amount);
        }
    }

    /// Refunds of what no payment can have as its key are the host's, and concern nobody.
    pub fn refund_what_is_no_key(&mut self) {
        for table in &self.tables {
            if table.refunds != Refunds::InTexts {
                continue;
            }
            self.refunds += 1;
            let (name, number) = (&table.name, self.refunds);
            let columns = table
                .key
                .columns(|_, _| "'no key (\"of any\", kind'".to_owned());
            let sql = format!("INSERT INTO {name}_refunds VALUES ({number}, {columns}, 1)");
            if let Err(error) = self.client.batch_execute(&sql) {
                let told = format!("{sql}: {:?}", Refusal::of(&error));
                self.failures.entry(name.clone()).or_insert(told);
            }
        }
        let found = violations(&mut self.client);
        if found
            .iter()
            .any(|violation| !violation.check.contains("quarantine"))
        {
            let told = format!("after refunds of no payment: {found:#?}");
            self.failures.entry("verify".to_owned()).or_insert(told);
        }
    }
}
