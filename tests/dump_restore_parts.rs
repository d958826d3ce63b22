//! Dumps that are not whole, and restores that meet something.

#[path = "dump_restore_parts/archives.rs"]
mod archives;
mod support;

use archives::{
    SHOP, archive, contents, create, pay, picture, restore, restore_listed, script, shop, violated,
};
use support::check::{run, value};
use support::tools::{client_program, pg_dump, psql_file, run_quietly};
use support::{Cluster, assert_verified, refusal};

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

/// Under another number, payments would be posted once more.
#[test]
fn nothing_is_attached_in_place_of_bindings_that_were_left_out() {
    let cluster = Cluster::start();
    let mut original = shop(&cluster);
    let archive = archive(&cluster);
    let list = contents(&cluster, &archive);
    let of_bindings = |line: &&String| line.contains(" TABLE DATA affiliate binding ");
    let rest: Vec<String> = list.iter().filter(|l| !of_bindings(l)).cloned().collect();
    assert_eq!(rest.len() + 1, list.len());
    let mut client = create(&cluster, "restored");
    run_quietly(&mut restore_listed(&cluster, "restored", &archive, &rest));
    let attach = "SELECT affiliate_attach_payments('orders', customer => 'customer', amount => 'total', paid_at => 'at')";
    let refused = refusal("attaching", client.batch_execute(attach));
    assert_eq!(refused.sqlstate, "55000", "{refused:?}");
    assert!(
        refused.message.contains("a binding that is not there"),
        "{refused:?}"
    );

    let mut command = restore(&cluster, "restored", &archive);
    run_quietly(command.args(["--data-only", "--schema=affiliate", "--table=binding"]));
    assert_eq!(picture(&mut client), picture(&mut original));
    pay(&mut client, 1000);
    assert_eq!(violated(&mut client), violated(&mut original));
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
