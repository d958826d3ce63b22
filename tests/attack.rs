//! Plays the attacker: the owner of an attached table, roles with access of ours, and whoever
//! inserts payments. What they can get is written in `tests/attack/world.rs`: nothing.
//!
//! `cargo test --test attack -- WORD…` plays the attacks whose names contain one of the words.

#[path = "attack/interface.rs"]
mod interface;
#[path = "attack/play.rs"]
mod play;
#[path = "attack/report.rs"]
mod report;
#[path = "attack/script.rs"]
mod script;
#[path = "attack/session.rs"]
mod session;
mod support;
#[path = "attack/world.rs"]
mod world;

use std::process::ExitCode;
use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use play::Circumstances;
use postgres::{Client, NoTls};
use report::Report;
use script::{Attack, read};
use session::Session;
use support::Cluster;
use support::check::run;

const SHOP: &str = include_str!("attack/shop.sql");

macro_rules! kinds {
    ($($kind:literal),* $(,)?) => {
        vec![$(($kind, include_str!(concat!("attack/sql/", $kind, ".sql")))),*]
    };
}

fn attacks() -> Vec<Attack> {
    let kinds = kinds![
        "types",
        "casts",
        "operators",
        "domains",
        "defaults",
        "indexes",
        "statistics",
        "rules",
        "views",
        "policies",
        "triggers",
        "partitions",
        "inheritance",
        "event_triggers",
        "names",
        "settings",
        "conditions",
    ];
    kinds
        .into_iter()
        .flat_map(|(kind, text)| read(kind, text))
        .collect()
}

/// Connects as the superuser, to a server that an attack may have brought down a moment ago.
fn connect(cluster: &Cluster) -> Client {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match cluster.config("postgres", "postgres").connect(NoTls) {
            Ok(client) => return client,
            Err(error) if Instant::now() > deadline => panic!("the server is gone: {error:?}"),
            Err(_) => sleep(Duration::from_millis(50)),
        }
    }
}

/// The server of all attacks, with the roles in them and a database that each begins with.
fn stage() -> Cluster {
    let cluster = Cluster::builder()
        .set("jit", "off")
        .set("synchronous_commit", "off")
        .start();
    let mut admin = connect(&cluster);
    run(
        &mut admin,
        "CREATE ROLE mallory LOGIN; CREATE ROLE alice LOGIN; CREATE ROLE cashier LOGIN; CREATE ROLE web LOGIN;
         CREATE ROLE finance LOGIN; CREATE ROLE treasurer LOGIN; CREATE ROLE keeper NOLOGIN",
    );
    run(&mut admin, "CREATE DATABASE shop");
    run(&mut cluster.connect_to("shop"), SHOP);
    cluster
}

/// Why an attack can't be played here.
fn obstacle(admin: &mut Client, attack: &Attack) -> Option<String> {
    const MAJOR: &str = "SELECT current_setting('server_version_num')::int / 10000";
    let major: i32 = admin.query_one(MAJOR, &[]).expect("the version").get(0);
    if major < attack.from {
        return Some(format!("for PostgreSQL {} and later", attack.from));
    }
    if let Some(until) = attack.until.filter(|until| major > *until) {
        return Some(format!("for PostgreSQL {until} and earlier"));
    }
    let extension = attack.needs.as_ref()?;
    let found = admin
        .query(
            "SELECT FROM pg_available_extensions WHERE name = $1",
            &[extension],
        )
        .expect("the extensions");
    found
        .is_empty()
        .then(|| format!("the server has no {extension}"))
}

fn play_attacks(cluster: &Cluster, report: &mut Report) {
    let plays = attacks().into_iter().flat_map(|attack| {
        let attack = Rc::new(attack);
        let moments = attack.moments().into_iter();
        moments.map(move |moment| (Rc::clone(&attack), moment))
    });
    for (turn, (attack, moment)) in plays.enumerate() {
        let circumstances = Circumstances::of_turn(turn, moment);
        let name = format!("{}: {}, {circumstances}", attack.kind, attack.name);
        if !report.wants(&name) {
            continue;
        }
        // the last one may have brought the server down
        let mut admin = connect(cluster);
        if let Some(why) = obstacle(&mut admin, &attack) {
            report.skip(&name, &why);
            continue;
        }
        let database = format!("attack_{turn}");
        run(
            &mut admin,
            &format!("CREATE DATABASE {database} TEMPLATE shop"),
        );
        report.attack(name, || {
            play::play(cluster, &database, &attack, circumstances)
        });
        let mut admin = connect(cluster);
        world::restore_roles(&mut admin);
        run(
            &mut admin,
            &format!("DROP DATABASE {database} WITH (FORCE)"),
        );
    }
}

fn play_probes(cluster: &Cluster, report: &mut Report) {
    run(
        &mut connect(cluster),
        "CREATE DATABASE interface TEMPLATE shop",
    );
    let mut superuser = Session::open(cluster, "interface", "postgres", 0);
    interface::prepare(&mut superuser);
    for probe in interface::PROBES {
        let name = format!("interface: {}, as {}", probe.name, probe.role);
        report.attack(name, || {
            interface::play(cluster, "interface", &mut superuser, probe)
        });
    }
    report.attack("interface: nothing is granted to PUBLIC".to_owned(), || {
        interface::public_rights(&mut superuser)
    });
}

fn main() -> ExitCode {
    let words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    let mut report = Report::of(words.collect());
    let cluster = stage();
    play_attacks(&cluster, &mut report);
    play_probes(&cluster, &mut report);
    // before the server stops, and what its log says has the last word
    report.end()
}
