//! A payment has one key, whatever type it is of and however it is written.
//!
//! For every kind of key, random payments are refunded, changed, re-keyed, deleted and explained
//! by random spellings of their keys that the server says are equal; each must have earned once,
//! less what was refunded. `AFFILIATE_SEED` replays a run.

#[path = "payment_keys/kinds.rs"]
mod kinds;
mod support;

use std::collections::BTreeMap;
use std::io::Write;

use kinds::{Column, KEYS, Key, TYPES};
use postgres::Client;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::check::{Refusal, attribute, enroll, run, violations};
use support::money::{commission, minor};
use support::{Cluster, figures};

/// The rate of the first payments, and the one after them.
const RATE: i128 = 300_000;
const LATER_RATE: i128 = 700_000;
const PAYMENTS_PER_TABLE: usize = 4;

/// Where the refunds of a payments table are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refunds {
    Recorded,
    /// In an attached table that refers to payments by texts.
    InTexts,
    /// In one whose references are of the key's own types.
    InKind,
}

struct Table {
    name: String,
    key: &'static Key,
    refunds: Refunds,
    binding: i64,
}

struct Payment {
    table: usize,
    /// The key's columns, in one spelling.
    value: Vec<String>,
    /// As they are written in the row.
    spelling: Vec<String>,
    amount: i128,
    /// Refunds by number: what was refunded.
    refunds: BTreeMap<usize, i128>,
    has_row: bool,
    /// The row was deleted and came again, maybe with another text: then it is another payment,
    /// under today's terms.
    is_new: bool,
    /// What it has earned when that was last asked, in cents.
    earned: i128,
    /// Where it has gone wrong, what was done to it is told and it is left alone.
    failed: bool,
    trail: Vec<String>,
}

struct Test {
    client: Client,
    rng: ChaCha8Rng,
    tables: Vec<Table>,
    payments: Vec<Payment>,
    refunds: usize,
    /// By table, the first payment that went wrong.
    failures: BTreeMap<String, String>,
}

#[test]
fn a_payment_has_one_key_however_it_is_written() {
    let seed = match std::env::var("AFFILIATE_SEED") {
        Ok(text) => text.parse().expect("AFFILIATE_SEED is a number"),
        Err(_) => rand::random::<u32>().into(),
    };
    // past the test harness, so that it is seen even if the run hangs or is killed
    writeln!(std::io::stderr(), "AFFILIATE_SEED={seed}").expect("stderr");
    let cluster = Cluster::start();
    let client = cluster.database_with_affiliate("keys");
    let mut test = Test {
        client,
        rng: ChaCha8Rng::seed_from_u64(seed),
        tables: Vec::new(),
        payments: Vec::new(),
        refunds: 0,
        failures: BTreeMap::new(),
    };
    let code = test.set_up();
    test.make_payments();
    test.repair();
    test.check_payments();
    // what happens from now on happens to payments that have their terms already
    run(
        &mut test.client,
        "SELECT affiliate_set_program('default', rate => 0.7)",
    );
    for _ in 0..4 {
        for payment in 0..test.payments.len() {
            test.something(payment);
        }
    }
    test.check_payments();
    test.check_verified();
    test.repair();
    test.check_payments();
    test.check_verified();
    test.check_figures(&code);
    for payment in 0..test.payments.len() {
        test.something_unseen(payment);
    }
    test.repair();
    test.check_payments();
    test.check_verified();
    test.check_figures(&code);
    test.refund_what_is_no_key();
    test.check_payments();
    test.check_figures(&code);
    test.fail_if_anything_failed();
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A composite key as PostgreSQL reads a row.
fn row_text(columns: &[String]) -> String {
    let quoted = |text: &String| {
        let text = text.replace('\\', "\\\\").replace('"', "\"\"");
        format!("\"{text}\"")
    };
    format!(
        "({})",
        columns.iter().map(quoted).collect::<Vec<_>>().join(",")
    )
}

impl Key {
    /// The type of a column with the collation of its values, for an expression.
    fn typed(&self, column: usize, text: &str) -> String {
        let definition = self.columns[column].definition;
        let (type_name, collation) = match definition.split_once(" COLLATE ") {
            Some((type_name, collation)) => (type_name, format!(" COLLATE {collation}")),
            None => (definition, String::new()),
        };
        format!("(CAST({} AS {type_name}){collation})", literal(text))
    }

    fn typed_all(&self, spelling: &[String]) -> Vec<String> {
        let texts = spelling.iter().enumerate();
        texts.map(|(n, text)| self.typed(n, text)).collect()
    }

    fn where_is(&self, spelling: &[String]) -> String {
        let values = self.typed_all(spelling);
        let equal = values
            .iter()
            .enumerate()
            .map(|(n, value)| format!("k{n} = {value}"));
        equal.collect::<Vec<_>>().join(" AND ")
    }

    fn columns(&self, each: impl Fn(usize, &str) -> String) -> String {
        let columns = self.columns.iter().enumerate();
        let texts: Vec<String> = columns
            .map(|(n, column)| each(n, column.definition))
            .collect();
        texts.join(", ")
    }

    /// The text of the key of a row, as the ledger is to have it.
    fn text(&self) -> String {
        let column = |n: usize| {
            let is_padded = self.columns[n].definition.contains("char(")
                && !self.columns[n].definition.contains("varchar")
                || self.columns[n].definition == "some_padded";
            if is_padded {
                format!("k{n}::text")
            } else {
                format!("format('%s', k{n})")
            }
        };
        match self.columns.len() {
            1 => column(0),
            _ => format!("ROW({})::text", self.columns(|n, _| column(n))),
        }
    }

    /// The key as a caller passes it.
    fn argument(&self, spelling: &[String]) -> String {
        match spelling {
            [one] => literal(one),
            _ => literal(&row_text(spelling)),
        }
    }
}

impl Test {
    fn set_up(&mut self) -> String {
        run(&mut self.client, TYPES);
        // nothing may depend on the settings of whoever calls
        run(
            &mut self.client,
            "SET timezone = 'Asia/Kathmandu'; SET datestyle = 'SQL, DMY'; SET intervalstyle = 'iso_8601';
             SET bytea_output = 'escape'; SET extra_float_digits = 0;",
        );
        let code = enroll(&mut self.client, "alice", "default");
        attribute(&mut self.client, "bob", &code, "default");
        for key in KEYS {
            for refunds in [Refunds::Recorded, Refunds::InTexts, Refunds::InKind] {
                self.attach(key, refunds);
            }
        }
        code
    }

    fn attach(&mut self, key: &'static Key, refunds: Refunds) {
        let kind = match refunds {
            Refunds::Recorded => "recorded",
            Refunds::InTexts => "in_texts",
            Refunds::InKind => "in_kind",
        };
        let name = format!("{}_{kind}", key.name);
        let sql = format!(
            "CREATE TABLE {name} ({}, customer text, amount numeric, PRIMARY KEY ({}));
             SELECT affiliate_attach_payments('{name}', customer => 'customer', amount => 'amount');",
            key.columns(|n, definition| format!("k{n} {definition}")),
            key.columns(|n, _| format!("k{n}"))
        );
        run(&mut self.client, &sql);
        if refunds != Refunds::Recorded && !self.attach_refunds(&name, key, refunds) {
            return;
        }
        let binding: i32 = self
            .client
            .query_one(
                "SELECT id FROM affiliate.binding WHERE payments = $1::text::regclass",
                &[&name],
            )
            .expect("a binding")
            .get(0);
        self.tables.push(Table {
            name,
            key,
            refunds,
            binding: binding.into(),
        });
    }

    /// False if refunds of the table can't be texts: where equal keys have different texts, nothing
    /// but the type of the key tells which are equal.
    fn attach_refunds(&mut self, name: &str, key: &Key, refunds: Refunds) -> bool {
        let column = |n, definition: &str| match refunds {
            Refunds::InTexts => format!("k{n} text"),
            _ => format!("k{n} {definition}"),
        };
        let sql = format!(
            "CREATE TABLE {name}_refunds (id int PRIMARY KEY, {}, amount numeric);
             SELECT affiliate_attach_refunds('{name}_refunds', payments => '{name}',
                 payment_key => '{}', refund_key => 'id', amount => 'amount');",
            key.columns(column),
            key.columns(|n, _| format!("k{n}"))
        );
        let Err(error) = self.client.batch_execute(&sql) else {
            return true;
        };
        let refusal = Refusal::of(&error);
        let is_expected = refunds == Refunds::InTexts
            && refusal.sqlstate == "42804"
            && key.columns.iter().any(Column::may_have_many_texts);
        assert!(is_expected, "{sql}: {refusal:?}");
        false
    }

    /// Runs a statement about a payment; what fails is kept with all that was done before.
    fn does(&mut self, payment: usize, sql: String) -> bool {
        self.payments[payment].trail.push(format!("{sql};"));
        match self.client.batch_execute(&sql) {
            Ok(()) => true,
            Err(error) => {
                let refusal = Refusal::of(&error);
                self.fails(payment, &format!("{refusal:?}"));
                if sql.starts_with("BEGIN") {
                    run(&mut self.client, "ROLLBACK");
                }
                false
            }
        }
    }

    fn fails(&mut self, payment: usize, why: &str) {
        let (payment, client) = (&mut self.payments[payment], &mut self.client);
        payment.failed = true;
        let table = &self.tables[payment.table];
        let ledger: String = client
            .query_one(
                "SELECT coalesce(string_agg(format('%L #%s: %s x %s -> %s', payment_key, seq, rate, base, amount), E'\\n  '
                     ORDER BY posted_at, payment_key, seq), '')
                 FROM affiliate.commission WHERE binding_id::bigint = $1",
                &[&table.binding],
            )
            .map_or_else(|error| format!("{error:?}"), |row| row.get(0));
        let told = format!(
            "{}: {why}\n  {}\n  the ledger of the table:\n  {ledger}",
            table.name,
            payment.trail.join("\n  ")
        );
        self.failures.entry(table.name.clone()).or_insert(told);
    }

    /// A spelling of a payment's key that the server says is equal.
    fn respell(&mut self, payment: usize) -> Vec<String> {
        let Payment { table, value, .. } = &self.payments[payment];
        let key = self.tables[*table].key;
        let parts = value.iter().zip(key.columns).enumerate();
        parts
            .map(|(n, (text, column))| {
                let candidate = column.kind.respell(text, &mut self.rng);
                let sql = format!(
                    "SELECT {} = {}",
                    key.typed(n, text),
                    key.typed(n, &candidate)
                );
                let is_equal = self.client.query_one(&sql, &[]).is_ok_and(|row| row.get(0));
                if is_equal { candidate } else { text.clone() }
            })
            .collect()
    }

    fn make_payments(&mut self) {
        for table in 0..self.tables.len() {
            let key = self.tables[table].key;
            for n in 0..PAYMENTS_PER_TABLE {
                let n = n * 3 + table % 3;
                if key
                    .columns
                    .iter()
                    .any(|c| c.kind.values().is_some_and(|most| n >= most))
                {
                    continue;
                }
                let columns = key.columns.iter();
                let value: Vec<String> = columns.map(|c| c.kind.value(n, &mut self.rng)).collect();
                self.payments.push(Payment {
                    table,
                    spelling: value.clone(),
                    value,
                    amount: self.rng.random_range(50..500),
                    refunds: BTreeMap::new(),
                    has_row: false,
                    is_new: false,
                    earned: 0,
                    failed: false,
                    trail: Vec::new(),
                });
                let payment = self.payments.len() - 1;
                for _ in 0..self.rng.random_range(0..3) {
                    self.refund(payment);
                }
                let is_unseen = self.rng.random_bool(0.3);
                self.insert(payment, is_unseen);
                if self.rng.random_bool(0.5) {
                    self.refund(payment);
                }
            }
        }
    }

    fn insert(&mut self, payment: usize, is_unseen: bool) {
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

    fn refund(&mut self, payment: usize) {
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
    fn repair(&mut self) {
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
    fn something(&mut self, payment: usize) {
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
    fn something_unseen(&mut self, payment: usize) {
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

    /// Every payment has earned what it is to earn, once, under the text of its key.
    fn check_payments(&mut self) {
        for payment in 0..self.payments.len() {
            if !self.payments[payment].failed {
                self.check_payment(payment);
            }
        }
        for table in 0..self.tables.len() {
            self.check_ledger(table);
        }
    }

    fn check_payment(&mut self, payment: usize) {
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
    fn check_ledger(&mut self, table: usize) {
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

    /// Refunds of what no payment can have as its key are the host's, and concern nobody.
    fn refund_what_is_no_key(&mut self) {
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

    fn check_verified(&mut self) {
        let found = violations(&mut self.client);
        if !found.is_empty() {
            let told = format!("{found:#?}");
            self.failures.entry("verify".to_owned()).or_insert(told);
        }
    }

    fn check_figures(&mut self, code: &str) {
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

    fn fail_if_anything_failed(&self) {
        let told: Vec<String> = self.failures.values().cloned().collect();
        assert!(
            told.is_empty(),
            "{} tables:\n{}",
            told.len(),
            told.join("\n\n")
        );
    }
}
