//! A payment has one key, whatever type it is of and however it is written.
//!
//! For every kind of key, random payments are refunded, changed, re-keyed, deleted and explained
//! by random spellings of their keys that the server says are equal; each must have earned once,
//! less what was refunded. `AFFILIATE_SEED` replays a run.

#[path = "payment_keys/checks.rs"]
mod checks;
#[path = "payment_keys/happenings.rs"]
mod happenings;
#[path = "payment_keys/kinds.rs"]
mod kinds;
mod support;
#[path = "payment_keys/written.rs"]
mod written;

use std::collections::BTreeMap;
use std::io::Write;

use kinds::{COLLATIONS, Column, KEYS, Key, TYPES};
use postgres::Client;
use postgres::error::SqlState;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::Cluster;
use support::check::{Refusal, attribute, enroll, run};

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

impl Test {
    fn set_up(&mut self) -> String {
        run(&mut self.client, TYPES);
        let has_icu = match self.client.batch_execute(COLLATIONS) {
            Err(error) if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => false,
            made => made.map(|()| true).expect("the collations"),
        };
        // nothing may depend on the settings of whoever calls
        run(
            &mut self.client,
            "SET timezone = 'Asia/Kathmandu'; SET datestyle = 'SQL, DMY'; SET intervalstyle = 'iso_8601';
             SET bytea_output = 'escape'; SET extra_float_digits = 0;",
        );
        let code = enroll(&mut self.client, "alice", "default");
        attribute(&mut self.client, "bob", &code, "default");
        for key in KEYS {
            if key.needs_icu() && !has_icu {
                let name = key.name;
                writeln!(
                    std::io::stderr(),
                    "test payment_keys: {name} ... skipped, the server has no ICU"
                )
                .expect("stderr");
                continue;
            }
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
}
