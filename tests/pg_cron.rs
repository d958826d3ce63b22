//! Payouts scheduled with the real pg_cron.

mod support;

use std::time::{Duration, Instant};

use postgres::Client;
use support::check::{attribute, enroll, run, value};
use support::{Builder, Cluster, assert_verified, figures, refusal};

const DATABASE: &str = "shop";

/// pg_cron looks at its jobs once a minute.
const PATIENCE: Duration = Duration::from_secs(200);

fn cluster_with_pg_cron(settings: impl FnOnce(Builder) -> Builder) -> Cluster {
    let builder = Cluster::builder()
        .set("shared_preload_libraries", "pg_cron")
        .set("cron.database_name", DATABASE);
    settings(builder).start()
}

fn shop_with_pg_cron(cluster: &Cluster) -> Client {
    let mut admin = cluster.database_with_affiliate(DATABASE);
    run(&mut admin, "CREATE EXTENSION pg_cron");
    admin
}

/// Schedules that go off every minute, or every few seconds where pg_cron can.
fn soon(admin: &mut Client) -> &'static str {
    let version = "SELECT extversion::numeric >= 1.5 FROM
         (SELECT substring(extversion from '^[0-9]+[.][0-9]+') AS extversion
          FROM pg_extension WHERE extname = 'pg_cron') AS e";
    if value(admin, version) == "true" {
        "2 seconds"
    } else {
        "* * * * *"
    }
}

/// What was earned last month and this one; returns the code.
fn earn(admin: &mut Client) -> String {
    let code = enroll(admin, "partner", "default");
    attribute(admin, "user-1", &code, "default");
    // By default a run pays what had matured by the end of the last month.
    run(
        admin,
        "INSERT INTO affiliate.payment (customer, amount, paid_at)
         VALUES ('user-1', 1000, date_trunc('month', now()) - interval '1 day'),
                ('user-1', 20, now())",
    );
    code
}

/// Waits until the scheduler has paid what was earned last month, whatever the isolation level of
/// its sessions is by default.
fn assert_pays(cluster: &Cluster) {
    let mut admin = shop_with_pg_cron(cluster);
    run(
        &mut admin,
        &format!("ALTER DATABASE {DATABASE} SET default_transaction_isolation = 'serializable'"),
    );
    let code = earn(&mut admin);
    let schedule = soon(&mut admin);
    run(
        &mut admin,
        &format!("SELECT affiliate_schedule_payouts('{schedule}', '{schedule}')"),
    );
    let mut scheduler = cluster.connect_to(DATABASE);
    assert_is_paid(&mut admin, &code, &mut scheduler);
}

/// Waits for the payout and the fold, which a scheduler makes.
fn assert_is_paid(admin: &mut Client, code: &str, scheduler: &mut Client) {
    let deadline = Instant::now() + PATIENCE;
    let payouts = format!("SELECT count(*) FROM affiliate_payouts('{code}')");
    let both = format!(
        "SELECT ({payouts}) > 0 AND entries_not_folded = 0 AND last_folded_at IS NOT NULL
         FROM affiliate.operations"
    );
    while value(admin, &both) == "false" {
        let runs = "SELECT string_agg(d::text, E'\\n') FROM cron.job_run_details AS d";
        if Instant::now() > deadline {
            panic!(
                "no payout or fold; runs of the scheduler:\n{}",
                value(scheduler, runs)
            );
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let paid = figures(admin, code)["USD"];
    assert_eq!((paid.processing, paid.payable), (30_000, 600));
    assert_eq!(value(admin, &payouts), "1");
    assert_verified(admin);
}

#[test]
fn the_scheduler_makes_payouts_in_background_workers() {
    assert_pays(&cluster_with_pg_cron(|builder| {
        builder.set("cron.use_background_workers", "on")
    }));
}

#[test]
fn the_scheduler_makes_payouts_through_a_connection() {
    // An empty host is the default socket directory, which is not this server's.
    let cluster = cluster_with_pg_cron(|builder| builder.loopback().set("cron.host", "127.0.0.1"));
    assert_pays(&cluster);
}

#[test]
fn scheduling_again_changes_the_schedule_and_unscheduling_removes_it() {
    let cluster = cluster_with_pg_cron(|builder| builder);
    let mut admin = shop_with_pg_cron(&cluster);
    // Jobs of the host are none of the extension's business.
    run(
        &mut admin,
        "SELECT cron.schedule('vacuum', '0 4 * * *', 'VACUUM')",
    );
    let payout_jobs = "SELECT string_agg(schedule, ' and ') FROM cron.job
         WHERE command ILIKE '%affiliate_run_payouts%'";

    run(&mut admin, "SELECT affiliate_schedule_payouts()");
    assert_eq!(value(&mut admin, payout_jobs), "0 3 1 * *");
    let jobs = value(&mut admin, "SELECT count(*) FROM cron.job");
    run(
        &mut admin,
        "SELECT affiliate_schedule_payouts('30 5 2 * *')",
    );
    assert_eq!(value(&mut admin, payout_jobs), "30 5 2 * *");
    assert_eq!(value(&mut admin, "SELECT count(*) FROM cron.job"), jobs);

    let error = refusal(
        "a schedule that is none",
        admin.batch_execute("SELECT affiliate_schedule_payouts('every full moon')"),
    );
    assert!(error.sqlstate.starts_with("22"), "{error:?}");
    assert_eq!(value(&mut admin, payout_jobs), "30 5 2 * *");

    run(&mut admin, "SELECT affiliate_unschedule_payouts()");
    assert_eq!(
        value(&mut admin, "SELECT string_agg(command, ',') FROM cron.job"),
        "VACUUM"
    );
    assert_eq!(
        value(&mut admin, "SELECT affiliate_unschedule_payouts()"),
        "false"
    );
}

#[test]
fn without_pg_cron_the_error_says_what_to_do() {
    let expect_hint = |what: &str, admin: &mut Client, words: &str| {
        for call in [
            "affiliate_schedule_payouts()",
            "affiliate_unschedule_payouts()",
        ] {
            let error = refusal(what, admin.batch_execute(&format!("SELECT {call}")));
            assert!(error.hint.contains(words), "{what}, {call}: {error:?}");
        }
    };
    // Neither loaded nor created.
    let cluster = Cluster::start();
    let mut admin = cluster.database_with_affiliate(DATABASE);
    expect_hint("no pg_cron at all", &mut admin, "shared_preload_libraries");
    drop(cluster);

    // Loaded and not created; and in a database that is not pg_cron's.
    let cluster = cluster_with_pg_cron(|builder| builder);
    let mut admin = cluster.database_with_affiliate(DATABASE);
    expect_hint(
        "pg_cron is not created",
        &mut admin,
        "CREATE EXTENSION pg_cron",
    );
}

#[test]
fn where_pg_cron_is_in_another_database_the_error_says_what_to_run_there() {
    let cluster = cluster_with_pg_cron(|builder| builder.set("cron.use_background_workers", "on"));
    let mut scheduler = shop_with_pg_cron(&cluster);
    let mut elsewhere = cluster.database_with_affiliate("o'clock");
    let code = earn(&mut elsewhere);
    let schedule = soon(&mut scheduler);
    let mut advice = |call: &str| {
        let error = refusal(call, elsewhere.batch_execute(&format!("SELECT {call}")));
        assert_eq!(error.sqlstate, "0A000", "{error:?}");
        assert!(error.detail.contains(DATABASE), "{error:?}");
        let sql = error.hint.split_once(": ").expect("a statement").1;
        sql.to_owned()
    };
    let scheduled = advice(&format!(
        "affiliate_schedule_payouts('{schedule}', maintain_schedule => '{schedule}')"
    ));
    let without_maintain = advice("affiliate_schedule_payouts(maintain_schedule => NULL)");
    let unscheduled = advice("affiliate_unschedule_payouts()");
    assert!(
        !without_maintain.contains("affiliate_maintain"),
        "{without_maintain}"
    );

    // jobs of one database are not those of another
    run(&mut scheduler, "SELECT affiliate_schedule_payouts()");
    run(&mut scheduler, &scheduled);
    let jobs =
        "SELECT string_agg(jobname || ' in ' || database, ', ' ORDER BY jobname) FROM cron.job";
    assert_eq!(
        value(&mut scheduler, jobs),
        "affiliate maintain (o'clock) in o'clock, affiliate maintain (shop) in shop, \
         affiliate payouts (o'clock) in o'clock, affiliate payouts (shop) in shop"
    );
    assert_is_paid(&mut elsewhere, &code, &mut scheduler);

    run(&mut scheduler, "SELECT affiliate_unschedule_payouts()");
    assert_eq!(
        value(&mut scheduler, jobs),
        "affiliate maintain (o'clock) in o'clock, affiliate payouts (o'clock) in o'clock"
    );
    run(&mut scheduler, &unscheduled);
    assert_eq!(value(&mut scheduler, "SELECT count(*) FROM cron.job"), "0");
}
