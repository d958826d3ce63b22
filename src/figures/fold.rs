//! Folding: adding closed epochs to the totals. See `ledger::epoch` for why it is exact.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::bindings::renames::keep_names;
use crate::posting::record_refund::settle_waiting;
use crate::server::error::Problem;
use crate::server::locks::{FOLD_LOCK, advisory_lock, require_read_committed, table_lock};
use crate::server::relations::Relations;
use crate::server::spi::{self, Connection, Sees};

/// How long a fold waits for transactions that began to write before it. Then it leaves the
/// rest to the next one: a forgotten transaction must not keep a session waiting for ever.
pub const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(2);

#[pg_extern(sql = false)]
fn affiliate_maintain() -> i64 {
    require_read_committed("affiliate_maintain()");
    settle_waiting();
    keep_names();
    advisory_lock(FOLD_LOCK);
    // before the next epoch is taken: sequences move on when a call fails
    require_epoch_ahead();
    let next = next_epoch();
    if !wait_for_writers() {
        notice!("transactions that write to the ledger are still open; nothing was folded");
        return 0;
    }
    let folded = fold_before(next, Source::Ends);
    folded.entries + folded.referrals
}

/// Entries of an epoch up to the mark would never be folded, nor be in the tail of the figures.
fn require_epoch_ahead() {
    const EPOCH: &str = "SELECT e.last_value::int4 AS epoch FROM affiliate.epoch e";
    let mark = mark();
    let epoch = spi::connect(|connection| {
        let rows = connection.run(EPOCH, Sees::Now, &[]);
        rows.only().required("epoch")
    });
    if epoch <= mark {
        Problem::EpochBehind { epoch, mark }.raise();
    }
}

/// The last epoch that is in the totals; 0, which no epoch is, before the first fold.
fn mark() -> i32 {
    const MARK: &str = "SELECT coalesce(max(f.mark), 0) AS mark FROM affiliate.fold f";
    spi::connect(|connection| {
        let rows = connection.run(MARK, Sees::Now, &[]);
        rows.only().required("mark")
    })
}

/// Closes the current epoch.
pub fn next_epoch() -> i32 {
    const NEXT: &str = "SELECT nextval('affiliate.epoch')::int4 AS epoch";
    spi::connect(|connection| {
        let rows = connection.run(NEXT, Sees::Now, &[]);
        rows.only().required("epoch")
    })
}

/// Waits for the transactions that write to the ledger or to referrals now. False if they are
/// still open when patience ends.
pub fn wait_for_writers() -> bool {
    let relations = Relations::get();
    let deadline = Instant::now() + PATIENCE;
    for table in [relations.commission, relations.referral] {
        for holder in unsafe { writers(&table_lock(table)) } {
            while unsafe { !pg_sys::VirtualXactLock(holder, false) } {
                if Instant::now() > deadline {
                    return false;
                }
                std::thread::sleep(POLL);
                pgrx::check_for_interrupts!();
            }
        }
    }
    true
}

/// The transactions that hold a writer's lock. VACUUM holds one that looks like it to all who
/// ask for conflicts, maybe for hours, and writes no entry.
unsafe fn writers(table: &pg_sys::LOCKTAG) -> Vec<pg_sys::VirtualTransactionId> {
    // whatever the version calls its parts: a backend, and its transaction
    type Parts = [u32; 2];
    let parts = |id: pg_sys::VirtualTransactionId| unsafe {
        std::mem::transmute::<pg_sys::VirtualTransactionId, Parts>(id)
    };
    const NO_BACKEND: u32 = u32::MAX;
    unsafe {
        let (mut count, mut others_count) = (0, 0);
        let holders = pg_sys::GetLockConflicts(table, pg_sys::ShareLock as _, &mut count);
        // asked afterwards: who is not among them is a VACUUM, or has ended
        let others = pg_sys::GetCurrentVirtualXIDs(
            pg_sys::InvalidTransactionId,
            false,
            false,
            pg_sys::PROC_IN_VACUUM as _,
            &mut others_count,
        );
        let holders = std::slice::from_raw_parts(holders, count as usize);
        let others = std::slice::from_raw_parts(others, others_count as usize);
        let others: HashSet<Parts> = others.iter().map(|other| parts(*other)).collect();
        let is_writer = |holder: &&pg_sys::VirtualTransactionId| {
            let parts = parts(**holder);
            // a prepared transaction may have no backend any more
            parts[0] == NO_BACKEND || others.contains(&parts)
        };
        holders.iter().filter(is_writer).copied().collect()
    }
}

/// How the rows to fold are found.
#[derive(Clone, Copy)]
pub enum Source {
    /// By asking every affiliate's end of the index: that costs payments nothing, as an index on
    /// the epoch would.
    Ends,
    /// By reading everything.
    All,
}

pub struct Folded {
    pub entries: i64,
    pub referrals: i64,
}

/// Adds the rows of epochs after the mark and before `next` to the totals. Each statement takes
/// a new snapshot, which sees them all.
pub fn fold_before(next: i32, source: Source) -> Folded {
    spi::connect(|connection| {
        let epochs = [mark().into(), next.into()];
        let folded = Folded {
            entries: add_entries(connection, &epochs, source),
            referrals: add_referrals(connection, &epochs, source),
        };
        add_up_what_has_matured(connection);
        set_mark(connection, next - 1);
        folded
    })
}

/// Adds entries to the totals, and counts those who bought something for the first time.
fn add_entries(connection: &Connection, epochs: &[DatumWithOid; 2], source: Source) -> i64 {
    // a day that is past in the last zone on earth is past in every program's
    const ENTRIES: &str = "
        WITH new AS MATERIALIZED (
            SELECT a.id AS affiliate_id, c.referral_id, c.currency, c.amount, c.spent,
                CASE WHEN c.matures_on <= (now() AT TIME ZONE 'Etc/GMT+12')::date
                    THEN '-infinity' ELSE c.matures_on END AS day
            FROM affiliate.affiliate a, LATERAL (
                SELECT c.referral_id, c.currency, c.matures_on, c.amount, c.base - c.base_before AS spent
                FROM affiliate.commission c
                WHERE c.affiliate_id = a.id AND c.epoch > $1 AND c.epoch < $2 @barrier@) c),
        converted AS (
            INSERT INTO affiliate.conversion (referral_id, currency)
            SELECT DISTINCT n.referral_id, n.currency FROM new n
            ON CONFLICT DO NOTHING RETURNING referral_id, currency),
        added AS (
            INSERT INTO affiliate.total AS t (affiliate_id, currency, matures_on, commission, spent, conversions)
            SELECT s.affiliate_id, s.currency, s.day, sum(s.commission), sum(s.spent), sum(s.conversions)
            FROM (
                SELECT n.affiliate_id, n.currency, n.day, sum(n.amount) AS commission, sum(n.spent) AS spent,
                    0 AS conversions
                FROM new n GROUP BY n.affiliate_id, n.currency, n.day
                UNION ALL
                SELECT r.affiliate_id, v.currency, '-infinity', 0, 0, count(*)
                FROM converted v JOIN affiliate.referral r ON r.id = v.referral_id
                GROUP BY r.affiliate_id, v.currency) s
            GROUP BY s.affiliate_id, s.currency, s.day
            ON CONFLICT (affiliate_id, currency, matures_on) DO UPDATE SET
                commission = t.commission + excluded.commission, spent = t.spent + excluded.spent,
                conversions = t.conversions + excluded.conversions)
        SELECT count(*) AS added FROM new";
    add(connection, ENTRIES, epochs, source)
}

fn add_referrals(connection: &Connection, epochs: &[DatumWithOid; 2], source: Source) -> i64 {
    const REFERRALS: &str = "
        WITH new AS MATERIALIZED (
            SELECT a.id AS affiliate_id, r.users
            FROM affiliate.affiliate a, LATERAL (
                SELECT count(*) AS users FROM affiliate.referral r
                WHERE r.affiliate_id = a.id AND r.epoch > $1 AND r.epoch < $2 @barrier@) r
            WHERE r.users > 0),
        added AS (
            INSERT INTO affiliate.referred AS t (affiliate_id, users)
            SELECT n.affiliate_id, n.users FROM new n
            ON CONFLICT (affiliate_id) DO UPDATE SET users = t.users + excluded.users)
        SELECT coalesce(sum(n.users), 0)::int8 AS added FROM new n";
    add(connection, REFERRALS, epochs, source)
}

/// Runs a statement over the epochs after the first one and before the second one; returns how
/// many rows it has added.
fn add(
    connection: &Connection,
    statement: &str,
    epochs: &[DatumWithOid; 2],
    source: Source,
) -> i64 {
    // keeps the planner from joining as a whole what is to be asked affiliate by affiliate
    let barrier = match source {
        Source::Ends => "OFFSET 0",
        Source::All => "",
    };
    let sql = statement.replace("@barrier@", barrier);
    let added = connection.run(&sql, Sees::Now, epochs);
    added.only().required("added")
}

/// Adds the totals of days that are past in every zone to one.
fn add_up_what_has_matured(connection: &Connection) {
    const MATURED: &str = "
        WITH past AS (
            DELETE FROM affiliate.total t
            WHERE t.matures_on > '-infinity' AND t.matures_on <= (now() AT TIME ZONE 'Etc/GMT+12')::date
            RETURNING t.*)
        INSERT INTO affiliate.total AS t (affiliate_id, currency, matures_on, commission, spent, conversions)
        SELECT p.affiliate_id, p.currency, '-infinity', sum(p.commission), sum(p.spent), sum(p.conversions)
        FROM past p GROUP BY p.affiliate_id, p.currency
        ON CONFLICT (affiliate_id, currency, matures_on) DO UPDATE SET
            commission = t.commission + excluded.commission, spent = t.spent + excluded.spent,
            conversions = t.conversions + excluded.conversions";
    connection.run(MATURED, Sees::Now, &[]);
}

fn set_mark(connection: &Connection, mark: i32) {
    const MARK: &str = "
        INSERT INTO affiliate.fold AS f (mark, folded_at) VALUES ($1, now())
        ON CONFLICT (singleton) DO UPDATE SET mark = excluded.mark, folded_at = excluded.folded_at";
    connection.run(MARK, Sees::Now, &[mark.into()]);
}
