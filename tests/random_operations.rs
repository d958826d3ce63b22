//! Tens of thousands of random operations, checked against a model that knows only the rules.
//!
//! `AFFILIATE_SEED` replays a run, `AFFILIATE_OPERATIONS` sets its length, `AFFILIATE_TRAIL=file`
//! writes down every statement, and `AFFILIATE_SCOPE=inserts` leaves out whatever changes a payment
//! after its insert.

mod driver;
mod model;
mod support;

use std::io::Write;

use driver::{Driver, Scope, tables};
use model::World;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use support::Cluster;

fn from_environment(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

#[test]
fn figures_and_payouts_equal_the_rules_after_any_sequence_of_operations() {
    let seed = from_environment("AFFILIATE_SEED", rand::random::<u32>().into());
    let operations = from_environment("AFFILIATE_OPERATIONS", 20_000);
    let scope = match std::env::var("AFFILIATE_SCOPE").as_deref() {
        Ok("inserts") => Scope::Inserts,
        Ok(other) => panic!("AFFILIATE_SCOPE={other} is not known"),
        Err(_) => Scope::Everything,
    };
    // Past the test harness, so that it is seen even if the run hangs or is killed.
    writeln!(
        std::io::stderr(),
        "AFFILIATE_SEED={seed} AFFILIATE_OPERATIONS={operations}"
    )
    .expect("stderr");

    let cluster = Cluster::builder()
        .set("max_prepared_transactions", "10")
        .start();
    let mut admin = cluster.database_with_affiliate("random");
    let today: i32 = admin
        .query_one("SELECT now()::date - date '1970-01-01'", &[])
        .expect("the server's date")
        .get(0);
    let today = i64::from(today);
    let since = (today - 100) * 86_400;
    support::check::run(
        &mut admin,
        &tables::set_up(since, scope == Scope::Everything),
    );
    let world = World {
        today,
        programs: tables::programs(),
        bindings: tables::bindings(since),
        ..World::default()
    };

    let rng = ChaCha8Rng::seed_from_u64(seed);
    let mut driver = Driver::new(&cluster, "random", rng, scope, world);
    for _ in 0..20 {
        driver.enrol_one();
    }
    for operation in 1..=operations {
        driver.step();
        if operation % 250 == 0 || operation == operations {
            driver.check();
        }
    }
    let ledger = driver.world.entries.len();
    let payouts = driver.world.payouts.len();
    assert!(
        ledger > 0 && payouts > 0,
        "{ledger} entries, {payouts} payouts: nothing was tested"
    );
}
