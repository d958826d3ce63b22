//! Making the figures anew: after logical replication, or when sequences did not come along, the
//! totals and marks don't go with the ledger.

use pgrx::prelude::*;

use crate::bindings::binding::forget_everywhere;
use crate::figures::fold::{Folded, PATIENCE, Source, fold_before, next_epoch, wait_for_writers};
use crate::server::calls::{raw_function, return_rows};
use crate::server::error::Problem;
use crate::server::locks::{FOLD_LOCK, PAYOUT_LOCK, advisory_lock, require_read_committed};
use crate::server::spi::{self, Connection, Sees};

/// The epoch that is above every one that a row has, and above the marks, if the sequence is not
/// there: rows of the current epoch would be taken for folded ones.
fn epoch_to_reach(connection: &Connection) -> Option<i32> {
    const NEEDED: &str = "
        SELECT s.epoch
        FROM (SELECT greatest((SELECT max(c.epoch) FROM affiliate.commission c),
                (SELECT max(r.epoch) FROM affiliate.referral r), (SELECT max(f.mark) + 1 FROM affiliate.fold f),
                (SELECT max(k.epoch) + 1 FROM affiliate.payout_mark k)) AS epoch) s, affiliate.epoch e
        WHERE e.last_value < s.epoch";
    let needed = connection.run_once(NEEDED, Sees::Now, &[]);
    needed.first().map(|row| row.required("epoch"))
}

/// Sets the epoch ahead, as a part of the transaction: were it to stay ahead when the figures are
/// not made after all, folds would not refuse any more. Nobody may write meanwhile, who would
/// see the sequence as it was.
fn set_epoch_ahead(connection: &Connection) {
    lock_out_writers(connection);
    if let Some(epoch) = epoch_to_reach(connection) {
        let sql = format!(
            "ALTER SEQUENCE affiliate.epoch RESTART WITH {}",
            i64::from(epoch) + 1
        );
        connection.run_once(&sql, Sees::Now, &[]);
    }
}

fn lock_out_writers(connection: &Connection) {
    const LOCK: &str = "LOCK TABLE affiliate.referral, affiliate.commission IN SHARE MODE";
    const TIMEOUT: &str = "SELECT set_config('lock_timeout', $1, true)";
    const BEFORE: &str = "SELECT current_setting('lock_timeout') AS timeout";
    let set = |timeout: String| {
        connection.run(TIMEOUT, Sees::Now, &[timeout.into()]);
    };
    let before: String = connection
        .run(BEFORE, Sees::Now, &[])
        .only()
        .required("timeout");
    set(format!("{}s", PATIENCE.as_secs()));
    PgTryBuilder::new(|| {
        connection.run_once(LOCK, Sees::Now, &[]);
    })
    .catch_when(PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE, |_| {
        writers_are_open()
    })
    .execute();
    set(before);
}

fn writers_are_open() -> ! {
    let seconds = PATIENCE.as_secs();
    Problem::WritersOpen { seconds }.raise()
}

/// Sets the sequences of numbered tables ahead where they are behind, and returns how many were.
/// Such a table lets nobody insert meanwhile, whose number might be used already.
fn set_numbers_ahead(connection: &Connection) -> i64 {
    const SEQUENCES: &str = "
        SELECT d.refobjid::regclass::text AS \"table\", quote_ident(a.attname) AS \"column\",
            s.oid::regclass::text AS sequence
        FROM pg_class s
            JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid
                AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
            JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE s.relkind = 'S' AND s.relnamespace = 'affiliate'::regnamespace ORDER BY s.oid";
    let sequences = connection.run(SEQUENCES, Sees::Now, &[]);
    let mut count = 0;
    for row in sequences.iter() {
        let name = |column| row.required::<String>(column);
        let (table, column, sequence) = (name("table"), name("column"), name("sequence"));
        let behind = format!(
            "FROM {sequence} s, (SELECT max({column}) AS number FROM {table}) t
             WHERE s.last_value - (NOT s.is_called)::int < t.number"
        );
        let is_behind = format!("SELECT 1 {behind}");
        if connection.run_once(&is_behind, Sees::Now, &[]).is_empty() {
            continue;
        }
        let lock = format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE");
        connection.run_once(&lock, Sees::Now, &[]);
        let set = format!("SELECT setval('{sequence}', t.number) {behind}");
        count += i64::from(!connection.run_once(&set, Sees::Now, &[]).is_empty());
    }
    count
}

raw_function!(
    affiliate_rebuild_figures_wrapper,
    pg_finfo_affiliate_rebuild_figures_wrapper,
    |fcinfo| {
        require_read_committed("affiliate_rebuild_figures()");
        // without a mark, a payout run reads an affiliate's entries from the first one on, and
        // sets the mark again
        const EMPTY: &[&str] = &[
            "DELETE FROM affiliate.total",
            "DELETE FROM affiliate.conversion",
            "DELETE FROM affiliate.referred",
            "DELETE FROM affiliate.fold",
            "DELETE FROM affiliate.payout_mark",
        ];
        advisory_lock(PAYOUT_LOCK);
        advisory_lock(FOLD_LOCK);
        spi::connect(|connection| {
            let is_behind = epoch_to_reach(connection).is_some();
            if is_behind {
                set_epoch_ahead(connection);
            }
            let next = next_epoch();
            if !is_behind && !wait_for_writers() {
                writers_are_open();
            }
            for statement in EMPTY {
                connection.run(statement, Sees::Now, &[]);
            }
            let Folded { entries, referrals } = fold_before(next, Source::All);
            let sequences = i64::from(is_behind) + set_numbers_ahead(connection);
            // the apply worker of logical replication tells sessions nothing of terms it changes
            forget_everywhere();
            const ROW: &str = "SELECT $1, $2, $3";
            let row = [entries.into(), referrals.into(), sequences.into()];
            unsafe { return_rows(fcinfo, &connection.run(ROW, Sees::Now, &row)) };
        });
        pg_sys::Datum::null()
    }
);
