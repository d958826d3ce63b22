//! The ledger in the hands of a role that can do nothing else: sessions, dumps, and roles that
//! lose rights.

mod support;

use postgres::Client;
use support::check::{run, value};
use support::tools::{client_program, pg_restore, run_quietly};
use support::{Cluster, assert_verified, refusal, violations};

const DATABASE: &str = "shop";

const ROLES: &str = "CREATE ROLE ledger; CREATE ROLE web; CREATE ROLE cashier LOGIN;";

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
    run(&mut before, "SELECT affiliate_set_owner('ledger')");
    pay(&mut before, 1);
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
        assert_eq!(value(&mut after, POSTED), "81.00");
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
