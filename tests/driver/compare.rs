//! The database against the model.

use std::collections::BTreeMap;
use std::rc::Rc;

use postgres::Client;
use rand::Rng;

use super::tables::Table;
use super::{Driver, Scope};
use crate::model::payouts::Counts;
use crate::model::{World, civil};
use crate::support::check::{all_figures, violations};
use crate::support::money::{decimal, minor};
use crate::support::{Figures, figures};

impl Driver<'_> {
    /// Compares everything, and makes good what no trigger saw.
    pub fn check(&mut self) {
        self.settle();
        self.compare_figures();
        self.compare_payouts();
        self.compare_marks();
        if self.world.bindings.iter().any(|binding| binding.paused) {
            self.compare_paused();
            self.resume_all();
            self.compare_figures();
        }
        if self.scope == Scope::Everything {
            let behind = self
                .world
                .payments
                .keys()
                .any(|id| self.world.is_behind(id));
            let found = violations(&mut self.admin);
            let seen = found
                .iter()
                .any(|violation| !violation.check.contains("quarantine"));
            assert_eq!(
                behind, seen,
                "affiliate_verify() must tell what is missing: {found:#?}"
            );
            self.reconcile();
            self.compare_figures();
            self.compare_days();
        }
        self.compare_quarantine();
        if self.scope == Scope::Everything {
            // Nothing is missing now, and so nothing is posted.
            self.reconcile();
        }
    }

    /// Posts what is missing, here and there, and compares what both say they did.
    pub(super) fn reconcile(&mut self) {
        self.trail.note(String::from("admin: reconcile"));
        let row = self
            .admin
            .query_one(
                "SELECT posted::bigint, reversed::bigint, quarantined::bigint
                 FROM affiliate_reconcile()",
                &[],
            )
            .unwrap_or_else(|error| panic!("affiliate_reconcile(): {error:?}"));
        let said = Counts {
            posted: row.get(0),
            reversed: row.get(1),
            quarantined: row.get(2),
        };
        let expected = self.world.reconcile();
        if said != expected {
            print_differing_payments(&mut self.admin, &self.world, &self.tables);
        }
        assert_eq!(said, expected, "affiliate_reconcile() against the model");
    }

    fn compare_figures(&mut self) {
        let database = all_figures(&mut self.admin);
        if database != self.world.figures() {
            print_differing_payments(&mut self.admin, &self.world, &self.tables);
        }
        assert_same(&database, &self.world.figures());
    }

    /// What was earned for each day on which payments were made, by affiliate and currency.
    fn compare_days(&mut self) {
        let mut expected: BTreeMap<(String, String, i64), i128> = BTreeMap::new();
        for entry in &self.world.entries {
            let code = self.world.affiliates[entry.affiliate].code.clone();
            let key = (code, entry.currency.to_owned(), entry.paid_on);
            *expected.entry(key).or_default() += entry.amount;
        }
        expected.retain(|_, amount| *amount != 0);
        const DAYS: &str = "
            SELECT a.code, c.currency, (c.paid_on - date '1970-01-01')::bigint, sum(c.amount)::text
            FROM affiliate.commission c JOIN affiliate.affiliate a ON a.id = c.affiliate_id
            GROUP BY a.code, c.currency, c.paid_on HAVING sum(c.amount) <> 0";
        let rows = self.admin.query(DAYS, &[]).expect("days of payments");
        let database: BTreeMap<(String, String, i64), i128> = rows
            .iter()
            .map(|row| {
                let currency: String = row.get(1);
                let amount = minor(row.get(3), &currency);
                ((row.get(0), currency, row.get(2)), amount)
            })
            .collect();
        assert_eq!(database, expected, "what was earned by day of payment");
    }

    /// The figures as a transaction sees them that has not committed what it did.
    pub(super) fn compare_within(&mut self, session: usize) {
        let Some(open) = &self.sessions[session].open else {
            return;
        };
        if open.snapshot.is_some() {
            return;
        }
        let mut world = self.world.clone();
        for effect in &open.effects {
            world.apply(effect, true);
        }
        let client = &mut self.sessions[session].client;
        let database = all_figures(client);
        if database != world.figures() {
            print_differing_payments(client, &world, &self.tables);
        }
        assert_same(&database, &world.figures());
        let code = &self.world.affiliates[0].code;
        let one: BTreeMap<(String, String), Figures> = figures(client, code)
            .into_iter()
            .map(|(currency, figures)| ((code.clone(), currency), figures))
            .collect();
        let mut expected = world.figures();
        expected.retain(|(other, _), _| other == code);
        assert_same(&one, &expected);
    }

    /// What is paused is told, and passed over by a reconciliation.
    fn compare_paused(&mut self) {
        let paused = self.world.bindings.iter().filter(|binding| binding.paused);
        let paused = i64::try_from(paused.count()).expect("a small number");
        let sql = "SELECT count(DISTINCT binding_id) FROM affiliate.binding_health WHERE problem LIKE 'paused by %'";
        let told: i64 = self.admin.query_one(sql, &[]).expect("health").get(0);
        assert_eq!(
            told, paused,
            "affiliate.binding_health tells what is paused"
        );
        let found = violations(&mut self.admin);
        let is_told = found
            .iter()
            .any(|violation| violation.check == "triggers_in_place");
        assert!(
            is_told,
            "affiliate_verify() tells that something is paused: {found:#?}"
        );
        if self.rng.random_bool(0.5) {
            self.reconcile();
        }
    }

    /// Every payout of every affiliate, with its number, period, amount and status.
    fn compare_payouts(&mut self) {
        let mut expected = BTreeMap::new();
        for payout in &self.world.payouts {
            let (year, month, _) = civil(payout.through);
            let text = format!(
                "{} {} for {year:04}-{month:02}, {}, {}",
                decimal(payout.amount, payout.currency),
                payout.currency,
                payout.status.name(),
                self.world.affiliates[payout.affiliate].code
            );
            expected.insert(payout.id.expect("a known payout"), text);
        }
        let mut database = BTreeMap::new();
        for affiliate in &self.world.affiliates {
            let rows = self
                .admin
                .query(
                    "SELECT payout_id::bigint, amount::text, currency, period, status
                     FROM affiliate_payouts($1)",
                    &[&affiliate.code],
                )
                .unwrap_or_else(|error| panic!("affiliate_payouts: {error:?}"));
            for row in rows {
                let currency: String = row.get(2);
                let text = format!(
                    "{} {currency} for {}, {}, {}",
                    decimal(minor(row.get(1), &currency), &currency),
                    row.get::<_, String>(3),
                    row.get::<_, String>(4),
                    affiliate.code
                );
                let twice = database.insert(row.get::<_, i64>(0), text);
                assert!(twice.is_none(), "a payout of two affiliates: {twice:?}");
            }
        }
        assert_eq!(
            database, expected,
            "payouts: the database against the model"
        );
    }

    /// Nothing is wrong but what the model knows to be in quarantine.
    fn compare_quarantine(&mut self) {
        let expected = self.world.open_quarantine();
        let found = violations(&mut self.admin);
        let as_expected = match found.as_slice() {
            [] => expected == 0,
            [one] => one.check.contains("quarantine") && usize::try_from(one.count) == Ok(expected),
            _ => false,
        };
        let payments = self.world.payments.iter();
        let quarantined: Vec<_> = payments
            .filter(|(_, payment)| payment.quarantined)
            .collect();
        assert!(
            as_expected,
            "{expected} rows are in quarantine: {quarantined:#?}; verify says {found:#?}"
        );
    }

    /// What no run would read again is in a live payout.
    fn compare_marks(&mut self) {
        let passed = "
            SELECT count(*) FROM affiliate.payout_mark AS k
                JOIN affiliate.commission AS c ON c.affiliate_id = k.affiliate_id AND c.epoch <= k.epoch
            WHERE NOT EXISTS (SELECT FROM affiliate.payout_entry AS l
                WHERE (l.binding_id, l.payment_key, l.seq) = (c.binding_id, c.payment_key, c.seq) AND l.live)";
        let passed: i64 = self.admin.query_one(passed, &[]).expect("marks").get(0);
        assert_eq!(passed, 0, "open entries before the mark of their affiliate");
    }

    /// Finds out the numbers of payouts that a run has just made.
    pub(super) fn learn_payouts(&mut self, made: &[usize]) {
        for number in made {
            let payout = &self.world.payouts[*number];
            let known: Vec<i64> = self
                .world
                .payouts
                .iter()
                .filter_map(|payout| payout.id)
                .collect();
            let code = &self.world.affiliates[payout.affiliate].code;
            let rows = self
                .admin
                .query(
                    "SELECT payout_id::bigint FROM affiliate_payouts($1)
                     WHERE currency = $2 AND payout_id <> ALL ($3)",
                    &[code, &payout.currency, &known],
                )
                .unwrap_or_else(|error| panic!("affiliate_payouts: {error:?}"));
            assert_eq!(rows.len(), 1, "one new payout is expected: {payout:?}");
            self.world.payouts[*number].id = Some(rows[0].get(0));
        }
    }
}

fn assert_same(
    database: &BTreeMap<(String, String), Figures>,
    model: &BTreeMap<(String, String), Figures>,
) {
    let mut differences = Vec::new();
    for key in database
        .keys()
        .chain(model.keys().filter(|key| !database.contains_key(*key)))
    {
        if database.get(key) != model.get(key) {
            differences.push(format!(
                "{key:?}\n  database: {:?}\n  model:    {:?}",
                database.get(key),
                model.get(key)
            ));
        }
    }
    assert!(
        differences.is_empty(),
        "figures differ:\n{}",
        differences.join("\n")
    );
}

/// The same text for all spellings of a key.
fn one_spelling(key: &str) -> String {
    let key = key.to_lowercase().replace('"', "");
    if key.contains('.') {
        key.trim_end_matches('0').to_owned()
    } else {
        key
    }
}

/// Which payments differ: sums of their entries on both sides, and the rows behind them.
fn print_differing_payments(client: &mut Client, world: &World, tables: &[Rc<Table>]) {
    /// What has entries: table, payment, customer and currency; and the sums of amount and base.
    type Sums = BTreeMap<[String; 4], (i128, i128)>;
    let mut database = Sums::new();
    let sql = "SELECT b.table_name, c.payment_key, r.customer, c.currency, sum(c.amount)::text,
                   sum(c.base - c.base_before)::text
               FROM affiliate.commission AS c JOIN affiliate.binding AS b ON b.id = c.binding_id
               JOIN affiliate.referral AS r ON r.id = c.referral_id
               GROUP BY 1, 2, 3, 4";
    for row in &client.query(sql, &[]).expect("the ledger") {
        let mut id: [String; 4] = [0, 1, 2, 3].map(|column| row.get(column));
        id[1] = one_spelling(&id[1]);
        let sums = database.entry(id.clone()).or_default();
        sums.0 += minor(row.get(4), &id[3]);
        sums.1 += minor(row.get(5), &id[3]);
    }
    let mut model = Sums::new();
    for ((table, key), payment) in &world.payments {
        let key = match key.split_once(',') {
            Some(_) => one_spelling(&format!("({key})")),
            None => one_spelling(key),
        };
        for entry in payment.entries.iter().map(|index| &world.entries[*index]) {
            let id = [tables[*table].name, &key, &entry.customer, entry.currency];
            let sums = model.entry(id.map(str::to_owned)).or_default();
            sums.0 += entry.amount;
            sums.1 += entry.base;
        }
    }
    for id in database
        .keys()
        .chain(model.keys().filter(|id| !database.contains_key(*id)))
    {
        if database.get(id) != model.get(id) {
            let (theirs, ours) = (database.get(id), model.get(id));
            eprintln!("{id:?}: sums of amount and base are {theirs:?}, should be {ours:?}");
            let entries = "
                SELECT format('%s %L #%s: %s x %s, %s refunded: %s', posted_at, payment_key, seq, rate, base, refunded, amount)
                FROM affiliate.commission WHERE lower(payment_key) = $1 ORDER BY posted_at, payment_key, seq";
            for entry in &client.query(entries, &[&id[1]]).expect("entries") {
                eprintln!("  {}", entry.get::<_, String>(0));
            }
        }
    }
}
