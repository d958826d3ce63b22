//! Statements that insert, delete and move payments, and those that fail.

use std::io::Write;

use rand::Rng;

use super::parts;
use super::tables::{CHARGE, INVOICE, METER, ORDER, OWN, SALE, TICKET, Table};
use super::{Driver, Scope};
use crate::model::{Effect, PaymentId, Row};
use crate::support::Refusal;

impl Driver<'_> {
    pub(super) fn payment_statement(&mut self, session: usize) {
        let tables: &[usize] = match self.scope {
            Scope::Everything => &[OWN, ORDER, CHARGE, INVOICE, SALE, TICKET, METER],
            Scope::Inserts => &[OWN, ORDER, CHARGE, INVOICE],
        };
        let table = tables[self.rng.random_range(0..tables.len())];
        let choice = match self.scope {
            Scope::Everything => self.rng.random_range(0..100),
            Scope::Inserts => self.rng.random_range(0..34),
        };
        match choice {
            0..30 => self.insert(session, table),
            30..32 => self.insert_nothing_on_conflict(session, table),
            32..34 => self.fail(session, table),
            34..52 => self.update_one(session, table),
            52..58 => self.update_many(session, table),
            58..64 => self.update_unmapped(session, table),
            64..72 => self.delete(session, table),
            72..77 => self.insert_again(session, table),
            77..81 => self.upsert(session, table),
            81..85 => self.merge(session, table),
            85 if parts::OTHER_SPELLINGS => self.respell_key(session),
            85..88 => self.change_key(session, table),
            88..91 => self.unseen(session, table),
            _ => self.refund(session, table),
        }
    }

    fn insert(&mut self, session: usize, table: usize) {
        let count = match self.rng.random_range(0..8) {
            0..5 => 1,
            5 | 6 => self.rng.random_range(2..6),
            _ => self.rng.random_range(6..40),
        };
        let rows: Vec<(String, Row)> = (0..count)
            .map(|_| {
                let key = self.new_key(table);
                let row = self.new_row(&(table, key.clone()));
                (key, row)
            })
            .collect();
        let t = self.table(table);
        let effects = puts(table, &rows);
        // A leaf of the partitioned table takes rows as well as the parent.
        let into = if table == SALE && rows.iter().all(|(key, _)| key.starts_with("north")) {
            "shop.sale_north"
        } else {
            t.name
        };
        match self.rng.random_range(0..4) {
            0 => {
                let sql = format!(
                    "INSERT INTO {into} ({}) SELECT * FROM (VALUES {}) AS v",
                    t.names(""),
                    values(&t, &rows)
                );
                self.run(session, &sql, effects);
            }
            1 => {
                let sql = format!("COPY {into} ({}) FROM STDIN", t.names(""));
                let data: String = rows
                    .iter()
                    .map(|(key, row)| t.copy_line(key, row))
                    .collect();
                self.trail.note(format!("{session}: {sql}\n{data}"));
                let client = &mut self.sessions[session].client;
                let mut writer = client
                    .copy_in(&sql)
                    .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
                writer
                    .write_all(data.as_bytes())
                    .unwrap_or_else(|e| panic!("{data}: {e:?}"));
                writer.finish().unwrap_or_else(|e| panic!("{data}: {e:?}"));
                self.remember(session, effects);
            }
            _ => {
                let sql = format!(
                    "INSERT INTO {into} ({}) VALUES {}",
                    t.names(""),
                    values(&t, &rows)
                );
                self.run(session, &sql, effects);
            }
        }
    }

    /// One row is there already and stays as it is, the other one is new.
    fn insert_nothing_on_conflict(&mut self, session: usize, table: usize) {
        let Some((id, Some(row))) = self.some_payment(session, table) else {
            return;
        };
        let t = self.table(table);
        let key = self.new_key(table);
        let new = self.new_row(&(table, key.clone()));
        let other = Row {
            amount: row.amount + 100,
            flaw: None,
            ..row
        };
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {} ON CONFLICT DO NOTHING",
            t.name,
            t.names(""),
            values(&t, &[(id.1, other), (key.clone(), new.clone())])
        );
        self.run(session, &sql, vec![Effect::Put((table, key), new)]);
    }

    /// A statement that fails on its second row leaves nothing of the first.
    fn fail(&mut self, session: usize, table: usize) {
        let Some((id, Some(row))) = self.some_payment(session, table) else {
            return;
        };
        let t = self.table(table);
        let key = self.new_key(table);
        let new = self.new_row(&(table, key.clone()));
        let rows = values(&t, &[(key, new), (id.1, row)]);
        let sql = format!("INSERT INTO {} ({}) VALUES {rows}", t.name, t.names(""));
        self.trail.note(format!("{session}: {sql}"));
        let within = self.sessions[session].open.is_some();
        let client = &mut self.sessions[session].client;
        if within {
            client
                .batch_execute("SAVEPOINT failure")
                .expect("a savepoint");
        }
        let error = client
            .batch_execute(&sql)
            .expect_err("a key that exists already");
        assert_eq!(Refusal::of(&error).sqlstate, "23505", "{sql}\n{error:?}");
        if within {
            let undo = "ROLLBACK TO SAVEPOINT failure; RELEASE SAVEPOINT failure";
            client.batch_execute(undo).expect("a rollback");
        }
    }

    fn delete(&mut self, session: usize, table: usize) {
        let most = if self.rng.random_range(0..4) == 0 {
            6
        } else {
            1
        };
        let rows = self.some_rows(session, table, most);
        if rows.is_empty() {
            return;
        }
        let t = self.table(table);
        let condition = t.where_keys(rows.iter().map(|(key, _)| key));
        let effects = rows
            .iter()
            .map(|(key, _)| Effect::Remove((table, key.clone())))
            .collect();
        self.run(
            session,
            &format!("DELETE FROM {} WHERE {condition}", t.name),
            effects,
        );
    }

    /// A key that was deleted, or rolled back, or known from a refund alone.
    fn insert_again(&mut self, session: usize, table: usize) {
        let Some((id, None)) = self.some_payment(session, table) else {
            return;
        };
        // A key that is written in another way than before the row was deleted is another text.
        if matches!(table, TICKET | METER)
            && self.committed(&id).is_some_and(|old| old.terms.is_some())
        {
            return;
        }
        let mut row = self.new_row(&id);
        // The rules are silent on payments that come back to a closed affiliate, or to another
        // customer at another date.
        let known = self
            .committed(&id)
            .and_then(|payment| payment.entries.last());
        if let Some(entry) = known {
            row.customer = Some(self.world.entries[*entry].customer.clone());
            self.redated.insert(id.clone());
        }
        if !self.is_free_of_own(session, &id)
            || self.rehomed.contains(&id)
            || row
                .customer
                .as_deref()
                .is_some_and(|customer| self.is_closed(table, customer))
        {
            return;
        }
        let t = self.table(table);
        let rows = [(id.1.clone(), row)];
        let sql = format!(
            "INSERT INTO {} ({}) VALUES {}",
            t.name,
            t.names(""),
            values(&t, &rows)
        );
        self.run(session, &sql, puts(table, &rows));
    }

    fn change_key(&mut self, session: usize, table: usize) {
        // Refunds in a table of the host's name the old key, and would have to change with it.
        if self.table(table).credits.is_some() {
            return;
        }
        let Some(id) = self.some_movable_payment(session, table) else {
            return;
        };
        let new = self.new_key(table);
        if let Some(currency) = self.fixed_currency.get(&id).copied() {
            self.fixed_currency.insert((table, new.clone()), currency);
        }
        for marks in [&mut self.redated, &mut self.rehomed] {
            if marks.contains(&id) {
                marks.insert((table, new.clone()));
            }
        }
        let t = self.table(table);
        let sql = format!(
            "UPDATE {} SET ({}) = ROW ({}) WHERE {}",
            t.name,
            t.key_names().join(", "),
            t.key_literals(&new),
            t.where_keys([&id.1].into_iter())
        );
        self.run(session, &sql, vec![Effect::Rekey(id, new)]);
    }

    /// A payment whose key may be changed.
    fn some_movable_payment(&mut self, session: usize, table: usize) -> Option<PaymentId> {
        let (id, Some(row)) = self.some_payment(session, table)? else {
            return None;
        };
        // The rules are silent on unusable rows. What moves while nobody looks is another payment.
        let is_movable = row.flaw.is_none()
            && !self.world.bindings[table].paused
            && !self.world.is_behind(&id)
            && self.is_free_of_own(session, &id);
        is_movable.then_some(id)
    }

    /// The key is written in another way, and goes on being the same key.
    fn respell_key(&mut self, session: usize) {
        let table = [TICKET, METER][self.rng.random_range(0..2)];
        let Some(id) = self.some_movable_payment(session, table) else {
            return;
        };
        let t = self.table(table);
        let sql = format!(
            "UPDATE {} SET ({}) = ROW ({}) WHERE {}",
            t.name,
            t.key_names().join(", "),
            t.key_literals(&id.1),
            t.where_keys([&id.1].into_iter())
        );
        self.run(session, &sql, vec![Effect::Respell(id)]);
    }

    /// A change that no trigger sees; only reconciliation finds it.
    fn unseen(&mut self, session: usize, table: usize) {
        if self.sessions[session].open.is_some() {
            return;
        }
        let t = self.table(table);
        let (sql, effect) = match self.rng.random_range(0..3) {
            0 => {
                let key = self.new_key(table);
                let id = (table, key.clone());
                let row = self.new_row(&id);
                let rows = [(key, row.clone())];
                let values = values(&t, &rows);
                (
                    format!("INSERT INTO {} ({}) VALUES {values}", t.name, t.names("")),
                    Effect::Put(id, row),
                )
            }
            1 => {
                let Some((id, Some(old))) = self.some_payment(session, table) else {
                    return;
                };
                let new = Row {
                    amount: self.some_amount(),
                    flaw: None,
                    ..old.clone()
                };
                let changes = t.changes(&id.1, &old, &new);
                if changes.is_empty() {
                    return;
                }
                let condition = t.where_keys([&id.1].into_iter());
                let sql = format!("UPDATE {} SET {changes} WHERE {condition}", t.name);
                (sql, Effect::Put(id, new))
            }
            _ => {
                let Some((id, Some(_))) = self.some_payment(session, table) else {
                    return;
                };
                let condition = t.where_keys([&id.1].into_iter());
                (
                    format!("DELETE FROM {} WHERE {condition}", t.name),
                    Effect::Remove(id),
                )
            }
        };
        let sql = format!(
            "SET session_replication_role = replica; {sql}; RESET session_replication_role"
        );
        self.trail.note(format!("{session}: {sql}"));
        let client = &mut self.sessions[session].client;
        client
            .batch_execute(&sql)
            .unwrap_or_else(|error| panic!("{sql}\n{error:?}"));
        self.happened(&[effect], false);
    }

    pub(super) fn is_free_of_own(&self, session: usize, id: &PaymentId) -> bool {
        self.sessions[session].open.iter().all(|open| {
            open.effects
                .iter()
                .all(|effect| !effect.payments().contains(id))
        })
    }
}

pub(super) fn puts(table: usize, rows: &[(String, Row)]) -> Vec<Effect> {
    rows.iter()
        .map(|(key, row)| Effect::Put((table, key.clone()), row.clone()))
        .collect()
}

pub(super) fn values(table: &Table, rows: &[(String, Row)]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|(key, row)| format!("({})", table.literals(key, row)))
        .collect();
    rows.join(", ")
}
