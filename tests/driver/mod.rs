//! Random operations on a real server and on the model.
//!
//! Several sessions work on the payments tables, some in transactions with savepoints, all driven
//! by one thread so that a seed replays exactly. What an open transaction did is kept beside it
//! and told to the model when it commits; payments it touched are left alone by the others.
//! Whatever is not about payments happens while no transaction is open.
//!
//! - this file: the driver, its sessions and what they may touch
//! - [`sessions`]: their transactions
//! - [`tables`]: the payments tables
//! - [`written`]: how a payment is written into one
//! - [`statements`], [`changes`]: what happens to payments
//! - [`rows`]: what random payments look like
//! - [`refunds`]: refunds and disputes
//! - [`parts`]: which parts of it are on
//! - [`reshaping`]: tables whose columns change, and bindings that are paused
//! - [`events`]: everything else: referrals, terms, payouts, folds
//! - [`compare`]: the database against the model

pub mod changes;
pub mod compare;
pub mod events;
pub mod parts;
pub mod refunds;
pub mod reshaping;
pub mod rows;
pub mod sessions;
pub mod statements;
pub mod tables;
pub mod written;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::Write;
use std::rc::Rc;

use postgres::Client;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use self::tables::Table;
use crate::model::{Currency, Effect, Payment, PaymentId, Row, World};
use crate::support::Cluster;

const SESSIONS: usize = 4;

/// What the driver may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everything a payments table does.
    Everything,
    /// Payments are only ever inserted.
    Inserts,
}

struct Session {
    client: Client,
    open: Option<Transaction>,
}

struct Transaction {
    /// What it did so far.
    effects: Vec<Effect>,
    /// How much it had done at each savepoint.
    savepoints: Vec<usize>,
    /// Sees nothing that was committed after this moment.
    snapshot: Option<u64>,
    serializable: bool,
}

/// The last statements, printed when the test fails; all of them go to a file on request.
struct Trail {
    last: VecDeque<String>,
    file: Option<File>,
}

impl Trail {
    fn new() -> Self {
        let file = std::env::var_os("AFFILIATE_TRAIL").map(|path| {
            File::create(&path).unwrap_or_else(|error| panic!("AFFILIATE_TRAIL: {error}"))
        });
        Trail {
            last: VecDeque::new(),
            file,
        }
    }

    fn note(&mut self, line: String) {
        if let Some(file) = &mut self.file {
            writeln!(file, "{line};").expect("AFFILIATE_TRAIL");
        }
        if self.last.len() == 60 {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the last statements ---");
            for line in &self.last {
                eprintln!("{line}");
            }
        }
    }
}

pub struct Driver<'a> {
    cluster: &'a Cluster,
    database: &'a str,
    rng: ChaCha8Rng,
    scope: Scope,
    pub world: World,
    /// The payments tables by binding number of the model.
    tables: Vec<Rc<Table>>,
    sessions: Vec<Session>,
    /// For what happens outside the sessions.
    admin: Client,
    /// Every key that was ever used, by table.
    keys: Vec<Vec<String>>,
    /// When a payment last changed, counted in operations.
    changed: BTreeMap<PaymentId, u64>,
    clock: u64,
    /// Refunds are in the unit of the table, so the currency of a refunded payment stays.
    fixed_currency: BTreeMap<PaymentId, Currency>,
    /// Payments whose date changed after their first entry, and payments whose customer did. The
    /// rules are silent on which date decides when a payment has both behind it.
    redated: BTreeSet<PaymentId>,
    rehomed: BTreeSet<PaymentId>,
    last_number: u64,
    slow_folds: u32,
    /// Columns that somebody has added to the ledger.
    added_columns: Vec<String>,
    trail: Trail,
}

impl<'a> Driver<'a> {
    pub fn new(
        cluster: &'a Cluster,
        database: &'a str,
        rng: ChaCha8Rng,
        scope: Scope,
        world: World,
    ) -> Self {
        let sessions = (0..SESSIONS)
            .map(|_| Session {
                client: connect(cluster, database),
                open: None,
            })
            .collect();
        Driver {
            cluster,
            database,
            rng,
            scope,
            keys: vec![Vec::new(); world.bindings.len()],
            world,
            tables: tables::tables().into_iter().map(Rc::new).collect(),
            sessions,
            admin: connect(cluster, database),
            changed: BTreeMap::new(),
            clock: 0,
            fixed_currency: BTreeMap::new(),
            redated: BTreeSet::new(),
            rehomed: BTreeSet::new(),
            last_number: 0,
            slow_folds: 0,
            added_columns: Vec::new(),
            trail: Trail::new(),
        }
    }

    /// Does one random thing.
    pub fn step(&mut self) {
        self.clock += 1;
        let session = self.rng.random_range(0..SESSIONS);
        match self.rng.random_range(0..1000) {
            0..640 => self.payment_statement(session),
            640..740 => self.begin_or_nest(session),
            740..800 => self.end(session),
            _ => self.event(),
        }
    }

    /// Runs a statement in a session and remembers what it does.
    fn run(&mut self, session: usize, sql: &str, effects: Vec<Effect>) {
        self.trail.note(format!("{session}: {sql}"));
        let client = &mut self.sessions[session].client;
        client
            .batch_execute(sql)
            .unwrap_or_else(|error| panic!("{sql}\n{error:?}"));
        self.remember(session, effects);
    }

    fn remember(&mut self, session: usize, effects: Vec<Effect>) {
        if let Some(transaction) = &mut self.sessions[session].open {
            transaction.effects.extend(effects);
        } else {
            self.happened(&effects, true);
        }
    }

    /// Tells the model what was committed.
    fn happened(&mut self, effects: &[Effect], posting: bool) {
        for effect in effects {
            self.world.apply(effect, posting);
            for id in effect.payments() {
                self.changed.insert(id, self.clock);
            }
        }
    }

    /// Runs a statement outside the sessions.
    fn administer(&mut self, sql: &str) {
        self.trail.note(format!("admin: {sql}"));
        self.admin
            .batch_execute(sql)
            .unwrap_or_else(|error| panic!("{sql}\n{error:?}"));
    }

    /// Expects a refusal that changes nothing.
    fn refused(&mut self, sql: &str) {
        self.trail.note(format!("refused: {sql}"));
        crate::support::refusal(sql, self.admin.batch_execute(sql));
    }

    fn any_open(&self) -> bool {
        self.sessions.iter().any(|session| session.open.is_some())
    }

    /// The row of a payment as a session sees it.
    fn row(&self, session: usize, id: &PaymentId) -> Option<Row> {
        let effects = self.sessions[session]
            .open
            .iter()
            .flat_map(|open| open.effects.iter());
        let own = effects.rev().find_map(|effect| match effect {
            Effect::Put(other, row) if other == id => Some(Some(row.clone())),
            Effect::Remove(other) if other == id => Some(None),
            _ => None,
        });
        own.unwrap_or_else(|| self.world.payments.get(id)?.row.clone())
    }

    fn committed(&self, id: &PaymentId) -> Option<&Payment> {
        self.world.payments.get(id)
    }

    /// Whether a session may touch a payment: nobody else has, within a transaction or since its
    /// snapshot, and its key was not changed.
    fn is_free(&self, session: usize, id: &PaymentId) -> bool {
        let touched_by = |open: &Transaction, moves_only: bool| {
            open.effects.iter().any(|effect| {
                (!moves_only || matches!(effect, Effect::Rekey(..)))
                    && effect.payments().contains(id)
            })
        };
        let claimed = self.sessions.iter().enumerate().any(|(other, state)| {
            state
                .open
                .as_ref()
                .is_some_and(|open| touched_by(open, other == session))
        });
        let snapshot = self.sessions[session]
            .open
            .as_ref()
            .and_then(|open| open.snapshot);
        let changed = self.changed.get(id).copied().unwrap_or(0);
        let moved_away = self.committed(id).is_some_and(|payment| payment.moved_away);
        !claimed && !moved_away && snapshot.is_none_or(|snapshot| changed <= snapshot)
    }

    /// A random payment of a table that the session may touch, with its row if it has one.
    fn some_payment(&mut self, session: usize, table: usize) -> Option<(PaymentId, Option<Row>)> {
        for _ in 0..8 {
            let key = self.keys[table].choose(&mut self.rng)?.clone();
            let id = (table, key);
            if self.is_free(session, &id) {
                let row = self.row(session, &id);
                return Some((id, row));
            }
        }
        None
    }

    /// Different payments of one table with rows that the session may touch.
    fn some_rows(&mut self, session: usize, table: usize, most: usize) -> Vec<(String, Row)> {
        let mut found = BTreeMap::new();
        for _ in 0..most {
            if let Some(((_, key), Some(row))) = self.some_payment(session, table) {
                found.insert(key, row);
            }
        }
        found.into_iter().collect()
    }

    fn table(&self, table: usize) -> Rc<Table> {
        Rc::clone(&self.tables[table])
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

fn connect(cluster: &Cluster, database: &str) -> Client {
    let mut client = cluster.connect_to(database);
    // Nothing here waits for a lock, unless the extension queues where it must not.
    client
        .batch_execute("SET lock_timeout = '30s'")
        .expect("lock_timeout");
    client
}
