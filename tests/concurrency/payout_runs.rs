//! Payout runs: at once, and killed midway.

use std::thread;
use std::time::Duration;

use postgres::Client;

use super::{DATABASE, connect_named};
use crate::support::check::{run, value};
use crate::support::{Cluster, Refusal, assert_verified};

/// Many affiliates who are owed 30.00 each.
fn shop_with_many_affiliates(cluster: &Cluster, count: usize) -> Client {
    let mut admin = cluster.database_with_affiliate(DATABASE);
    run(
        &mut admin,
        &format!(
            "SELECT affiliate_set_program('default', payout_threshold => 30);
             SELECT affiliate_attribute('user-' || n, code => a.code,
                    attributed_at => now() - interval '1 day')
             FROM generate_series(1, {count}) AS n, affiliate_create('partner-' || n) AS a;
             INSERT INTO affiliate.payment (customer, amount)
             SELECT 'user-' || n, 50 FROM generate_series(1, {count}) AS n, generate_series(1, 2);"
        ),
    );
    admin
}

/// Every affiliate has exactly one payout, of everything it is owed.
fn assert_each_paid_once(admin: &mut Client, count: usize) {
    let wrong = admin
        .query(
            "SELECT format('%s: %s payouts, %s', s.code, p.n, p.amount)
             FROM affiliate_stats() AS s CROSS JOIN LATERAL (
                 SELECT count(*) AS n, sum(amount) AS amount FROM affiliate_payouts(s.code)) AS p
             WHERE (p.n, p.amount, s.processing_amount, s.total_payout_amount)
                 IS DISTINCT FROM (1, 30, 30, 0)",
            &[],
        )
        .expect("the payouts");
    let wrong: Vec<String> = wrong.iter().map(|row| row.get(0)).collect();
    assert!(
        wrong.is_empty(),
        "{} are not paid exactly once: {wrong:#?}",
        wrong.len()
    );
    assert_eq!(
        value(admin, "SELECT count(*) FROM affiliate_stats()"),
        count.to_string()
    );
    assert_verified(admin);
}

#[test]
fn a_payout_run_that_was_killed_midway_is_completed_by_the_next() {
    const COUNT: usize = 3000;
    let cluster = Cluster::start();
    let mut admin = shop_with_many_affiliates(&cluster, COUNT);
    // Slow enough that it can be met on its way.
    run(
        &mut admin,
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END';
         CREATE TRIGGER dawdle BEFORE INSERT ON affiliate.payout
             FOR EACH ROW EXECUTE FUNCTION dawdle();",
    );
    let payouts = "SELECT count(*) FROM affiliate.payout";
    let mut killed_midway = 0;
    while killed_midway < 3 {
        let before: usize = value(&mut admin, payouts).parse().expect("a count");
        assert!(before < COUNT, "the run ended before it could be killed");
        let mut runner = connect_named(&cluster, "payouts");
        let outcome = thread::scope(|scope| {
            let run = scope.spawn(move || {
                runner.batch_execute("CALL affiliate_run_payouts(through => current_date)")
            });
            // As soon as it has committed something new.
            while !run.is_finished()
                && value(&mut admin, payouts)
                    .parse::<usize>()
                    .expect("a count")
                    == before
            {
                thread::sleep(Duration::from_millis(2));
            }
            admin
                .execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE application_name = 'payouts'",
                    &[],
                )
                .expect("pg_terminate_backend");
            run.join().expect("the thread of the run")
        });
        let error = outcome.expect_err("a run that was terminated");
        assert!(
            error.is_closed() || Refusal::of(&error).sqlstate == "57P01",
            "{error:?}"
        );
        let after: usize = value(&mut admin, payouts).parse().expect("a count");
        assert!(
            before < after && after < COUNT,
            "{before}, {after}: not met midway"
        );
        assert_verified(&mut admin);
        killed_midway += 1;
    }
    run(&mut admin, "DROP TRIGGER dawdle ON affiliate.payout");
    run(
        &mut admin,
        "CALL affiliate_run_payouts(through => current_date)",
    );
    assert_each_paid_once(&mut admin, COUNT);
}

#[test]
fn payout_runs_at_the_same_time_pay_each_affiliate_once() {
    const COUNT: usize = 400;
    let cluster = Cluster::start();
    let mut admin = shop_with_many_affiliates(&cluster, COUNT);
    thread::scope(|scope| {
        for _ in 0..4 {
            let mut client = cluster.connect_to(DATABASE);
            scope.spawn(move || {
                run(
                    &mut client,
                    "CALL affiliate_run_payouts(through => current_date)",
                );
            });
        }
    });
    assert_each_paid_once(&mut admin, COUNT);
    run(
        &mut admin,
        "CALL affiliate_run_payouts(through => current_date)",
    );
    assert_each_paid_once(&mut admin, COUNT);
}
