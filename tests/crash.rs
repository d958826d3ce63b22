//! The server is killed under load, again and again; the ledger is right after each recovery.

mod support;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use postgres::{Client, Error};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::check::{attribute, enroll, run};
use support::load::Stop;
use support::money::{DEFAULT_RATE, commission, minor};
use support::{Cluster, Load, assert_earned, assert_verified};

const DATABASE: &str = "shop";
const ROUNDS: u64 = 20;
const WRITERS: u64 = 4;

/// Customers of three affiliates, and of nobody.
const CUSTOMERS: u64 = 40;

/// What a client knows of a payment: its key, and cents once its commit was acknowledged.
type Acknowledged = Mutex<BTreeMap<i64, i128>>;

/// Inserts payments, each under a key of its own, until the server goes away.
fn write(
    client: &mut Client,
    acknowledged: &Acknowledged,
    killed: &AtomicBool,
    (writer, seed): (u64, u64),
    stop: &Stop,
) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Keys of different writers and rounds never meet.
    let mut key = i64::try_from((seed * WRITERS + writer) * 1_000_000).expect("a small number");
    while !stop.requested() {
        let count = rng.random_range(1..5);
        let new: Vec<(i64, i128)> = (0..count)
            .map(|_| {
                key += 1;
                (key, rng.random_range(1..100_000))
            })
            .collect();
        let rows: Vec<String> = new
            .iter()
            .map(|(key, cents)| {
                format!(
                    "({key}, 'user-{}', {cents})",
                    key.unsigned_abs() % (CUSTOMERS + 5)
                )
            })
            .collect();
        let sql = format!(
            "INSERT INTO payment (id, customer, cents) VALUES {}",
            rows.join(", ")
        );
        let done = if rng.random_bool(0.2) {
            // What is rolled back to a savepoint leaves nothing, also when the server dies.
            client.batch_execute(&format!(
                "BEGIN; SAVEPOINT s; {sql}; ROLLBACK TO s; {sql}; COMMIT"
            ))
        } else {
            client.batch_execute(&sql)
        };
        if let Err(error) = done {
            assert_killed(killed, &error);
            return;
        }
        acknowledged
            .lock()
            .expect("what was acknowledged")
            .extend(new);
    }
}

/// Repeats a statement until the server goes away.
fn repeat(client: &mut Client, killed: &AtomicBool, sql: &str, stop: &Stop) {
    while !stop.requested() {
        if let Err(error) = client.batch_execute(sql) {
            assert_killed(killed, &error);
            return;
        }
    }
}

/// Nothing fails but for the kill.
fn assert_killed(killed: &AtomicBool, error: &Error) {
    // Backends see that their postmaster is gone, and say so (class 57), or are gone themselves.
    let expected = error
        .as_db_error()
        .is_none_or(|error| error.code().code().starts_with("57"));
    assert!(
        killed.load(Ordering::SeqCst) && expected,
        "not because of the kill: {error:?}"
    );
}

#[test]
fn no_commission_is_lost_or_doubled_when_the_server_is_killed_under_load() {
    let mut cluster = Cluster::start();
    let mut admin = cluster.database_with_affiliate(DATABASE);
    run(
        &mut admin,
        "SELECT affiliate_set_program('default', payout_threshold => 1);
         CREATE TABLE payment (id bigint PRIMARY KEY, customer text, cents bigint,
             paid_at timestamptz DEFAULT now());
         SELECT affiliate_attach_payments('payment', customer => 'customer', amount => 'cents',
             minor_units => true, currency_code => 'USD', paid_at => 'paid_at');",
    );
    let codes: Vec<String> = (0..3)
        .map(|n| enroll(&mut admin, &format!("partner-{n}"), "default"))
        .collect();
    for customer in 0..CUSTOMERS {
        let code = &codes[usize::try_from(customer % 3).expect("a small number")];
        attribute(&mut admin, &format!("user-{customer}"), code, "default");
    }
    drop(admin);

    let acknowledged = Acknowledged::default();
    let mut rng = ChaCha8Rng::seed_from_u64(rand::random());
    for round in 0..ROUNDS {
        let writers: Vec<Client> = (0..WRITERS).map(|_| cluster.connect_to(DATABASE)).collect();
        let mut folder = cluster.connect_to(DATABASE);
        let mut payer = cluster.connect_to(DATABASE);
        let before = acknowledged.lock().expect("what was acknowledged").len();
        let killed = &AtomicBool::new(false);
        let mut load = Load::new()
            .with(move |stop| repeat(&mut folder, killed, "SELECT affiliate_maintain()", stop))
            .with(move |stop| {
                let run = "CALL affiliate_run_payouts(through => current_date)";
                repeat(&mut payer, killed, run, stop);
            });
        for (writer, mut client) in (0..WRITERS).zip(writers) {
            let acknowledged = &acknowledged;
            load = load.with(move |stop| {
                write(&mut client, acknowledged, killed, (writer, round), stop);
            });
        }
        load.run(|stop| {
            // Not before anything has happened.
            while acknowledged.lock().expect("what was acknowledged").len() == before {
                assert!(!stop.requested(), "a client failed");
                sleep(Duration::from_millis(1));
            }
            sleep(Duration::from_millis(rng.random_range(0..700)));
            killed.store(true, Ordering::SeqCst);
            cluster.kill();
        });
        cluster.restart();
        check(&mut cluster.connect_to(DATABASE), &codes, &acknowledged);
    }
}

fn check(admin: &mut Client, codes: &[String], acknowledged: &Acknowledged) {
    assert_verified(admin);

    // Whatever was acknowledged is there, and so is its entry, once and right.
    let rows = admin
        .query(
            "SELECT p.id, p.cents, p.customer, count(c.*), coalesce(sum(c.amount), 0)::text
             FROM payment AS p LEFT JOIN affiliate.commission AS c
               ON c.payment_key = p.id::text AND c.binding_id =
                  (SELECT id FROM affiliate.binding WHERE payments = 'payment'::regclass)
             GROUP BY p.id",
            &[],
        )
        .expect("payments with their entries");
    let mut acknowledged = acknowledged.lock().expect("what was acknowledged").clone();
    for row in &rows {
        let (key, cents) = (row.get::<_, i64>(0), i128::from(row.get::<_, i64>(1)));
        if let Some(expected) = acknowledged.remove(&key) {
            assert_eq!(cents, expected, "payment {key}");
        }
        let number: u64 = row.get::<_, &str>(2)["user-".len()..]
            .parse()
            .expect("a number");
        let (entries, amount) = if number < CUSTOMERS {
            (1, commission(DEFAULT_RATE, cents))
        } else {
            (0, 0)
        };
        assert_eq!(row.get::<_, i64>(3), entries, "entries of payment {key}");
        assert_eq!(
            minor(row.get(4), "USD"),
            amount,
            "commission of payment {key}"
        );
    }
    assert!(
        acknowledged.is_empty(),
        "payments were acknowledged and are gone: {acknowledged:?}"
    );

    for (number, code) in codes.iter().enumerate() {
        let payments = format!(
            "SELECT (cents / 100.0)::numeric(20,2)::text, 'USD' FROM payment
             WHERE substr(customer, 6)::int < {CUSTOMERS} AND substr(customer, 6)::int % 3 = {number}"
        );
        assert_earned(admin, code, &payments, DEFAULT_RATE);
    }
}
