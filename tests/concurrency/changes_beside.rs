//! Payments beside what an administrator does to terms, affiliates and indexes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use postgres::Client;

use super::{DATABASE, connect_named, shop_with_one_affiliate};
use crate::support::check::{attribute, enroll, run, value};
use crate::support::load::Stop;
use crate::support::{Cluster, Load, assert_verified};

const SESSIONS: usize = 16;

/// A payment, and the percentages of which its commission may be.
struct Paid {
    id: String,
    least: i64,
    most: i64,
}

/// What sessions know of a rate that only rises: it is announced before it is committed, and
/// confirmed afterwards.
#[derive(Default)]
struct Percentage {
    announced: AtomicI64,
    confirmed: AtomicI64,
}

impl Percentage {
    fn raise(&self, admin: &mut Client, percent: i64) {
        self.announced.store(percent, Ordering::SeqCst);
        run(
            admin,
            &format!("SELECT affiliate_set_program('default', rate => {percent} / 100.0)"),
        );
        self.confirmed.store(percent, Ordering::SeqCst);
    }
}

/// Waits until so many more payments have been made.
fn wait_for(count: &AtomicI64, more: usize, stop: &Stop) {
    let enough = count.load(Ordering::SeqCst) + more as i64;
    while count.load(Ordering::SeqCst) < enough && !stop.requested() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

fn pay_until_stopped(
    client: &mut Client,
    customer: &str,
    percentage: &Percentage,
    count: &AtomicI64,
    stop: &Stop,
) -> Vec<Paid> {
    let mut paid = Vec::new();
    let insert = client
        .prepare("INSERT INTO host_payment (customer, cents) VALUES ($1, 10000) RETURNING id::text")
        .expect("a statement");
    while !stop.requested() {
        let least = percentage.confirmed.load(Ordering::SeqCst);
        let id = client
            .query_one(&insert, &[&customer])
            .expect("a payment")
            .get(0);
        let most = percentage.announced.load(Ordering::SeqCst);
        paid.push(Paid { id, least, most });
        count.fetch_add(1, Ordering::SeqCst);
    }
    paid
}

#[test]
fn a_payment_after_the_commit_of_new_terms_has_them_in_every_session() {
    let cluster = Cluster::start();
    let (mut admin, _) = shop_with_one_affiliate(&cluster);
    let (percentage, count) = (Percentage::default(), AtomicI64::new(0));
    percentage.raise(&mut admin, 1);
    let all: Mutex<Vec<Paid>> = Mutex::default();
    let mut load = Load::new();
    for _ in 0..SESSIONS {
        let mut client = connect_named(&cluster, "payer");
        let (percentage, count, all) = (&percentage, &count, &all);
        load = load.with(move |stop| {
            let paid = pay_until_stopped(&mut client, "user-1", percentage, count, stop);
            all.lock().expect("no panic elsewhere").extend(paid);
        });
    }
    load.run(|stop| {
        for percent in 2..=90 {
            // at once, while sessions are reading what was changed before
            percentage.raise(&mut admin, percent);
            if percent % 2 == 0 {
                wait_for(&count, 20, stop);
            }
        }
        wait_for(&count, 10 * SESSIONS, stop);
    });
    let rates = admin
        .query(
            "SELECT payment_key, (rate * 100)::bigint FROM affiliate.commission",
            &[],
        )
        .expect("the ledger");
    let rates: std::collections::HashMap<String, i64> =
        rates.iter().map(|row| (row.get(0), row.get(1))).collect();
    let all = all.into_inner().expect("no panic");
    let wrong: Vec<String> = all
        .iter()
        .filter(|paid| !(paid.least..=paid.most).contains(&rates[&paid.id]))
        .map(|paid| {
            format!(
                "{}% instead of {}% to {}%",
                rates[&paid.id], paid.least, paid.most
            )
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:?}",
        wrong.len(),
        all.len()
    );
    assert_verified(&mut admin);
}

#[test]
fn an_affiliate_that_is_closed_earns_nothing_more_in_any_session() {
    const CLOSED: i64 = 2;
    let cluster = Cluster::start();
    let (mut admin, _) = shop_with_one_affiliate(&cluster);
    for round in 1..=12 {
        let (name, count) = (format!("late-{round}"), AtomicI64::new(0));
        let code = enroll(&mut admin, &format!("partner {round}"), "default");
        attribute(&mut admin, &name, &code, "default");
        let percentage = Percentage::default();
        percentage.raise(&mut admin, 1);
        let all: Mutex<Vec<Paid>> = Mutex::default();
        let mut load = Load::new();
        for _ in 0..SESSIONS {
            let mut client = connect_named(&cluster, "payer");
            let (name, percentage, count, all) = (&name, &percentage, &count, &all);
            load = load.with(move |stop| {
                let paid = pay_until_stopped(&mut client, name, percentage, count, stop);
                all.lock().expect("no panic elsewhere").extend(paid);
            });
        }
        load.run(|stop| {
            wait_for(&count, SESSIONS, stop);
            // sessions read the new terms while the affiliate is being closed
            percentage.raise(&mut admin, 1);
            run(
                &mut admin,
                &format!("SELECT affiliate_set_status('{code}', 'closed')"),
            );
            percentage.confirmed.store(CLOSED, Ordering::SeqCst);
            wait_for(&count, 10 * SESSIONS, stop);
        });
        let after: Vec<String> = all
            .into_inner()
            .expect("no panic")
            .into_iter()
            .filter(|paid| paid.least == CLOSED)
            .map(|paid| paid.id)
            .collect();
        assert!(!after.is_empty());
        let earned: i64 = admin
            .query_one(
                "SELECT count(*) FROM affiliate.commission WHERE payment_key = ANY ($1)",
                &[&after],
            )
            .expect("a count")
            .get(0);
        assert_eq!(earned, 0, "of {} after closing", after.len());
    }
    assert_verified(&mut admin);
}

/// Inserts, changes and refunds payments, in statements and in longer transactions.
fn trade_until_stopped(client: &mut Client, number: usize, stop: &Stop) {
    run(
        client,
        "PREPARE pay (text) AS INSERT INTO host_payment (customer, cents) VALUES ($1, 10000)",
    );
    let customer = format!("user-{number}");
    while !stop.requested() {
        run(
            client,
            &format!(
                "EXECUTE pay ('{customer}');
                 UPDATE host_payment SET cents = cents + 100 WHERE id = currval('host_payment_id_seq')"
            ),
        );
        run(client, "BEGIN");
        for _ in 0..3 {
            run(client, &format!("EXECUTE pay ('{customer}')"));
            run(client, "EXECUTE pay ('nobody')");
        }
        run(
            client,
            &format!(
                "EXECUTE pay ('{customer}');
                 SELECT affiliate_record_refund('host_payment', currval('host_payment_id_seq'),
                     'refund of ' || currval('host_payment_id_seq'), 2500)"
            ),
        );
        run(client, "COMMIT");
    }
}

/// Statements that take a while before their triggers fire: what they know of indexes is old then.
fn pay_slowly_until_stopped(client: &mut Client, number: usize, stop: &Stop) {
    while !stop.requested() {
        run(
            client,
            &format!(
                "INSERT INTO host_payment (customer, cents)
                     SELECT 'user-{number}', 10000 FROM pg_sleep(0.001 * {number})"
            ),
        );
    }
}

#[test]
fn indexes_of_the_extension_are_rebuilt_beside_payments() {
    let cluster = Cluster::start();
    let (mut admin, _) = shop_with_one_affiliate(&cluster);
    let mut load = Load::new();
    for number in 0..4 {
        let mut client = connect_named(&cluster, "payer");
        load = load.with(move |stop| trade_until_stopped(&mut client, number, stop));
    }
    for number in 5..30 {
        let mut client = connect_named(&cluster, "slow payer");
        load = load.with(move |stop| pay_slowly_until_stopped(&mut client, number, stop));
    }
    load.run(|_| {
        for round in 0..60 {
            let index = [
                "commission_key",
                "referral_probe",
                "refund_payment",
                "commission_affiliate",
            ][round % 4];
            run(
                &mut admin,
                &format!("REINDEX INDEX CONCURRENTLY affiliate.{index}"),
            );
        }
    });
    let mut admin = cluster.connect_to(DATABASE);
    assert_verified(&mut admin);
    let without = value(
        &mut admin,
        "SELECT count(*) FROM host_payment p WHERE customer <> 'nobody' AND NOT EXISTS (
             SELECT FROM affiliate.commission c WHERE c.payment_key = p.id::text)",
    );
    assert_eq!(without, "0");
}
