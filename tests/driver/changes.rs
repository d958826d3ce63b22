//! Statements that change payments.

use rand::Rng;

use super::Driver;
use super::statements::{puts, values};
use super::tables::Role;
use crate::model::{Effect, PaymentId, Row};

impl Driver<'_> {
    pub(super) fn update_one(&mut self, session: usize, table: usize) {
        let Some((id, Some(old))) = self.some_payment(session, table) else {
            return;
        };
        let new = self.changed_row(&id, &old);
        let t = self.table(table);
        let changes = t.changes(&id.1, &old, &new);
        if changes.is_empty() {
            return;
        }
        let condition = t.where_keys([&id.1].into_iter());
        let sql = format!("UPDATE {} SET {changes} WHERE {condition}", t.name);
        self.run(session, &sql, vec![Effect::Put(id, new)]);
    }

    /// One statement that raises, lowers, moves, mends and spoils payments.
    pub(super) fn update_many(&mut self, session: usize, table: usize) {
        let rows: Vec<(String, Row)> = self
            .some_rows(session, table, 12)
            .into_iter()
            .map(|(key, row)| {
                let row = self.changed_row(&(table, key.clone()), &row);
                (key, row)
            })
            .collect();
        if rows.is_empty() {
            return;
        }
        let t = self.table(table);
        let sql = format!(
            "UPDATE {} AS t SET {} FROM (VALUES {}) AS v ({}) WHERE {}",
            t.name,
            t.assignments("v"),
            values(&t, &rows),
            t.names(""),
            t.same_key("t", "v")
        );
        self.run(session, &sql, puts(table, &rows));
    }

    /// Nothing that matters changes.
    pub(super) fn update_unmapped(&mut self, session: usize, table: usize) {
        let t = self.table(table);
        if !t.has(Role::Note) {
            return;
        }
        let rows = self.some_rows(session, table, 5);
        // A payment that waits for reconciliation might be posted by the touch or not.
        if rows.is_empty()
            || rows
                .iter()
                .any(|(key, _)| self.world.is_behind(&(table, key.clone())))
        {
            return;
        }
        let note = self.number();
        let condition = t.where_keys(rows.iter().map(|(key, _)| key));
        let sql = format!(
            "UPDATE {} SET note = 'note {note}' WHERE {condition}",
            t.name
        );
        // The rows stay as they are, and are locked all the same.
        self.run(session, &sql, puts(table, &rows));
    }

    pub(super) fn upsert(&mut self, session: usize, table: usize) {
        let rows = self.new_and_changed(session, table);
        let t = self.table(table);
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {} ON CONFLICT ({}) DO UPDATE SET {}",
            t.name,
            t.names(""),
            values(&t, &rows),
            t.key_names().join(", "),
            t.assignments("EXCLUDED")
        );
        self.run(session, &sql, puts(table, &rows));
    }

    /// Inserts, updates and deletes in one statement.
    pub(super) fn merge(&mut self, session: usize, table: usize) {
        let rows = self.new_and_changed(session, table);
        let t = self.table(table);
        let mut effects = Vec::new();
        let mut source = Vec::new();
        for (key, row) in &rows {
            let id = (table, key.clone());
            let delete = self.row(session, &id).is_some() && self.rng.random_range(0..3) == 0;
            source.push(format!("({}, {delete})", t.literals(key, row)));
            effects.push(if delete {
                Effect::Remove(id)
            } else {
                Effect::Put(id, row.clone())
            });
        }
        let sql = format!(
            "MERGE INTO {} AS t USING (VALUES {}) AS v ({}, gone) ON {}
             WHEN MATCHED AND v.gone THEN DELETE
             WHEN MATCHED THEN UPDATE SET {}
             WHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
            t.name,
            source.join(", "),
            t.names(""),
            t.same_key("t", "v"),
            t.assignments("v"),
            t.names(""),
            t.names("v.")
        );
        self.run(session, &sql, effects);
    }

    /// Some rows that exist, changed, and some that don't.
    fn new_and_changed(&mut self, session: usize, table: usize) -> Vec<(String, Row)> {
        let mut rows: Vec<(String, Row)> = self
            .some_rows(session, table, 3)
            .into_iter()
            .map(|(key, row)| {
                let row = self.changed_row(&(table, key.clone()), &row);
                (key, row)
            })
            .collect();
        for _ in 0..self.rng.random_range(1..3) {
            let key = self.new_key(table);
            let row = self.new_row(&(table, key.clone()));
            rows.push((key, row));
        }
        rows
    }

    /// A row after a change to one or more of its columns.
    fn changed_row(&mut self, id: &PaymentId, old: &Row) -> Row {
        let t = self.table(id.0);
        let mut row = Row {
            flaw: None,
            ..old.clone()
        };
        let closed = |driver: &Self, customer: &Option<String>| {
            customer
                .as_deref()
                .is_some_and(|customer| driver.is_closed(id.0, customer))
        };
        for _ in 0..self.rng.random_range(1..3) {
            match self.rng.random_range(0..8) {
                0..3 => row.amount = self.some_amount(),
                3 => row.currency = self.some_currency(id),
                4 => {
                    let customer = Some(self.some_customer(id.0));
                    // The rules are silent on payments that move to a closed affiliate.
                    if !closed(self, &customer) && !self.redated.contains(id) {
                        self.rehomed.insert(id.clone());
                        row.customer = customer;
                    }
                }
                5 if t.has(Role::Status) => row.counted = !row.counted,
                6 if t.has(Role::Refunded) => row.refunded = self.some_part(row.amount),
                7 if !self.rehomed.contains(id) => {
                    let customer = row.customer.clone().unwrap_or_default();
                    row.paid_at = self.some_time(id.0, &customer);
                    self.redated.insert(id.clone());
                }
                _ => row.amount = self.some_amount(),
            }
        }
        if self.rng.random_range(0..40) == 0 {
            row.flaw = self.some_flaw(id.0, &row);
        }
        row
    }
}
