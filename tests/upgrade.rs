//! Payments go on while a package is installed and the extension updated, in both orders: an old
//! library over the objects of the next version, and this one over those of the version before.
//!
//! The versions are made up, and their scripts installed for the time of a test.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use postgres::Client;
use support::check::{attribute, enroll, run, value};
use support::cluster::bindir;
use support::money::DEFAULT_RATE;
use support::{Cluster, Load, assert_earned, assert_verified, refusal};

const DATABASE: &str = "shop";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const BEFORE: &str = "0.0.0";
const NEXT: &str = "999.0.0";

/// What a next version may do: columns of every kind at the ends of tables, functions of its
/// library and others. The library that has the one in C is not there to check its declaration.
const TO_NEXT: &str = "
    LOCK TABLE affiliate.referral IN ACCESS EXCLUSIVE MODE;
    ALTER TABLE affiliate.referral ADD COLUMN note text, ADD COLUMN campaign text NOT NULL DEFAULT 'none';
    ALTER TABLE affiliate.commission
        ADD COLUMN note text,
        ADD COLUMN channel text NOT NULL DEFAULT 'web',
        ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY,
        ADD COLUMN net numeric GENERATED ALWAYS AS (base - refunded) STORED;
    ALTER TABLE affiliate.refund ADD COLUMN note text, ADD COLUMN reason text NOT NULL DEFAULT 'none';
    ALTER TABLE affiliate.binding ADD COLUMN note text NOT NULL DEFAULT 'none';
    CREATE FUNCTION affiliate.next_thing() RETURNS integer LANGUAGE sql AS 'SELECT 7';
    CREATE FUNCTION affiliate.thing_in_c() RETURNS integer LANGUAGE c
        AS 'MODULE_PATHNAME', 'library_version_wrapper';
    UPDATE pg_proc SET prosrc = 'thing_in_c' WHERE oid = 'affiliate.thing_in_c()'::regprocedure;";

/// A script of the extension, as long as this value lives.
struct Script(PathBuf);

impl Script {
    fn install(name: &str, text: &str) -> Self {
        let mut staged = std::env::temp_dir();
        staged.push(format!("affiliate-test-{}-{name}", std::process::id()));
        fs::write(&staged, text).expect("a file");
        let path = extension_dir().join(name);
        let arguments = [Path::new("-m"), Path::new("644"), &staged, &path];
        let done = privileged("install", &arguments);
        fs::remove_file(&staged).expect("to remove a file");
        assert!(done, "cannot install {}", path.display());
        Self(path)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        privileged("rm", &[Path::new("-f"), &self.0]);
    }
}

fn extension_dir() -> PathBuf {
    let output = Command::new(bindir().join("pg_config"))
        .arg("--sharedir")
        .output()
        .expect("pg_config");
    let share = String::from_utf8(output.stdout).expect("a UTF-8 path");
    Path::new(share.trim()).join("extension")
}

/// Runs a command where scripts are; by sudo if this account may not write there.
fn privileged(program: &str, arguments: &[&Path]) -> bool {
    let dir = extension_dir();
    let probe = dir.join(format!("affiliate-test-{}", std::process::id()));
    let may_write = fs::write(&probe, "")
        .and_then(|()| fs::remove_file(&probe))
        .is_ok();
    let mut command = if may_write {
        Command::new(program)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", program]);
        sudo
    };
    command
        .args(arguments)
        .status()
        .is_ok_and(|status| status.success())
}

/// The install script of this version, as it is installed.
fn own_script() -> String {
    fs::read_to_string(extension_dir().join(format!("affiliate--{VERSION}.sql")))
        .expect("the script")
}

/// A shop with one affiliate and its table.
fn shop(admin: &mut Client) -> String {
    run(
        admin,
        "CREATE TABLE payment (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer text,
             amount numeric, paid_at timestamptz DEFAULT now());
         SELECT affiliate_attach_payments('payment', customer => 'customer', amount => 'amount',
             paid_at => 'paid_at');",
    );
    let code = enroll(admin, "partner", "default");
    attribute(admin, "user", &code, "default");
    code
}

const PAYMENTS: &str = "SELECT (amount - coalesce((SELECT sum(r.amount) FROM affiliate.refund r
         WHERE r.payment_key = p.id::text), 0))::text, 'USD'
     FROM payment p WHERE customer = 'user'";

/// Everything that reads or writes by position: single payments and many, changes, refunds.
fn trade(client: &mut Client) {
    run(
        client,
        "INSERT INTO payment (customer, amount) VALUES ('user', 20), ('nobody', 5);
         INSERT INTO payment (customer, amount) SELECT 'user', n FROM generate_series(1, 1200) n;
         UPDATE payment SET amount = amount + 1 WHERE id % 100 = 0;
         INSERT INTO payment (customer, amount) VALUES ('user', 50);
         SELECT affiliate_record_refund('payment', lastval(), 'refund ' || lastval(), 10);
         DELETE FROM payment WHERE id = lastval() - 1;",
    );
}

/// How many sessions have written that versions differ.
fn lines(cluster: &Cluster, extension: &str) -> usize {
    let line = format!("extension affiliate {extension} works with a library of version {VERSION}");
    cluster.log().matches(&line).count()
}

#[test]
fn an_old_library_goes_on_over_the_next_version() {
    let _script = Script::install(&format!("affiliate--{VERSION}--{NEXT}.sql"), TO_NEXT);
    let cluster = Cluster::start();
    let mut admin = cluster.database_with_affiliate(DATABASE);
    let code = shop(&mut admin);
    let mut open = cluster.connect_to(DATABASE);
    trade(&mut open);
    let mut load = Load::new();
    for _ in 0..3 {
        let mut client = cluster.connect_to(DATABASE);
        load = load.with(move |stop| {
            while !stop.requested() {
                run(
                    &mut client,
                    "INSERT INTO payment (customer, amount) VALUES ('user', 10)",
                );
            }
        });
    }
    load.run(|_| {
        let mut updater = cluster.connect_to(DATABASE);
        run(
            &mut updater,
            &format!("ALTER EXTENSION affiliate UPDATE TO '{NEXT}'"),
        );
        trade(&mut open);
    });
    assert!(lines(&cluster, NEXT) > 0, "{}", cluster.log());
    let before = lines(&cluster, NEXT);
    // once in a session
    trade(&mut open);
    assert_eq!(lines(&cluster, NEXT), before);
    trade(&mut cluster.connect_to(DATABASE));
    assert_eq!(lines(&cluster, NEXT), before + 1);

    assert_verified(&mut admin);
    assert_earned(&mut admin, &code, PAYMENTS, DEFAULT_RATE);
    let filled = "SELECT bool_and(channel = 'web' AND note IS NULL AND net = base - refunded)
             AND count(DISTINCT number) = count(*) FROM affiliate.commission";
    assert_eq!(value(&mut admin, filled), "true");
    let versions = "SELECT extension_version || ' ' || library_version FROM affiliate.operations";
    assert_eq!(value(&mut admin, versions), format!("{NEXT} {VERSION}"));
    assert_eq!(value(&mut open, "SELECT affiliate.next_thing()"), "7");
    let missing = open.query("SELECT affiliate.thing_in_c()", &[]);
    assert_eq!(
        refusal("a function of the next library", missing).sqlstate,
        "42883"
    );
}

#[test]
fn this_library_goes_on_over_the_version_before() {
    const NEW: &str =
        "CREATE FUNCTION affiliate.new_thing() RETURNS integer LANGUAGE sql AS 'SELECT 7';
        ALTER TABLE affiliate.commission ADD COLUMN channel text NOT NULL DEFAULT 'web';";
    let _script = Script::install(&format!("affiliate--{BEFORE}.sql"), &own_script());
    let _update = Script::install(&format!("affiliate--{BEFORE}--{VERSION}.sql"), NEW);
    let cluster = Cluster::start();
    run(
        &mut cluster.connect(),
        &format!("CREATE DATABASE {DATABASE}"),
    );
    let mut admin = cluster.connect_to(DATABASE);
    run(
        &mut admin,
        &format!("CREATE EXTENSION affiliate VERSION '{BEFORE}'"),
    );
    let code = shop(&mut admin);
    let mut open = cluster.connect_to(DATABASE);
    trade(&mut open);
    assert!(lines(&cluster, BEFORE) > 0, "{}", cluster.log());
    run(
        &mut cluster.connect_to(DATABASE),
        "ALTER EXTENSION affiliate UPDATE",
    );
    let before = lines(&cluster, BEFORE);
    trade(&mut open);
    trade(&mut cluster.connect_to(DATABASE));
    assert_eq!(lines(&cluster, BEFORE), before);

    assert_verified(&mut admin);
    assert_earned(&mut admin, &code, PAYMENTS, DEFAULT_RATE);
    let versions = "SELECT extension_version = library_version FROM affiliate.operations";
    assert_eq!(value(&mut admin, versions), "true");
}
