//! Many sessions at once: payments, payout runs and folds, in every isolation level.

#[path = "concurrency/changes_beside.rs"]
mod changes_beside;
#[path = "concurrency/payout_runs.rs"]
mod payout_runs;
#[path = "concurrency/snapshots.rs"]
mod snapshots;
mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use postgres::{Client, NoTls};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::check::{attribute, enroll, run, value};
use support::money::{DEFAULT_RATE, minor};
use support::{Cluster, Load, assert_earned, assert_verified, figures};

const DATABASE: &str = "shop";

/// The payments of customers whom somebody referred.
const PAYMENTS: &str = "SELECT amount::text, currency FROM affiliate.payment
     UNION ALL SELECT (cents / 100.0)::numeric(20,2)::text, 'USD' FROM host_payment
     WHERE customer <> 'nobody'";

/// One affiliate with the customers `user-0` to `user-39`, a host table, and a low minimum.
fn shop_with_one_affiliate(cluster: &Cluster) -> (Client, String) {
    let mut admin = cluster.database_with_affiliate(DATABASE);
    run(
        &mut admin,
        "SELECT affiliate_set_program('default', payout_threshold => 1);
         CREATE TABLE host_payment (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
             customer text, cents integer, paid_at timestamptz DEFAULT now());
         SELECT affiliate_attach_payments('host_payment', customer => 'customer',
             amount => 'cents', minor_units => true, currency_code => 'USD', paid_at => 'paid_at');",
    );
    let code = enroll(&mut admin, "partner", "default");
    for customer in 0..40 {
        attribute(&mut admin, &format!("user-{customer}"), &code, "default");
    }
    (admin, code)
}

/// Connects under a name by which `pg_stat_activity` shows it.
fn connect_named(cluster: &Cluster, name: &str) -> Client {
    cluster
        .config("postgres", DATABASE)
        .application_name(name)
        .connect(NoTls)
        .unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

fn pay_out_until_stopped(cluster: &Cluster, stop: &support::load::Stop) {
    let mut client = connect_named(cluster, "payouts");
    while !stop.requested() {
        run(
            &mut client,
            "CALL affiliate_run_payouts(through => current_date)",
        );
    }
}

fn fold_until_stopped(cluster: &Cluster, stop: &support::load::Stop) {
    let mut client = connect_named(cluster, "fold");
    while !stop.requested() {
        run(&mut client, "SELECT affiliate_maintain()");
    }
}

/// A statement that inserts one or more payments of random customers into one of the tables.
fn some_insert(rng: &mut ChaCha8Rng) -> String {
    let customer = rng.random_range(0..40);
    let cents = rng.random_range(1..50_000);
    match rng.random_range(0..3) {
        0 => format!(
            "INSERT INTO affiliate.payment (customer, amount) VALUES ('user-{customer}', {cents} / 100.0)"
        ),
        1 => format!(
            "INSERT INTO affiliate.payment (customer, amount, currency)
             SELECT 'user-' || n % 40, {cents} + n, CASE n % 3 WHEN 0 THEN 'JPY' ELSE 'USD' END
             FROM generate_series({customer}, {customer} + 20) AS n"
        ),
        _ => format!(
            "INSERT INTO host_payment (customer, cents) VALUES ('user-{customer}', {cents}),
                 ('nobody', 5), ('user-{}', 1)",
            (customer + 1) % 40
        ),
    }
}

/// Single statements, transactions, savepoints and rollbacks.
fn insert_for_a_while(client: &mut Client, seed: u64, rounds: usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..rounds {
        let first = some_insert(&mut rng);
        let second = some_insert(&mut rng);
        let sql = match rng.random_range(0..6) {
            0..3 => first,
            3 => format!("BEGIN; {first}; {second}; COMMIT"),
            4 => format!("BEGIN; {first}; SAVEPOINT s; {second}; ROLLBACK TO s; {second}; COMMIT"),
            _ => format!("BEGIN; {first}; {second}; ROLLBACK"),
        };
        run(client, &sql);
    }
}

#[test]
fn figures_are_exact_while_sessions_insert_pay_out_and_fold_at_once() {
    let cluster = Cluster::start();
    let (mut admin, code) = shop_with_one_affiliate(&cluster);
    let reads = AtomicUsize::new(0);
    let samples = AtomicUsize::new(0);

    Load::new()
        .with(|stop| pay_out_until_stopped(&cluster, stop))
        .with(|stop| pay_out_until_stopped(&cluster, stop))
        .with(|stop| fold_until_stopped(&cluster, stop))
        // No moment shows a figure that is not the sum of its parts, or one that shrinks: nothing
        // is ever refunded here.
        .with(|stop| {
            let mut client = connect_named(&cluster, "reader");
            let mut before: BTreeMap<String, i128> = BTreeMap::new();
            while !stop.requested() {
                for (currency, figures) in figures(&mut client, &code) {
                    figures.assert_balanced();
                    let last = before.insert(currency, figures.commission).unwrap_or(0);
                    assert!(
                        figures.commission >= last,
                        "{last} was seen before {figures:?}"
                    );
                }
                reads.fetch_add(1, Ordering::Relaxed);
            }
        })
        // Sessions that insert wait for nobody. Growing a file is the server's own business.
        .with(|stop| {
            let mut client = connect_named(&cluster, "sampler");
            let waiting = "SELECT l.locktype || ': ' || a.query
                 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
                 WHERE NOT l.granted AND l.locktype <> 'extend'
                   AND a.application_name = 'inserter'";
            while !stop.requested() {
                let found = client.query(waiting, &[]).expect("pg_locks");
                let found: Vec<String> = found.iter().map(|row| row.get(0)).collect();
                assert!(
                    found.is_empty(),
                    "sessions that insert wait for locks: {found:#?}"
                );
                samples.fetch_add(1, Ordering::Relaxed);
            }
        })
        .run(|_| {
            thread::scope(|scope| {
                for seed in 0..8 {
                    let cluster = &cluster;
                    scope.spawn(move || {
                        insert_for_a_while(&mut connect_named(cluster, "inserter"), seed, 250);
                    });
                }
            });
        });

    assert!(
        reads.into_inner() > 0 && samples.into_inner() > 0,
        "nobody watched"
    );
    assert_earned(&mut admin, &code, PAYMENTS, DEFAULT_RATE);
    assert_verified(&mut admin);
    run(&mut admin, "SELECT affiliate_maintain()");
    run(
        &mut admin,
        "CALL affiliate_run_payouts(through => current_date)",
    );
    assert_earned(&mut admin, &code, PAYMENTS, DEFAULT_RATE);
    assert_verified(&mut admin);
    for (currency, figures) in figures(&mut admin, &code) {
        let paid_out = value(
            &mut admin,
            &format!(
                "SELECT sum(amount) FROM affiliate_payouts('{code}') WHERE currency = '{currency}'"
            ),
        );
        assert_eq!(
            figures.processing,
            minor(&paid_out, &currency),
            "{currency} in payouts"
        );
    }
}

#[test]
fn payments_and_payout_runs_do_not_queue_behind_an_open_transaction() {
    let cluster = Cluster::start();
    let (mut admin, code) = shop_with_one_affiliate(&cluster);
    let insert = "INSERT INTO affiliate.payment (customer, amount) VALUES ('user-1', 20)";
    // The first payment ever of the affiliate and of the customer stays uncommitted meanwhile.
    let mut open = cluster.connect_to(DATABASE);
    run(&mut open, &format!("BEGIN; {insert}"));

    let mut other = cluster.connect_to(DATABASE);
    run(&mut other, "SET lock_timeout = '3s'");
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        run(
            &mut other,
            &format!("BEGIN ISOLATION LEVEL {isolation}; {insert}; {insert}; COMMIT"),
        );
    }
    run(
        &mut other,
        "CALL affiliate_run_payouts(through => current_date)",
    );
    let payouts = value(
        &mut other,
        &format!("SELECT count(*) FROM affiliate_payouts('{code}')"),
    );
    assert_eq!(payouts, "1", "what is committed is paid out");

    run(&mut open, "COMMIT");
    let figures = figures(&mut admin, &code)["USD"];
    assert_eq!(
        (figures.commission, figures.processing, figures.payable),
        (42_00, 36_00, 6_00)
    );
    assert_eq!(figures.conversions, 1);
    assert_verified(&mut admin);
}
