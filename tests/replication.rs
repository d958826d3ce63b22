//! A collector that is fed by logical replication earns each commission exactly once.
//!
//! Two real clusters on the loopback interface: shops that know nothing of the extension publish
//! their payments, and a collector with the extension subscribes to them.

#[path = "replication/published_ledger.rs"]
mod published_ledger;
mod support;

use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::Client;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::check::{attribute, enroll, run, value};
use support::load::Stop;
use support::money::DEFAULT_RATE;
use support::{Cluster, Load, assert_earned, assert_verified};

/// How long the collector may take to catch up, restarts of its workers included.
const PATIENCE: Duration = Duration::from_secs(180);

const COLLECTOR: &str = "collector";
const CUSTOMERS: i64 = 30;

fn publisher() -> Cluster {
    Cluster::builder()
        .loopback()
        .set("wal_level", "logical")
        .set("max_wal_senders", "20")
        .set("max_replication_slots", "20")
        .start()
}

fn collector() -> Cluster {
    Cluster::builder()
        .loopback()
        .set("wal_level", "logical")
        .set("max_replication_slots", "20")
        .set("max_logical_replication_workers", "10")
        // Workers that lost their publisher try again soon.
        .set("wal_retrieve_retry_interval", "200ms")
        .start()
}

/// A shop with payments, as a database of the publisher; `origin` is the first part of the key.
fn shop(cluster: &Cluster, database: &str, origin: &str) -> Client {
    run(
        &mut cluster.connect(),
        &format!("CREATE DATABASE {database}"),
    );
    let mut client = cluster.connect_to(database);
    run(
        &mut client,
        &format!(
            "CREATE TABLE payment (origin text DEFAULT '{origin}', id bigint,
                 customer bigint, amount numeric, currency text, paid_at timestamptz DEFAULT now(),
                 PRIMARY KEY (origin, id));
             INSERT INTO payment (id, customer, amount, currency)
                 SELECT n, n % ({CUSTOMERS} + 5), n * 1.01, 'USD' FROM generate_series(1, 500) AS n;
             CREATE PUBLICATION payments FOR TABLE payment;"
        ),
    );
    client
}

/// The collector's database with the attached table and an affiliate for customers 1 to 30.
fn collector_database(cluster: &Cluster) -> (Client, String) {
    let mut admin = cluster.database_with_affiliate(COLLECTOR);
    run(
        &mut admin,
        "CREATE TABLE payment (origin text, id bigint, customer bigint, amount numeric,
             currency text, paid_at timestamptz, PRIMARY KEY (origin, id));
         SELECT affiliate_attach_payments('payment', customer => 'customer', amount => 'amount',
             currency => 'currency', paid_at => 'paid_at', replica => true);",
    );
    let code = enroll(&mut admin, "partner", "default");
    for customer in 1..=CUSTOMERS {
        attribute(&mut admin, &customer.to_string(), &code, "default");
    }
    (admin, code)
}

/// Its workers commit durably: the initial copy of a table drops its slot as soon as it has
/// committed, and a killed subscriber that forgot this would ask for the slot ever after.
fn subscribe(admin: &mut Client, publisher: &Cluster, database: &str) {
    run(
        admin,
        &format!(
            "CREATE SUBSCRIPTION from_{database} CONNECTION
                 'host=127.0.0.1 port={} user=postgres dbname={database}' PUBLICATION payments
             WITH (synchronous_commit = on)",
            publisher.port()
        ),
    );
}

/// A checksum of one shop's payments, on either side.
fn content(client: &mut Client, origin: &str) -> String {
    value(
        client,
        &format!(
            "SELECT concat_ws(' ', count(*), sum(amount), sum(hashtext(p::text)::bigint))
             FROM (SELECT origin, id, customer, amount, currency FROM payment
                   WHERE origin = '{origin}') AS p"
        ),
    )
}

/// Waits until the collector has what a shop has.
fn wait_until_caught_up(shop: &mut Client, collector: &mut Client, origin: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (there, here) = (content(shop, origin), content(collector, origin));
        if there == here {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "the collector has {here}, the shop {there}"
        );
        sleep(Duration::from_millis(50));
    }
}

/// Each payment of a referred customer has one commission, the right one.
fn assert_collected(admin: &mut Client, code: &str) {
    assert_verified(admin);
    let eligible = format!(
        "SELECT amount::text, currency FROM payment WHERE customer BETWEEN 1 AND {CUSTOMERS}"
    );
    assert_earned(admin, code, &eligible, DEFAULT_RATE);
}

/// Whether a payment was posted more than once shows in the number of its entries.
fn entries_differing_from_one(admin: &mut Client) -> String {
    value(
        admin,
        &format!(
            "SELECT count(*) FROM (
                 SELECT count(c.*) FROM payment AS p LEFT JOIN affiliate.commission AS c
                     ON c.payment_key = format('(%s,%s)', p.origin, p.id)
                 WHERE p.customer BETWEEN 1 AND {CUSTOMERS}
                 GROUP BY p.origin, p.id HAVING count(c.*) <> 1) AS wrong"
        ),
    )
}

#[test]
fn payments_copied_and_streamed_from_two_shops_earn_once() {
    let publisher = publisher();
    let collector = collector();
    let (mut admin, code) = collector_database(&collector);
    // The ids of both shops are the same.
    let mut shops = [
        shop(&publisher, "north", "n"),
        shop(&publisher, "south", "s"),
    ];
    subscribe(&mut admin, &publisher, "north");
    subscribe(&mut admin, &publisher, "south");
    for (shop, origin) in shops.iter_mut().zip(["n", "s"]) {
        wait_until_caught_up(shop, &mut admin, origin);
    }
    assert_eq!(value(&mut admin, "SELECT count(*) FROM payment"), "1000");
    assert_collected(&mut admin, &code);

    for (shop, origin) in shops.iter_mut().zip(["n", "s"]) {
        run(
            shop,
            "INSERT INTO payment (id, customer, amount, currency)
                 SELECT n, n % 35, n, 'EUR' FROM generate_series(501, 700) AS n;
             BEGIN;
             INSERT INTO payment (id, customer, amount, currency) VALUES (701, 1, 5.55, 'KWD');
             SAVEPOINT s;
             INSERT INTO payment (id, customer, amount, currency) VALUES (702, 1, 5.55, 'KWD');
             ROLLBACK TO s;
             COMMIT;",
        );
        wait_until_caught_up(shop, &mut admin, origin);
    }
    assert_collected(&mut admin, &code);
    assert_eq!(entries_differing_from_one(&mut admin), "0");
}

#[test]
fn changes_and_deletions_on_a_shop_reach_the_ledger_of_the_collector() {
    let publisher = publisher();
    let collector = collector();
    let (mut admin, code) = collector_database(&collector);
    let mut shop = shop(&publisher, "north", "n");
    subscribe(&mut admin, &publisher, "north");
    wait_until_caught_up(&mut shop, &mut admin, "n");
    for change in [
        "UPDATE payment SET amount = amount * 2 WHERE id % 3 = 0",
        "UPDATE payment SET customer = customer + 1 WHERE id % 7 = 0",
        "UPDATE payment SET currency = 'EUR' WHERE id % 11 = 0",
        "DELETE FROM payment WHERE id % 13 = 0",
        "UPDATE payment SET id = id + 10000 WHERE id % 17 = 0",
    ] {
        run(&mut shop, change);
        wait_until_caught_up(&mut shop, &mut admin, "n");
        assert_collected(&mut admin, &code);
    }
}

/// Inserts payments one by one and several at a time until the shop's server goes away.
fn sell(client: &mut Client, first: i64, seed: u64, stop: &Stop) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut id = first;
    while !stop.requested() {
        let last = id + rng.random_range(0..4);
        let insert = format!(
            "INSERT INTO payment (id, customer, amount, currency)
             SELECT n, n % 35, (n % 1000 + 1) * 0.37, 'USD' FROM generate_series({id}, {last}) AS n"
        );
        if let Err(error) = client.batch_execute(&insert) {
            let gone = error
                .as_db_error()
                .is_none_or(|error| error.code().code().starts_with("57"));
            assert!(gone, "not because the server was killed: {error:?}");
            return;
        }
        id = last + 1;
    }
}

#[test]
fn killing_either_side_in_mid_stream_neither_loses_nor_doubles_a_commission() {
    let mut publisher = publisher();
    let mut collector = collector();
    let (mut admin, code) = collector_database(&collector);
    drop(shop(&publisher, "north", "n"));
    // The first round begins while the initial copy may still be under way.
    subscribe(&mut admin, &publisher, "north");
    drop(admin);

    for round in 1..=8_u64 {
        let mut seller = publisher.connect_to("north");
        let first = i64::try_from(round).expect("a small number") * 1_000_000;
        Load::new()
            .with(move |stop| sell(&mut seller, first, round, stop))
            .run(|_| {
                sleep(Duration::from_millis(300));
                if round % 2 == 0 {
                    publisher.kill();
                } else {
                    collector.kill();
                    sleep(Duration::from_millis(100));
                }
                if round % 4 == 3 {
                    publisher.kill();
                }
            });
        if round % 2 == 0 || round % 4 == 3 {
            publisher.restart();
        }
        if round % 2 == 1 {
            collector.restart();
        }
        let mut admin = collector.connect_to(COLLECTOR);
        run(&mut admin, "SELECT affiliate_maintain()");
        // What has arrived so far is posted so far.
        assert_verified(&mut admin);
    }
    let mut admin = collector.connect_to(COLLECTOR);
    wait_until_caught_up(&mut publisher.connect_to("north"), &mut admin, "n");
    assert_collected(&mut admin, &code);
    assert_eq!(entries_differing_from_one(&mut admin), "0");
    let streamed = value(
        &mut admin,
        "SELECT count(*) FROM payment WHERE id > 1000000",
    );
    assert!(
        streamed.parse::<u64>().expect("a count") > 100,
        "only {streamed} were streamed"
    );
}
