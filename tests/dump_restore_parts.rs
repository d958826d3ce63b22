//! Dumps that are not whole, and restores that meet something.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use postgres::Client;
use support::check::{run, value};
use support::tools::{client_program, pg_dump, psql_file, run_quietly};
use support::{Cluster, assert_verified, refusal, violations};

const SHOP: &str = "shop";

/// Tables of every kind, with a ledger, refunds, payouts, folded and not, and a row in quarantine.
const HISTORY: &str = "
    SELECT affiliate_set_program('euro', rate => 0.1, currency => 'EUR');
    CREATE TABLE orders (id int PRIMARY KEY, customer text, total numeric, at timestamptz DEFAULT now());
    CREATE TABLE refunds (id int PRIMARY KEY, order_id int, amount numeric);
    CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000000);
    CREATE TABLE copied (id int PRIMARY KEY, customer text, amount numeric);
    SELECT affiliate_attach_payments('orders', customer => 'customer', amount => 'total', paid_at => 'at');
    SELECT affiliate_attach_refunds('refunds', payments => 'orders', payment_key => 'order_id',
        refund_key => 'id', amount => 'amount');
    SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount', program => 'euro');
    SELECT affiliate_attach_payments('copied', customer => 'customer', amount => 'amount', replica => true);
    SELECT affiliate_create('alice', code => 'alice');
    SELECT affiliate_create('erika', code => 'erika', program => 'euro');
    SELECT affiliate_attribute('u', code => 'alice', attributed_at => '2024-01-01');
    SELECT affiliate_attribute('u', code => 'erika', program => 'euro', attributed_at => '2024-01-01');
    SELECT affiliate_track_click('alice', visitor => 'v');
    INSERT INTO affiliate.payment (id, customer, amount) SELECT n, 'u', n FROM generate_series(1, 50) AS n;
    INSERT INTO affiliate.payment (id, customer, amount) VALUES (51, 'u', -1);
    INSERT INTO orders SELECT n, 'u', 100 FROM generate_series(1, 20) AS n;
    INSERT INTO refunds SELECT n, n, 50 FROM generate_series(1, 5) AS n;
    INSERT INTO parts SELECT n, 'u', 100 FROM generate_series(1, 20) AS n;
    INSERT INTO copied SELECT n, 'u', 100 FROM generate_series(1, 20) AS n;
    SELECT affiliate_record_refund('parts', 1, 'r', 50);
    SELECT affiliate_record_refund('affiliate.payment', 10, 'd', 5, kind => 'dispute');
    SELECT affiliate_maintain();";

/// A payment of a referred customer in each bound table, with a key of its own.
fn pay(client: &mut Client, id: u32) {
    run(
        client,
        &format!(
            "INSERT INTO affiliate.payment (id, customer, amount) VALUES ({id}, 'u', 10);
             INSERT INTO orders VALUES ({id}, 'u', 10);
             UPDATE orders SET total = 20 WHERE id = {id};
             INSERT INTO refunds VALUES ({id}, {id}, 1);
             INSERT INTO parts VALUES ({id}, 'u', 10);
             INSERT INTO copied VALUES ({id}, 'u', 10);
             DELETE FROM copied WHERE id = {id};"
        ),
    );
}

fn shop(cluster: &Cluster) -> Client {
    let mut client = cluster.database_with_affiliate(SHOP);
    run(&mut client, HISTORY);
    run(
        &mut client,
        "CALL affiliate_run_payouts(through => current_date)",
    );
    run(&mut client, "SELECT affiliate_maintain()");
    run(&mut client, "INSERT INTO orders VALUES (21, 'u', 100)");
    client
}

/// Ledger, quarantine and figures, as text.
fn picture(client: &mut Client) -> String {
    value(
        client,
        "SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
            SELECT c::text AS line FROM affiliate.commission c
            UNION ALL SELECT q::text FROM affiliate.quarantine q
            UNION ALL SELECT s::text FROM affiliate_stats() s) l",
    )
}

fn violated(client: &mut Client) -> Vec<String> {
    violations(client).into_iter().map(|v| v.check).collect()
}

/// An archive of the shop.
fn archive(cluster: &Cluster) -> PathBuf {
    let file = cluster.dir().join("archive");
    let mut command: Command = client_program(cluster, "pg_dump");
    let arguments = ["--format=custom", "--file"];
    run_quietly(command.args(arguments).arg(&file).arg(SHOP));
    file
}

/// The table of contents of an archive.
fn contents(cluster: &Cluster, archive: &Path) -> Vec<String> {
    let list = run_quietly(
        client_program(cluster, "pg_restore")
            .arg("--list")
            .arg(archive),
    );
    let lines = list.lines().filter(|line| !line.starts_with(';'));
    lines.map(str::to_owned).collect()
}

fn restore(cluster: &Cluster, database: &str, archive: &Path) -> Command {
    let mut command = client_program(cluster, "pg_restore");
    command
        .args(["--exit-on-error", "--dbname", database])
        .arg(archive);
    command
}

/// `pg_restore` of what a table of contents lists, in its order.
fn restore_listed(cluster: &Cluster, database: &str, archive: &Path, list: &[String]) -> Command {
    let file = cluster.dir().join("list");
    std::fs::write(&file, list.join("\n")).expect("a list");
    let mut command = restore(cluster, database, archive);
    command.arg("--use-list").arg(file);
    command
}

fn create(cluster: &Cluster, database: &str) -> Client {
    run(
        &mut cluster.connect(),
        &format!("CREATE DATABASE {database}"),
    );
    cluster.connect_to(database)
}

fn script(cluster: &Cluster, name: &str, text: &str) -> PathBuf {
    let file = cluster.dir().join(name);
    std::fs::write(&file, text).expect("a script");
    file
}

/// Whatever order the tables come in, whatever the application is called, by pg_restore and by
/// a script: the payments of affiliate.payment find referrals before their ledger, and post nothing.
#[test]
fn a_ledger_finds_nothing_in_its_way() {
    let cluster = Cluster::start();
    let mut original = shop(&cluster);
    let expected = picture(&mut original);
    let archive = archive(&cluster);
    let mut list = contents(&cluster, &archive);
    let is_ledger = |line: &String| {
        line.contains(" TABLE DATA affiliate commission")
            || line.contains(" TABLE DATA affiliate quarantine")
    };
    let (late, mut rest): (Vec<_>, Vec<_>) = list.drain(..).partition(is_ledger);
    assert_eq!(late.len(), 2, "the ledger is not in the archive");
    let referrals = " TABLE DATA affiliate referral";
    let at = rest.iter().position(|line| line.contains(referrals));
    let referral = rest.remove(at.expect("referrals in the archive"));
    let payment = " TABLE DATA affiliate payment ";
    let at = rest.iter().position(|line| line.contains(payment));
    rest.insert(at.expect("payments in the archive"), referral);
    rest.extend(late);

    let mut restored = create(&cluster, "by_name");
    run_quietly(&mut restore_listed(&cluster, "by_name", &archive, &rest));
    assert_eq!(picture(&mut restored), expected);

    let mut restored = create(&cluster, "another_name");
    let mut command = restore_listed(&cluster, "another_name", &archive, &rest);
    run_quietly(command.env("PGAPPNAME", "nightly"));
    assert_eq!(picture(&mut restored), expected);

    let mut restored = create(&cluster, "rows");
    let text = pg_dump(&cluster, SHOP, &["--inserts"]);
    psql_file(&cluster, "rows", &script(&cluster, "inserts", &text));
    assert_eq!(picture(&mut restored), expected);

    let mut restored = create(&cluster, "scripted");
    let file = cluster.dir().join("script");
    let mut command = client_program(&cluster, "pg_restore");
    command.arg("--use-list").arg(cluster.dir().join("list"));
    run_quietly(command.arg("--file").arg(&file).arg(&archive));
    psql_file(&cluster, "scripted", &file);
    assert_eq!(picture(&mut restored), expected);
    assert_eq!(violated(&mut restored), violated(&mut original));
    // the session of an application posts as ever
    for client in [&mut original, &mut restored] {
        pay(client, 1000);
    }
    assert_eq!(
        value(&mut restored, "SELECT count(*) FROM affiliate.commission"),
        value(&mut original, "SELECT count(*) FROM affiliate.commission"),
    );
}

/// Without the rows of any one table or the state of any one sequence of the extension.
#[test]
fn payments_go_on_whatever_was_left_out() {
    let cluster = Cluster::start();
    drop(shop(&cluster));
    let archive = archive(&cluster);
    let list = contents(&cluster, &archive);
    let ours = |line: &&String| {
        line.contains(" TABLE DATA affiliate ") || line.contains(" SEQUENCE SET affiliate ")
    };
    let entries: Vec<&String> = list.iter().filter(ours).collect();
    assert!(entries.len() > 30, "only {} entries", entries.len());
    for (number, left_out) in entries.into_iter().enumerate() {
        let database = format!("restored_{number}");
        let mut client = create(&cluster, &database);
        let rest: Vec<String> = list.iter().filter(|l| *l != left_out).cloned().collect();
        run_quietly(&mut restore_listed(&cluster, &database, &archive, &rest));
        pay(&mut client, 1000);
        if let Err(error) = client.batch_execute("SELECT affiliate_maintain()") {
            let refused = refusal(left_out, Err::<(), _>(error));
            assert_eq!(refused.sqlstate, "55000", "{left_out}: {refused:?}");
        }
        run(&mut client, "SELECT affiliate_rebuild_figures()");
        run(&mut client, "SELECT affiliate_maintain()");
        pay(&mut client, 1001);
        let violated = violated(&mut client);
        let figures = [
            "sequences_ahead",
            "figures_equal_ledger",
            "open_entries_after_mark",
        ];
        // figures are of affiliates, in programs, and of referrals
        let has_affiliates = !["affiliate", "program", "referral"]
            .iter()
            .any(|table| left_out.contains(&format!(" TABLE DATA affiliate {table} ")));
        for check in figures.into_iter().filter(|_| has_affiliates) {
            assert!(
                !violated.iter().any(|v| v == check),
                "{left_out}: {violated:?}"
            );
        }
        drop(client);
        run(&mut cluster.connect(), &format!("DROP DATABASE {database}"));
    }
}

#[test]
fn payments_go_on_in_a_schema_without_data_until_it_is_attached_again() {
    let cluster = Cluster::start();
    drop(shop(&cluster));
    let mut client = create(&cluster, "bare");
    let text = pg_dump(&cluster, SHOP, &["--schema-only"]);
    psql_file(&cluster, "bare", &script(&cluster, "schema", &text));
    pay(&mut client, 1);
    run(&mut client, "TRUNCATE orders, refunds");
    assert_verified(&mut client);
    let strays = "SELECT string_agg(DISTINCT table_name, ',') FROM affiliate.binding_health WHERE problem IS NOT NULL";
    let all = "public.copied,public.orders,public.parts,public.parts_1,public.refunds";
    assert_eq!(value(&mut client, strays), all);

    run(
        &mut client,
        "SELECT affiliate_create('alice', code => 'alice'), affiliate_attribute('u', code => 'alice');
         SELECT affiliate_attach_payments('orders', customer => 'customer', amount => 'total', paid_at => 'at');
         SELECT affiliate_attach_refunds('refunds', payments => 'orders', payment_key => 'order_id',
            refund_key => 'id', amount => 'amount');
         SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount');
         SELECT affiliate_detach('copied');",
    );
    assert_eq!(value(&mut client, strays), "");
    pay(&mut client, 2);
    let posted = "SELECT string_agg(format('%s %s', binding_id, posted), ',' ORDER BY binding_id)
        FROM (SELECT binding_id, sum(amount) AS posted FROM affiliate.commission GROUP BY binding_id) c";
    assert_eq!(value(&mut client, posted), "1 3.00,2 5.70,3 3.00");
}

/// The data may follow a schema that has its triggers already, in any order.
#[test]
fn data_alone_follows_its_schema() {
    let cluster = Cluster::start();
    let mut original = shop(&cluster);
    let expected = picture(&mut original);
    let archive = archive(&cluster);
    let scripted = pg_dump(&cluster, SHOP, &["--data-only"]);
    let scripted = script(&cluster, "data.sql", &scripted);
    for (database, jobs) in [("in_one_job", "1"), ("in_jobs", "4"), ("scripted", "0")] {
        let mut client = create(&cluster, database);
        run_quietly(restore(&cluster, database, &archive).arg("--schema-only"));
        let mut command = if jobs == "0" {
            let mut command = client_program(&cluster, "psql");
            let arguments = [
                "--no-psqlrc",
                "--quiet",
                "--set=ON_ERROR_STOP=1",
                "--dbname",
            ];
            command.args(arguments).arg(database);
            command.arg("--file").arg(&scripted);
            command
        } else {
            let mut command = restore(&cluster, database, &archive);
            command.args(["--data-only", "--jobs", jobs]);
            command
        };
        let restored = command.output().expect("a client program");
        let said = String::from_utf8_lossy(&restored.stderr);
        assert!(restored.status.success(), "{database}: {said}");
        if jobs == "0" {
            // of orders, refunds, parts and copied; pg_restore keeps them to itself
            let warnings = said
                .matches("rows that a dump restores are not posted")
                .count();
            assert_eq!(warnings, 4, "{said}");
        }
        assert_eq!(picture(&mut client), expected, "{database}");
        assert_eq!(violated(&mut client), violated(&mut original), "{database}");
        pay(&mut client, 1000);
        assert_eq!(violated(&mut client), violated(&mut original), "{database}");
    }
}

#[test]
fn a_clean_restore_needs_leave_to_drop_the_ledger() {
    let cluster = Cluster::start();
    let mut client = shop(&cluster);
    let expected = picture(&mut client);
    let archive = archive(&cluster);
    pay(&mut client, 1000);
    drop(client);

    let clean = || {
        let mut command = client_program(&cluster, "pg_restore");
        let arguments = ["--clean", "--if-exists", "--dbname", SHOP];
        command.args(arguments).arg(&archive);
        command
    };
    let refused = clean().output().expect("pg_restore");
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(errors.contains("the ledger is not empty"), "{errors}");
    // the ledger is there, the tables are others now
    let mut client = cluster.connect_to(SHOP);
    let payments =
        "SELECT count(DISTINCT payment_key) FROM affiliate.commission WHERE binding_id = 1";
    assert_eq!(value(&mut client, payments), "51");
    pay(&mut client, 1001);
    let dropped = "SELECT count(*) FROM affiliate.binding WHERE payments IS NULL";
    assert_eq!(value(&mut client, dropped), "3");
    drop(client);

    let mut command = clean();
    let restored = command.env("PGOPTIONS", "-c affiliate.allow_drop=on");
    let restored = restored.output().expect("pg_restore");
    // pg_dump writes this for any partition with a primary key
    let errors = String::from_utf8_lossy(&restored.stderr);
    let own: Vec<&str> = errors.lines().filter(|l| l.contains("error:")).collect();
    assert_eq!(own.len(), 1, "{errors}");
    assert!(
        own[0].contains("cannot drop inherited constraint"),
        "{errors}"
    );
    let mut client = cluster.connect_to(SHOP);
    assert_eq!(picture(&mut client), expected);
    assert_eq!(violated(&mut client), ["quarantine_empty"]);
    pay(&mut client, 1002);
    assert_eq!(violated(&mut client), ["quarantine_empty"]);
}

/// A dump has the name of a dropped table and no number, which may be another table's; even one
/// made before that was noticed.
#[test]
fn a_dropped_table_does_not_become_another_one() {
    const FORMER: &str = "CREATE TABLE former (id int PRIMARY KEY, customer text, amount numeric);
         SELECT affiliate_attach_payments('former', customer => 'customer', amount => 'amount');
         INSERT INTO former VALUES (1, 'u', 10);";
    let cluster = Cluster::start();
    let mut client = shop(&cluster);
    run(&mut client, FORMER);
    let number = value(&mut client, "SELECT 'former'::regclass::oid");
    run(
        &mut client,
        "ALTER EVENT TRIGGER affiliate_forget_dropped_tables DISABLE;
         DROP TABLE former, refunds;
         ALTER EVENT TRIGGER affiliate_forget_dropped_tables ENABLE ALWAYS;",
    );
    let stale = pg_dump(&cluster, SHOP, &[]);
    run(&mut client, "SELECT affiliate_maintain()");
    let noticed = pg_dump(&cluster, SHOP, &[]);
    assert!(
        noticed.contains(&format!("\n5\t\\N\t{number}\tpublic.former\t")),
        "{noticed}"
    );
    assert!(!noticed.contains(&format!("\n5\t{number}\t")), "{noticed}");

    // the number is another table's where the dump is restored
    let mut restored = create(&cluster, "restored");
    run(
        &mut restored,
        "CREATE TABLE stranger (id int PRIMARY KEY, customer text, amount numeric)",
    );
    let stranger = value(&mut restored, "SELECT 'stranger'::regclass::oid");
    let from = format!("\n5\t{number}\t{number}\tpublic.former\t");
    let to = format!("\n5\t{stranger}\t{stranger}\tpublic.former\t");
    assert!(stale.contains(&from), "{stale}");
    let text = stale.replace(&from, &to);
    psql_file(&cluster, "restored", &script(&cluster, "stale", &text));
    for client in [&mut client, &mut restored] {
        let bound =
            "SELECT payments::text FROM affiliate.binding WHERE table_name = 'public.former'";
        assert_eq!(value(client, bound), "");
        let gone =
            "SELECT string_agg(table_name, ',' ORDER BY table_name) FROM affiliate.binding_health
            WHERE problem = 'the table has been dropped'";
        assert_eq!(value(client, gone), "public.former,public.refunds");
        run(
            client,
            "SELECT affiliate_detach(dropped => 'public.former')",
        );
    }
    // it can be attached, and only then
    let attach =
        "SELECT affiliate_attach_payments('stranger', customer => 'customer', amount => 'amount')";
    assert_eq!(value(&mut restored, attach), "6");
}
