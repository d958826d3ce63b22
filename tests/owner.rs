//! The ledger in the hands of a role that can do nothing else: sessions, dumps, and roles that
//! lose rights.

mod support;

use postgres::Client;
use support::check::{run, value};
use support::tools::{client_program, pg_restore, run_quietly};
use support::{Cluster, assert_verified, refusal, violations};

const DATABASE: &str = "shop";

const ROLES: &str =
    "CREATE ROLE ledger; CREATE ROLE web; CREATE ROLE cashier LOGIN; CREATE ROLE host;";

const OWNER: &str =
    "SELECT relowner::regrole::text FROM pg_class WHERE oid = 'affiliate.commission'::regclass";

const PROBLEMS: &str = "SELECT coalesce(string_agg(problem, ';'), '') FROM affiliate.binding_health WHERE problem IS NOT NULL";

const POSTED: &str = "SELECT coalesce(sum(amount), 0) FROM affiliate.commission";

/// A database with an affiliate, a referred customer and a role that may pay.
fn shop(cluster: &Cluster) -> Client {
    run(&mut cluster.connect(), ROLES);
    let mut admin = cluster.database_with_affiliate(DATABASE);
    run(
        &mut admin,
        "GRANT USAGE ON SCHEMA affiliate TO cashier;
         GRANT SELECT, INSERT, UPDATE, DELETE ON affiliate.payment TO cashier;
         SELECT affiliate_grant('web', 'app');
         SELECT affiliate_create('alice', code => 'alice');
         SELECT affiliate_attribute('carol', code => 'alice', attributed_at => '2024-01-01')",
    );
    admin
}

/// A payment that is changed, one that is deleted, and one that can't be read until it is mended.
/// Together they add 27.00 to the ledger.
fn pay(client: &mut Client, first: i64) {
    let (second, third) = (first + 1, first + 2);
    run(
        client,
        &format!(
            "INSERT INTO affiliate.payment (id, customer, amount, paid_at) VALUES
                 ({first}, 'carol', 100, '2024-02-01'), ({second}, 'carol', 50, '2024-02-01'),
                 ({third}, 'carol', NULL, '2024-02-01');
             UPDATE affiliate.payment SET refunded = 20 WHERE id = {first};
             UPDATE affiliate.payment SET amount = 10 WHERE id = {third};
             DELETE FROM affiliate.payment WHERE id = {second}"
        ),
    );
}

#[test]
fn open_sessions_go_on_when_the_ledger_changes_hands() {
    let cluster = Cluster::start();
    let mut admin = shop(&cluster);
    let mut cashier = cluster.connect_as("cashier", DATABASE);
    pay(&mut cashier, 1);
    for (round, owner) in ["ledger", "other", "postgres"].iter().enumerate() {
        if *owner == "other" {
            run(&mut admin, "CREATE ROLE other");
        }
        run(
            &mut admin,
            &format!("SELECT affiliate_set_owner('{owner}')"),
        );
        assert_eq!(value(&mut admin, OWNER), *owner);
        pay(&mut cashier, 10 * (round as i64 + 1));
        run(&mut admin, "SELECT affiliate_maintain()");
        assert_eq!(
            value(&mut admin, POSTED),
            format!("{}.00", 27 * (round + 2)),
            "owned by {owner}"
        );
        assert_eq!(value(&mut admin, PROBLEMS), "");
    }
    run(&mut admin, "DROP ROLE ledger; DROP ROLE other");
    assert_verified(&mut admin);
}

#[test]
fn a_restored_ledger_says_whose_it_was() {
    let original = Cluster::start();
    let mut before = shop(&original);
    run(&mut before, HOST);
    run(&mut before, "SELECT affiliate_set_owner('ledger')");
    pay(&mut before, 1);
    pay_in_host_tables(&mut before, 1);
    run(&mut before, "SELECT affiliate_maintain()");
    run(
        &mut before,
        "CALL affiliate_run_payouts(through => '2024-02-29')",
    );

    let restored = Cluster::start();
    run(&mut restored.connect(), ROLES);
    let archive = restored.dir().join("archive");
    run_quietly(
        client_program(&original, "pg_dump")
            .args(["--format=custom", "--file"])
            .arg(&archive)
            .arg(DATABASE),
    );
    for (database, arguments) in [(DATABASE, vec![]), ("parallel", vec!["--jobs=2"])] {
        run(
            &mut restored.connect(),
            &format!("CREATE DATABASE {database}"),
        );
        pg_restore(&restored, database, &archive, &arguments);

        // what is restored belongs to who restores it, and works
        let mut after = restored.connect_to(database);
        assert_eq!(value(&mut after, OWNER), "postgres");
        assert_eq!(
            value(&mut after, PROBLEMS),
            "the ledger was handed over to ledger, but is owned by postgres"
        );
        let found = violations(&mut after);
        assert!(
            found.len() == 1 && found[0].check == "triggers_in_place" && found[0].count == 1,
            "{found:#?}"
        );
        pay(&mut restored.connect_as("cashier", database), 11);

        run(&mut after, "SELECT affiliate_set_owner('ledger')");
        assert_eq!(value(&mut after, OWNER), "ledger");
        assert_eq!(value(&mut after, PROBLEMS), "");
        pay(&mut restored.connect_as("cashier", database), 21);
        pay_in_host_tables(&mut restored.connect_as("cashier", database), 11);
        run(&mut after, ADD_PARTITION);
        assert_eq!(value(&mut after, POSTED), "141.00");
        assert_verified(&mut after);
        run(&mut after, "SET ROLE web; SELECT affiliate_create('bob')");
        let mut web = restored.connect_to(database);
        run(&mut web, "SET ROLE web");
        refusal(
            "an application proves",
            web.batch_execute("SELECT affiliate_verify()"),
        );
    }
}

/// A table of payments and one of refunds of a role that has no right on anything of ours, both
/// attached.
const HOST: &str = "
    CREATE SCHEMA host AUTHORIZATION host;
    SET ROLE host;
    CREATE TABLE host.payments (id bigint PRIMARY KEY, customer text, amount numeric, paid_at date, state text);
    CREATE TABLE host.refunds (id bigint PRIMARY KEY, payment bigint, amount numeric);
    CREATE INDEX ON host.refunds (payment);
    CREATE TABLE host.parts (id bigint, customer text, amount numeric, paid_at date, PRIMARY KEY (id, paid_at))
        PARTITION BY RANGE (paid_at);
    CREATE TABLE host.early PARTITION OF host.parts FOR VALUES FROM (MINVALUE) TO ('2024-02-15');
    CREATE TABLE host.late PARTITION OF host.parts FOR VALUES FROM ('2024-02-15') TO ('2024-03-01');
    GRANT USAGE ON SCHEMA host TO cashier;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA host TO cashier;
    RESET ROLE;
    SELECT affiliate_attach_payments('host.payments', customer => 'customer', amount => 'amount', paid_at => 'paid_at',
        paid_when => 'state = ''paid''');
    SELECT affiliate_attach_refunds('host.refunds', payments => 'host.payments', payment_key => 'payment',
        refund_key => 'id', amount => 'amount');
    SELECT affiliate_attach_payments('host.parts', customer => 'customer', amount => 'amount', paid_at => 'paid_at');";

const ADD_PARTITION: &str = "
    SET ROLE host;
    CREATE TABLE host.march PARTITION OF host.parts FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
    RESET ROLE;";

/// Everything that can happen to payments of attached tables. Adds 30.00 to the ledger.
fn pay_in_host_tables(client: &mut Client, first: i64) {
    let (second, third, fourth) = (first + 1, first + 2, first + 3);
    run(
        client,
        &format!(
            "INSERT INTO host.payments VALUES ({first}, 'carol', 100, '2024-02-01', 'paid'),
                 ({second}, 'carol', 50, '2024-02-01', 'new'), ({third}, 'carol', NULL, '2024-02-01', 'paid');
             UPDATE host.payments SET state = 'paid' WHERE id = {second};
             INSERT INTO host.refunds VALUES ({first}, {first}, 30), ({second}, {third}, 5);
             UPDATE host.refunds SET amount = 20 WHERE id = {first};
             DELETE FROM host.refunds WHERE id = {second};
             UPDATE host.payments SET amount = 10 WHERE id = {third};
             UPDATE host.payments SET id = {fourth} WHERE id = {third};
             DELETE FROM host.payments WHERE id = {second};
             INSERT INTO host.parts VALUES ({first}, 'carol', 10, '2024-02-01'), ({second}, 'carol', 5, '2024-02-01');
             UPDATE host.parts SET paid_at = '2024-02-20' WHERE id = {first};
             DELETE FROM host.parts WHERE id = {second}"
        ),
    );
}

/// What operators call, over attached tables.
fn operate(admin: &mut Client) {
    run(
        admin,
        "SET session_replication_role = replica;
         INSERT INTO host.payments VALUES (1001, 'carol', 100, '2024-02-01', 'paid');
         RESET session_replication_role;
         SELECT affiliate_record_refund('host.payments', 1001, 'dispute', 10, kind => 'dispute')",
    );
    run(
        admin,
        "INSERT INTO host.payments VALUES (1002, 'carol', NULL, '2024-02-01', 'paid')",
    );
    for call in [
        "SELECT * FROM affiliate_backfill('host.payments')",
        "SELECT * FROM affiliate_backfill('host.parts')",
        "SELECT * FROM affiliate_reconcile()",
        "SELECT affiliate_explain('host.payments', 1001)",
        "SELECT * FROM affiliate.unposted",
        "SELECT affiliate_maintain()",
        "CALL affiliate_run_payouts(through => '2024-02-29')",
    ] {
        run(admin, call);
    }
    run(admin, "DELETE FROM host.payments WHERE id > 1000");
    assert_verified(admin);
}

#[test]
fn the_owner_needs_no_right_on_attached_tables() {
    let cluster = Cluster::start();
    let mut admin = shop(&cluster);
    run(&mut admin, HOST);
    let mut cashier = cluster.connect_as("cashier", DATABASE);
    pay_in_host_tables(&mut cashier, 1);
    run(&mut admin, "SELECT affiliate_set_owner('ledger')");
    pay_in_host_tables(&mut cashier, 11);
    pay_in_host_tables(&mut admin, 21);
    assert_eq!(value(&mut admin, POSTED), "90.00");
    operate(&mut admin);
    assert_eq!(value(&mut admin, PROBLEMS), "");

    // a superuser attaches and detaches as before
    run(
        &mut admin,
        "SELECT affiliate_detach('host.refunds'); SELECT affiliate_detach('host.payments');
         SELECT affiliate_attach_payments('host.payments', customer => 'customer', amount => 'amount', paid_at => 'paid_at',
             paid_when => 'state = ''paid''');
         SELECT affiliate_attach_refunds('host.refunds', payments => 'host.payments', payment_key => 'payment',
             refund_key => 'id', amount => 'amount')",
    );
    pay_in_host_tables(&mut cashier, 31);
    run(&mut admin, ADD_PARTITION);
    assert_eq!(value(&mut admin, POSTED), "120.00");
    assert_verified(&mut admin);
}

#[test]
fn payments_go_on_when_the_owner_is_no_superuser_any_more() {
    let cluster = Cluster::start();
    run(&mut cluster.connect(), ROLES);
    let mut postgres = cluster.connect();
    run(&mut postgres, "CREATE ROLE installer LOGIN SUPERUSER");
    run(&mut postgres, &format!("CREATE DATABASE {DATABASE}"));
    let mut installer = cluster.connect_as("installer", DATABASE);
    run(
        &mut installer,
        "CREATE EXTENSION affiliate;
         SELECT affiliate_create('alice', code => 'alice');
         SELECT affiliate_attribute('carol', code => 'alice', attributed_at => '2024-01-01')",
    );
    run(&mut installer, HOST);
    let mut cashier = cluster.connect_as("cashier", DATABASE);
    pay_in_host_tables(&mut cashier, 1);
    run(&mut postgres, "ALTER ROLE installer NOSUPERUSER");

    // open sessions and new ones, and the calls of who installed it
    pay_in_host_tables(&mut cashier, 11);
    pay_in_host_tables(&mut cluster.connect_as("cashier", DATABASE), 21);
    let mut admin = cluster.connect_to(DATABASE);
    operate(&mut admin);
    assert_eq!(value(&mut admin, PROBLEMS), "");
    let mut installer = cluster.connect_as("installer", DATABASE);
    run(
        &mut installer,
        "SELECT affiliate_set_program('default', rate => 0.3); SELECT affiliate_grant('web', 'app')",
    );
    let refused = refusal(
        "dropping a ledger",
        installer.batch_execute("DROP EXTENSION affiliate CASCADE"),
    );
    assert_eq!(refused.sqlstate, "2BP01");

    // without a right it needs, payments fail and it is said why
    run(
        &mut admin,
        "REVOKE INSERT ON affiliate.quarantine FROM installer",
    );
    let bad = "INSERT INTO host.payments VALUES (100, 'carol', NULL, '2024-02-01', 'paid')";
    assert_eq!(
        refusal("a payment", cashier.batch_execute(bad)).sqlstate,
        "42501"
    );
    assert_eq!(
        value(&mut admin, PROBLEMS),
        "installer, the owner of the ledger, lacks INSERT on affiliate.quarantine"
    );

    // a role of its own takes it over
    run(&mut admin, "SELECT affiliate_set_owner('ledger')");
    run(&mut admin, "GRANT INSERT ON affiliate.quarantine TO ledger");
    pay_in_host_tables(&mut cashier, 31);
    assert_eq!(value(&mut admin, PROBLEMS), "");
    assert_verified(&mut admin);
}
