//! A database with a history, dumped and restored into a fresh cluster.

mod support;

use std::path::Path;
use std::process::Command;

use postgres::Client;
use support::check::{run, value};
use support::money::{commission, minor};
use support::tools::{assert_same_text, client_program, comparable_dump, pg_dump, pg_restore};
use support::tools::{psql_file, run_quietly};
use support::{Cluster, figures, violations};

const DATABASE: &str = "shop";

/// Roles are not in a database's dump.
const ROLES: &str = "CREATE ROLE dashboard LOGIN; CREATE ROLE cashier LOGIN;";

const STRUCTURE: &str = include_str!("dump_restore/structure.sql");

const HISTORY: &str = include_str!("dump_restore/history.sql");

const LATER: &str = include_str!("dump_restore/later.sql");

const NEXT_DAY: &str = include_str!("dump_restore/next_day.sql");

/// A database in which everything has happened.
fn shop_with_history(cluster: &Cluster) -> Client {
    let mut admin = cluster.connect();
    run(&mut admin, ROLES);
    run(&mut admin, &format!("CREATE DATABASE {DATABASE}"));
    let mut admin = cluster.connect_to(DATABASE);
    run(&mut admin, STRUCTURE);
    run(&mut admin, HISTORY);
    // Payouts in every state; what failed or came back is paid by a later run.
    run(
        &mut admin,
        "CALL affiliate_run_payouts(through => current_date - 90)",
    );
    settle_payouts(
        &mut admin,
        &["paid", "failed", "canceled", "processing", "pending"],
    );
    run(
        &mut admin,
        "CALL affiliate_run_payouts(through => current_date - 61)",
    );
    settle_payouts(&mut admin, &["returned", "paid", "processing"]);
    run(&mut admin, LATER);
    run(
        &mut admin,
        "CALL affiliate_run_payouts(through => current_date - 30)",
    );
    let states = "SELECT count(DISTINCT status) FROM affiliate.payout";
    assert_eq!(value(&mut admin, states), "6", "a payout in every state");
    admin
}

/// Moves the pending payouts on, one each way in turn.
fn settle_payouts(admin: &mut Client, statuses: &[&str]) {
    let pending = "SELECT id FROM affiliate.payout WHERE status = 'pending' ORDER BY id";
    let payouts = admin.query(pending, &[]).expect("pending payouts");
    assert!(
        payouts.len() >= statuses.len(),
        "only {} payouts",
        payouts.len()
    );
    let set =
        "SELECT affiliate_set_payout_status($1, $2, external_reference => 'ref', reason => 'r')";
    for (payout, status) in payouts.iter().zip(statuses.iter().cycle()) {
        let id: i64 = payout.get(0);
        if *status == "returned" {
            admin.execute(set, &[&id, &"paid"]).expect("a paid payout");
        }
        if *status != "pending" {
            admin
                .execute(set, &[&id, status])
                .expect("a payout that moves on");
        }
    }
}

/// Everything that a user can see of the ledger, as text.
fn picture(client: &mut Client) -> String {
    let mut text = String::new();
    for sql in [
        "SELECT s::text FROM affiliate_stats() AS s ORDER BY s.code, s.currency",
        "SELECT a.code || p::text FROM affiliate.affiliate AS a,
             affiliate_payouts(a.code) AS p ORDER BY p.payout_id",
        "SELECT c::text FROM affiliate.commission AS c ORDER BY c",
    ] {
        for row in client
            .query(sql, &[])
            .unwrap_or_else(|error| panic!("{sql}\n{error:?}"))
        {
            text.push_str(row.get(0));
            text.push('\n');
        }
    }
    for violation in violations(client) {
        assert!(violation.check.contains("quarantine"), "{violation:#?}");
        text.push_str(&format!("{}: {}\n", violation.check, violation.count));
    }
    assert!(
        text.contains("quarantine"),
        "the history has rows in quarantine"
    );
    text
}

/// A fresh cluster whose objects have other OIDs than the original's.
fn fresh_cluster() -> Cluster {
    let cluster = Cluster::start();
    let mut admin = cluster.connect();
    run(&mut admin, ROLES);
    run(&mut admin, &format!("CREATE DATABASE {DATABASE}"));
    let fillers: String = (0..50)
        .map(|n| format!("CREATE TABLE filler{n} (x int); DROP TABLE filler{n};"))
        .collect();
    run(&mut admin, &fillers);
    cluster
}

/// The commission of the affiliate, now, in one currency.
fn commission_of(client: &mut Client, code: &str, currency: &str) -> i128 {
    figures(client, code)
        .get(currency)
        .map_or(0, |figures| figures.commission)
}

/// Dumps, restores and compares; then life goes on in both databases, and goes the same way.
fn assert_survives(restore: impl FnOnce(&Cluster, &Path, &Cluster)) {
    let original = Cluster::start();
    let mut before = shop_with_history(&original);
    let expected = picture(&mut before);

    let restored = fresh_cluster();
    let archive = restored.dir().join("archive");
    restore(&original, &archive, &restored);
    let mut after = restored.connect_to(DATABASE);
    assert_same_text(
        "figures, payouts and entries",
        &picture(&mut after),
        &expected,
    );
    assert_same_text(
        "dumps of the original and the restored database",
        &comparable_dump(&original, DATABASE),
        &comparable_dump(&restored, DATABASE),
    );

    // The next payment of each table, at today's terms; the cashier has nothing but INSERT.
    for (role, payment, (code, currency, amount, rate)) in [
        (
            "cashier",
            "affiliate.payment (customer, amount) VALUES ('u-1', 99.99)",
            ("bob", "USD", "99.99", 200_000),
        ),
        (
            "cashier",
            "\"Shop\".orders (customer, total, currency, paid_at) VALUES (1, 49.5, 'USD', now())",
            ("alice", "USD", "49.5", 200_000),
        ),
        (
            "postgres",
            "\"Shop\".\"Rechnung\" (\"Käufer\", cents, \"bezahlt am\")
                 VALUES ('käufer 1', 777, current_date)",
            ("erika", "EUR", "7.77", 125_000),
        ),
        (
            "postgres",
            "charge VALUES ('x', 1, '客1', 1010, extract(epoch FROM now()))",
            ("jun", "JPY", "1010", 50_000),
        ),
    ] {
        let posted = commission_of(&mut after, code, currency);
        run(
            &mut restored.connect_as(role, DATABASE),
            &format!("INSERT INTO {payment}"),
        );
        let earned = commission(rate, minor(amount, currency));
        assert_eq!(
            commission_of(&mut after, code, currency),
            posted + earned,
            "{payment}"
        );
        // The original has to have the same payments for what follows.
        run(&mut before, &format!("INSERT INTO {payment}"));
    }

    for client in [&mut before, &mut after] {
        run(client, NEXT_DAY);
        run(
            client,
            "CALL affiliate_run_payouts(through => current_date - 20)",
        );
    }
    let figures = "SELECT string_agg(s::text, E'\\n' ORDER BY s.code, s.currency) FROM affiliate_stats() AS s";
    assert_same_text(
        "figures",
        &value(&mut after, figures),
        &value(&mut before, figures),
    );
    let payouts =
        "SELECT string_agg(concat_ws(',', affiliate_id, currency, amount, entries, status), E'\\n'
         ORDER BY id) FROM affiliate.payout";
    assert_same_text(
        "payouts",
        &value(&mut after, payouts),
        &value(&mut before, payouts),
    );
    for violation in violations(&mut after) {
        assert!(violation.check.contains("quarantine"), "{violation:#?}");
    }

    // Grants travel with the objects.
    let mut dashboard = restored.connect_as("dashboard", DATABASE);
    run(&mut dashboard, "SELECT * FROM affiliate_stats()");
    support::refusal(
        "a reader enrolls",
        dashboard.batch_execute("SELECT affiliate_create('eve')"),
    );
}

#[test]
fn a_plain_dump_brings_back_the_ledger() {
    assert_survives(|original, archive, restored| {
        std::fs::write(archive, pg_dump(original, DATABASE, &[])).expect("a script");
        psql_file(restored, DATABASE, archive);
    });
}

#[test]
fn a_custom_archive_brings_back_the_ledger() {
    assert_survives(|original, archive, restored| {
        dump_to(original, archive, &["--format=custom"]);
        pg_restore(restored, DATABASE, archive, &["--single-transaction"]);
    });
}

#[test]
fn a_parallel_dump_restored_in_parallel_brings_back_the_ledger() {
    assert_survives(|original, archive, restored| {
        dump_to(original, archive, &["--format=directory", "--jobs=2"]);
        pg_restore(restored, DATABASE, archive, &["--jobs=2"]);
    });
}

fn dump_to(cluster: &Cluster, archive: &Path, arguments: &[&str]) {
    let mut command: Command = client_program(cluster, "pg_dump");
    run_quietly(
        command
            .args(arguments)
            .arg("--file")
            .arg(archive)
            .arg(DATABASE),
    );
}

/// A restored table may get the OID it had in the old cluster, while its columns have lost the
/// numbers they had there.
#[test]
fn columns_are_found_after_a_restore_that_gives_the_table_its_old_oid() {
    const TABLE: &str = "CREATE TABLE orders (gone1 text, gone2 text, id bigint PRIMARY KEY,
             customer text, note numeric, total numeric);
         ALTER TABLE orders DROP COLUMN gone1, DROP COLUMN gone2;";
    let oid_of = |client: &mut Client| -> u32 {
        value(client, "SELECT 'orders'::regclass::oid")
            .parse()
            .expect("an OID")
    };
    let mut original = Cluster::start();
    original.stop();
    // Far above what a fresh cluster uses.
    original.set_next_oid(300_000);
    original.restart();
    let mut before = original.database_with_affiliate(DATABASE);
    run(&mut before, TABLE);
    run(
        &mut before,
        "SELECT affiliate_attach_payments('orders', customer => 'customer', amount => 'total');
         SELECT affiliate_create('alice', code => 'alice');
         SELECT affiliate_attribute('u', code => 'alice');
         INSERT INTO orders VALUES (1, 'u', 1, 20);",
    );
    let wanted = oid_of(&mut before);

    // A rehearsal tells how many OIDs a restore takes up before it comes to the table.
    let mut restored = Cluster::start();
    let mut admin = restored.connect();
    run(&mut admin, "CREATE DATABASE rehearsal");
    run(&mut admin, &format!("CREATE DATABASE {DATABASE}"));
    drop(admin);
    let archive = restored.dir().join("archive");
    dump_to(&original, &archive, &["--format=custom"]);
    restored.stop();
    let start = restored.next_oid();
    restored.restart();
    pg_restore(&restored, "rehearsal", &archive, &[]);
    let taken = oid_of(&mut restored.connect_to("rehearsal")) - start;
    restored.stop();
    restored.set_next_oid(wanted - taken);
    restored.restart();
    pg_restore(&restored, DATABASE, &archive, &[]);

    let mut after = restored.connect_to(DATABASE);
    assert_eq!(
        oid_of(&mut after),
        wanted,
        "the rehearsal did not predict the OID"
    );
    run(&mut after, "INSERT INTO orders VALUES (2, 'u', 1, 200)");
    assert_eq!(commission_of(&mut after, "alice", "USD"), 66_00);
    support::assert_verified(&mut after);
}

#[test]
fn a_column_renamed_after_a_restore_is_still_found() {
    let original = Cluster::start();
    drop(shop_with_history(&original));
    let restored = fresh_cluster();
    let archive = restored.dir().join("archive");
    dump_to(&original, &archive, &["--format=custom"]);
    pg_restore(&restored, DATABASE, &archive, &[]);

    let mut after = restored.connect_to(DATABASE);
    let posted = commission_of(&mut after, "alice", "USD");
    run(
        &mut after,
        "ALTER TABLE \"Shop\".orders RENAME COLUMN total TO grand_total;
         ALTER TABLE \"Shop\".orders RENAME COLUMN customer TO account;
         INSERT INTO \"Shop\".orders (account, grand_total, currency, paid_at)
         VALUES (1, 100, 'USD', now())",
    );
    assert_eq!(commission_of(&mut after, "alice", "USD"), posted + 20_00);
}
