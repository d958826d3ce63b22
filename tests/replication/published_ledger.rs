//! A copy of the ledger on another server.

use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::Client;

use crate::support::check::{attribute, enroll, run, value};
use crate::support::money::DEFAULT_RATE;
use crate::support::{Cluster, Load, assert_earned, assert_verified};
use crate::{COLLECTOR, CUSTOMERS, PATIENCE, collector, publisher};

/// A copy of the ledger, and of referrals, on another server, fed by a publication of theirs.
fn copy_of_ledger(publisher: &Cluster, subscriber: &Cluster) -> Client {
    let mut books = publisher.connect_to(COLLECTOR);
    run(
        &mut books,
        "CREATE PUBLICATION ledger FOR TABLE affiliate.commission, affiliate.referral",
    );
    // without the extension: a warehouse knows the tables by their columns alone
    run(&mut subscriber.connect(), "CREATE DATABASE warehouse");
    let mut copy = subscriber.connect_to("warehouse");
    run(
        &mut copy,
        "CREATE SCHEMA affiliate;
         CREATE TABLE affiliate.commission (posted_at timestamptz, referral_id bigint, affiliate_id int,
             epoch int, binding_id int, seq int, paid_on date, matures_on date, rule \"char\", payment_key text,
             currency text, rate numeric, base numeric, refunded numeric, base_before numeric,
             posted_before numeric, amount numeric, PRIMARY KEY (binding_id, payment_key, seq));
         CREATE TABLE affiliate.referral (id bigint PRIMARY KEY, program text, customer text, affiliate_id int,
             code text, source text, attributed_at timestamptz, recorded_at timestamptz, epoch int);",
    );
    run(
        &mut copy,
        &format!(
            "CREATE SUBSCRIPTION ledger CONNECTION
                 'host=127.0.0.1 port={} user=postgres dbname={COLLECTOR}' PUBLICATION ledger",
            publisher.port()
        ),
    );
    copy
}

const ENTRIES: &str = "SELECT concat_ws(' ', count(*), sum(amount), sum(hashtext(
         concat_ws(',', binding_id, payment_key, seq, amount::text))::bigint)) FROM affiliate.commission";

fn wait_for_entries(books: &mut Client, copy: &mut Client, cluster: &Cluster) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (there, here) = (value(books, ENTRIES), value(copy, ENTRIES));
        if there == here {
            return;
        }
        assert!(
            Instant::now() < deadline && !cluster.log().contains("duplicate key"),
            "the copy has {here}, the ledger {there}: {}",
            cluster.log()
        );
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_published_ledger_is_followed_whatever_is_inserted_twice() {
    let publisher = publisher();
    let subscriber = collector();
    let mut books = publisher.database_with_affiliate(COLLECTOR);
    run(
        &mut books,
        "CREATE TABLE payment (id bigint PRIMARY KEY, customer bigint, amount numeric,
             paid_at timestamptz DEFAULT now());
         CREATE TABLE deferred (id bigint PRIMARY KEY, customer bigint,
             amount numeric, paid_at timestamptz DEFAULT now());
         SELECT affiliate_attach_payments('deferred', customer => 'customer', amount => 'amount',
             paid_at => 'paid_at');
         SELECT affiliate_attach_payments('payment', customer => 'customer', amount => 'amount',
             paid_at => 'paid_at');",
    );
    let code = enroll(&mut books, "partner", "default");
    for customer in 1..=CUSTOMERS {
        attribute(&mut books, &customer.to_string(), &code, "default");
    }
    let mut copy = copy_of_ledger(&publisher, &subscriber);
    for sql in [
        "INSERT INTO payment SELECT n, n % 30 + 1, n FROM generate_series(1, 1500) n",
        // deleted and inserted again: in statements of their own, in one transaction, many at once
        "DELETE FROM payment WHERE id = 1; INSERT INTO payment VALUES (1, 1, 20)",
        "BEGIN; DELETE FROM payment WHERE id = 2; INSERT INTO payment VALUES (2, 1, 20); COMMIT",
        "BEGIN; DELETE FROM payment; INSERT INTO payment SELECT n, n % 30 + 1, n + 1 FROM generate_series(1, 2000) n; COMMIT",
        "BEGIN; INSERT INTO payment VALUES (3001, 1, 20); SAVEPOINT s; DELETE FROM payment WHERE id = 3001;
         INSERT INTO payment VALUES (3001, 2, 30); ROLLBACK TO s; COMMIT",
        "INSERT INTO payment SELECT n, 1, 7 FROM generate_series(1990, 2010) n
         ON CONFLICT (id) DO UPDATE SET amount = excluded.amount",
        "INSERT INTO payment VALUES (5, 1, 9) ON CONFLICT DO NOTHING",
        // twice in one statement, under a key that is looked at when the transaction commits
        "ALTER TABLE deferred DROP CONSTRAINT deferred_pkey,
             ADD PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED;
         BEGIN; INSERT INTO deferred VALUES (1, 1, 10), (1, 1, 10), (2, 1, 10);
         DELETE FROM deferred WHERE ctid = '(0,2)'; COMMIT;
         ALTER TABLE deferred DROP CONSTRAINT deferred_pkey, ADD PRIMARY KEY (id)",
        // a trigger of the host changes the row within the statement that inserts it
        "CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             DELETE FROM payment WHERE id = NEW.id;
             INSERT INTO payment VALUES (NEW.id, NEW.customer, NEW.amount + 1); RETURN NULL; END $$;
         CREATE TRIGGER again AFTER INSERT ON payment FOR EACH ROW WHEN (pg_trigger_depth() < 1)
             EXECUTE FUNCTION again();
         INSERT INTO payment SELECT n, n % 30 + 1, 10 FROM generate_series(5001, 5600) n;
         DROP TRIGGER again ON payment",
    ] {
        run(&mut books, sql);
        wait_for_entries(&mut books, &mut copy, &subscriber);
    }

    // payments past the triggers are back-filled by several sessions at once, beside inserts
    run(
        &mut books,
        "ALTER TABLE payment DISABLE TRIGGER USER;
         INSERT INTO payment SELECT n, n % 30 + 1, 10 FROM generate_series(7001, 9000) n;
         ALTER TABLE payment ENABLE TRIGGER USER;",
    );
    let mut load = Load::new();
    for number in 0..3_i64 {
        let mut client = publisher.connect_to(COLLECTOR);
        load = load.with(move |_| {
            for round in 0..5 {
                let id = 10_000 + number * 100 + round;
                for sql in [
                    format!("INSERT INTO payment VALUES ({id}, 1, 10)"),
                    "SELECT affiliate_backfill('payment')".to_owned(),
                    format!("UPDATE payment SET amount = amount + 1 WHERE id = {id}"),
                ] {
                    run(&mut client, &sql);
                }
            }
        });
    }
    load.run(|_| ());
    run(&mut books, "SELECT affiliate_backfill('payment')");
    wait_for_entries(&mut books, &mut copy, &subscriber);
    assert_verified(&mut books);
    let eligible = "SELECT amount::text, 'USD' FROM payment UNION ALL SELECT amount::text, 'USD' FROM deferred";
    assert_earned(&mut books, &code, eligible, DEFAULT_RATE);
    assert!(!subscriber.log().contains("duplicate key"));
}
