//! Sessions with snapshots of their own, prepared transactions, and folds beside them.

use std::sync::{Arc, Mutex};
use std::thread;

use postgres::{Client, NoTls};

use super::{
    DATABASE, PAYMENTS, connect_named, fold_until_stopped, insert_for_a_while,
    pay_out_until_stopped, shop_with_one_affiliate,
};
use crate::support::check::run;
use crate::support::money::DEFAULT_RATE;
use crate::support::{Cluster, Load, Refusal, assert_earned, assert_verified, figures};

#[test]
fn sessions_with_a_snapshot_never_fail_to_serialize_because_of_the_ledger() {
    let cluster = Cluster::start();
    let (mut admin, code) = shop_with_one_affiliate(&cluster);
    Load::new()
        .with(|stop| pay_out_until_stopped(&cluster, stop))
        .with(|stop| fold_until_stopped(&cluster, stop))
        .run(|_| {
            thread::scope(|scope| {
                for seed in 0..8_u64 {
                    let mut client = connect_named(&cluster, "inserter");
                    let isolation = ["REPEATABLE READ", "SERIALIZABLE"][seed as usize % 2];
                    run(
                        &mut client,
                        &format!("SET default_transaction_isolation = '{isolation}'"),
                    );
                    // Any error ends the test, 40001 first of all.
                    scope.spawn(move || insert_for_a_while(&mut client, 100 + seed, 120));
                }
            });
        });
    assert_earned(&mut admin, &code, PAYMENTS, DEFAULT_RATE);
    assert_verified(&mut admin);
}

#[test]
fn a_snapshot_taken_before_a_fold_and_a_payout_still_shows_its_own_payments() {
    let cluster = Cluster::start();
    let (mut admin, code) = shop_with_one_affiliate(&cluster);
    let insert = "INSERT INTO affiliate.payment (customer, amount) VALUES ('user-1', 20)";
    run(&mut admin, insert);
    let mut old = cluster.connect_to(DATABASE);
    run(&mut old, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    run(&mut admin, insert);
    run(&mut admin, "SELECT affiliate_maintain()");
    run(
        &mut admin,
        "CALL affiliate_run_payouts(through => current_date)",
    );
    run(&mut old, insert);

    let seen = figures(&mut old, &code)["USD"];
    assert_eq!(
        (seen.commission, seen.payable, seen.processing),
        (12_00, 12_00, 0)
    );
    run(&mut old, "COMMIT");
    let now = figures(&mut old, &code)["USD"];
    assert_eq!(
        (now.commission, now.payable, now.processing),
        (18_00, 6_00, 12_00)
    );
    run(&mut admin, "SELECT affiliate_maintain()");
    assert_eq!(figures(&mut old, &code)["USD"], now);
    assert_verified(&mut admin);
}

#[test]
fn a_prepared_transaction_delays_folding_and_falsifies_nothing() {
    let mut cluster = Cluster::builder()
        .set("max_prepared_transactions", "5")
        .start();
    let (mut admin, code) = shop_with_one_affiliate(&cluster);
    let insert = |n: i32| {
        format!("INSERT INTO affiliate.payment (customer, amount) VALUES ('user-{n}', 20)")
    };
    let commission = |client: &mut Client| figures(client, &code)["USD"].commission;

    run(&mut admin, &insert(1));
    run(
        &mut admin,
        &format!("BEGIN; {}; PREPARE TRANSACTION 'kept'", insert(2)),
    );
    run(
        &mut admin,
        &format!("BEGIN; {}; PREPARE TRANSACTION 'undone'", insert(3)),
    );
    assert_eq!(commission(&mut admin), 6_00);

    // The fold gives up waiting for whoever may never come back, and says so. It must do so long
    // before this.
    run(&mut admin, "SET statement_timeout = '2min'");
    let told = fold_and_listen(&cluster);
    assert!(
        !told.is_empty(),
        "a fold that could not be completed says nothing"
    );
    assert_eq!(commission(&mut admin), 6_00);
    run(&mut admin, &insert(4));
    assert_eq!(commission(&mut admin), 12_00);

    // Prepared transactions survive a crash.
    drop(admin);
    cluster.kill();
    cluster.restart();
    let mut admin = cluster.connect_to(DATABASE);
    assert_eq!(commission(&mut admin), 12_00);
    run(&mut admin, "COMMIT PREPARED 'kept'");
    assert_eq!(commission(&mut admin), 18_00);
    run(&mut admin, "ROLLBACK PREPARED 'undone'");
    assert_eq!(fold_and_listen(&cluster), Vec::<String>::new());
    assert_eq!(commission(&mut admin), 18_00);
    assert_eq!(figures(&mut admin, &code)["USD"].conversions, 3);
    assert_verified(&mut admin);
}

/// Folds, and returns the messages of level NOTICE and above that came with it.
fn fold_and_listen(cluster: &Cluster) -> Vec<String> {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let sink = messages.clone();
    let mut client = cluster
        .config("postgres", DATABASE)
        .notice_callback(move |notice| {
            sink.lock()
                .expect("the messages")
                .push(notice.message().to_owned());
        })
        .connect(NoTls)
        .expect("a connection");
    run(&mut client, "SET statement_timeout = '2min'");
    run(&mut client, "SELECT affiliate_maintain()");
    drop(client);
    messages.lock().expect("the messages").clone()
}

#[test]
fn a_fold_within_a_transaction_does_not_wait_for_itself() {
    let cluster = Cluster::start();
    let (mut admin, code) = shop_with_one_affiliate(&cluster);
    run(&mut admin, "SET statement_timeout = '2min'");
    let insert = "INSERT INTO affiliate.payment (customer, amount) VALUES ('user-1', 20)";
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let before = figures(&mut admin, &code)["USD"].commission;
        run(
            &mut admin,
            &format!("BEGIN ISOLATION LEVEL {isolation}; {insert}; SAVEPOINT fold"),
        );
        // It may refuse such a transaction, in words, but not hang or spoil the figures.
        if let Err(error) = admin.batch_execute("SELECT affiliate_maintain()") {
            let refusal = Refusal::of(&error);
            assert!(!refusal.sqlstate.starts_with("XX") && refusal.sqlstate != "57014");
            run(&mut admin, "ROLLBACK TO fold");
        }
        assert_eq!(figures(&mut admin, &code)["USD"].commission, before + 6_00);
        run(&mut admin, "COMMIT");
        assert_eq!(figures(&mut admin, &code)["USD"].commission, before + 6_00);
    }
    run(&mut admin, "SELECT affiliate_maintain()");
    assert_eq!(figures(&mut admin, &code)["USD"].commission, 18_00);
    assert_verified(&mut admin);
}

#[test]
fn a_fold_does_not_wait_for_a_vacuum_of_the_ledger() {
    let cluster = Cluster::start();
    let (mut admin, code) = shop_with_one_affiliate(&cluster);
    run(
        &mut admin,
        "INSERT INTO affiliate.payment (customer, amount)
         SELECT 'user-1', 20 FROM generate_series(1, 20000)",
    );
    let mut vacuum = connect_named(&cluster, "vacuum");
    let vacuuming = thread::spawn(move || {
        // a nap after each page: minutes for all of them
        run(
            &mut vacuum,
            "SET vacuum_cost_limit = 1; SET vacuum_cost_delay = 100",
        );
        // it is canceled below
        let _ = vacuum.batch_execute("VACUUM (FREEZE) affiliate.commission");
    });
    const IS_VACUUMING: &str = "SELECT count(*) FROM pg_stat_progress_vacuum v
        WHERE v.relid = 'affiliate.commission'::regclass";
    let mut is_vacuuming = || {
        admin
            .query_one(IS_VACUUMING, &[])
            .expect("a count")
            .get::<_, i64>(0)
    };
    while is_vacuuming() == 0 {
        thread::sleep(std::time::Duration::from_millis(5));
    }
    let mut folder = connect_named(&cluster, "folder");
    let folded: i64 = folder
        .query_one("SELECT affiliate_maintain()", &[])
        .expect("a fold")
        .get(0);
    assert_eq!(is_vacuuming(), 1, "the fold was to be made beside a VACUUM");
    // the entries, and the referral of their customer
    assert!(folded >= 20_000, "{folded} rows folded");
    run(
        &mut admin,
        "SELECT pg_cancel_backend(pid) FROM pg_stat_progress_vacuum",
    );
    vacuuming.join().expect("the session of the VACUUM");
    assert_eq!(figures(&mut admin, &code)["USD"].commission, 20_000 * 6_00);
    assert_verified(&mut admin);
}
