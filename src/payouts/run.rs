//! Payout runs: payouts are made from open entries. They read the ledger, never the totals.

use pgrx::datum::Date;
use pgrx::prelude::*;

use crate::programs::program::require_program;
use crate::rules::affiliate;
use crate::rules::words::Word;
use crate::server::args::date;
use crate::server::calls::{argument, raw_function, required, required_text, return_rows};
use crate::server::error::Problem;
use crate::server::locks::{PAYOUT_LOCK, advisory_lock, require_read_committed};
use crate::server::spi::{self, Connection, Sees};

/// Affiliates per transaction of a payout run.
const AFFILIATES_PER_BATCH: i32 = 500;

raw_function!(
    payout_programs_wrapper,
    pg_finfo_payout_programs_wrapper,
    |fcinfo| {
        let (program, through) =
            unsafe { (argument::<String>(fcinfo, 0), argument::<Date>(fcinfo, 1)) };
        spi::connect(|connection| {
            let args = [program.clone().into(), through.into()];
            refuse_days_to_come(connection, program, through);
            const RESULT: &str = "
            SELECT p.name, coalesce($2, (date_trunc('month', now() AT TIME ZONE p.time_zone) - interval '1 day')::date)
            FROM affiliate.program p WHERE $1 IS NULL OR p.name = $1 ORDER BY p.name";
            unsafe { return_rows(fcinfo, &connection.run(RESULT, Sees::Caller, &args)) };
        });
        pg_sys::Datum::null()
    }
);

/// Refuses a day that is yet to come in the zone of a program, or of any of them.
fn refuse_days_to_come(connection: &Connection, program: Option<String>, through: Option<Date>) {
    if let Some(program) = &program {
        require_program(connection, program);
    }
    const TO_COME: &str = "
        SELECT $2::text AS through, d.today::text AS today
        FROM affiliate.program p, LATERAL (SELECT (now() AT TIME ZONE p.time_zone)::date AS today) d
        WHERE ($1 IS NULL OR p.name = $1) AND $2 > d.today ORDER BY p.name LIMIT 1";
    let args = [program.into(), through.into()];
    if let Some(row) = connection.run(TO_COME, Sees::Caller, &args).first() {
        Problem::ThroughFuture {
            through: row.required("through"),
            today: row.required("today"),
        }
        .raise();
    }
}

/// Makes the payouts of the next affiliates. Batches of runs at once take turns; each reads
/// what the one before has linked.
#[pg_extern(sql = false)]
fn payout_batch(
    program: Option<String>,
    through: Option<Date>,
    after_affiliate: Option<i32>,
) -> Option<i32> {
    let program = required_text("program", program);
    let day = required("through", through);
    let through = day.to_pg_epoch_days();
    let after = required("after_affiliate", after_affiliate);
    require_read_committed("a payout run");
    advisory_lock(PAYOUT_LOCK);
    const STARTED: &str = "
        INSERT INTO affiliate.payout_run (program, through, started_at) VALUES ($1, $2, now())
        ON CONFLICT (program) DO UPDATE
        SET through = excluded.through, started_at = excluded.started_at, ended_at = NULL";
    const NEXT: &str = "
        SELECT max(n.id) AS last FROM (
            SELECT a.id FROM affiliate.affiliate a WHERE a.program = $1 AND a.id > $2 ORDER BY a.id LIMIT $3) n";
    const ENDED: &str = "UPDATE affiliate.payout_run r SET ended_at = now() WHERE r.program = $1";
    spi::connect(|connection| {
        // an operator may call it without the run that asks first
        refuse_days_to_come(connection, Some(program.clone()), Some(day));
        if after == 0 {
            let run = [program.as_str().into(), date(through)];
            connection.run(STARTED, Sees::Now, &run);
        }
        let next = [
            program.as_str().into(),
            after.into(),
            AFFILIATES_PER_BATCH.into(),
        ];
        let last = connection.run(NEXT, Sees::Now, &next).only().get("last");
        let Some::<i32>(last) = last else {
            connection.run(ENDED, Sees::Now, &[program.as_str().into()]);
            return None;
        };
        let args = [
            program.as_str().into(),
            after.into(),
            last.into(),
            date(through),
            affiliate::Status::Suspended.as_str().into(),
            affiliate::Status::Closed.as_str().into(),
        ];
        // planned for each batch: the links grow from one to the next
        connection.run_once(PAY, Sees::Now, &args);
        Some(last)
    })
}

/// Pays a batch, and moves marks. A mark says that every entry of the affiliate of an epoch up
/// to it is in a live payout, so that a run need not read those again. It stops before the first
/// entry that stays open, and at the mark of the fold: the epochs up to that are closed, so the
/// snapshot that shows the fold's mark shows all their entries, and there will be no others.
/// Later epochs may have entries that are not committed yet. One statement, so one snapshot, of
/// marks, entries and links; whoever opens entries again takes turns with the batches.
const PAY: &str = "
    WITH payee AS MATERIALIZED (
        SELECT a.id AS affiliate_id, coalesce(k.epoch, 0) AS mark, a.status = $6 AS is_closed
        FROM affiliate.affiliate a LEFT JOIN affiliate.payout_mark k ON k.affiliate_id = a.id
        WHERE a.program = $1 AND a.id > $2 AND a.id <= $3 AND a.status <> $5),
    open AS MATERIALIZED (
        SELECT y.affiliate_id, c.epoch, c.matured, c.currency, c.binding_id, c.payment_key, c.seq, c.amount
        FROM payee y, LATERAL (
            SELECT c.epoch, c.matures_on <= $4 AS matured, c.currency, c.binding_id, c.payment_key, c.seq, c.amount
            FROM affiliate.commission c
            WHERE c.affiliate_id = y.affiliate_id AND c.epoch > y.mark
                AND NOT EXISTS (SELECT FROM affiliate.payout_entry l
                    WHERE l.binding_id = c.binding_id AND l.payment_key = c.payment_key AND l.seq = c.seq
                        AND l.live)
            -- each affiliate by itself, through the indexes, however much there is of the others
            OFFSET 0) c),
    due AS (
        SELECT o.affiliate_id, o.currency, sum(o.amount) AS amount, count(*) AS entries,
            m.threshold
        FROM open o JOIN payee y ON y.affiliate_id = o.affiliate_id JOIN affiliate.program p ON p.name = $1
            LEFT JOIN affiliate.payout_threshold t ON t.program = p.name AND t.currency = o.currency,
            -- who earns nothing new will never reach it
            LATERAL (SELECT CASE WHEN y.is_closed THEN 0 ELSE coalesce(t.minimum, p.payout_threshold) END AS threshold) m
        WHERE o.matured
        GROUP BY o.affiliate_id, o.currency, m.threshold
        HAVING sum(o.amount) > 0 AND sum(o.amount) >= m.threshold),
    made AS (
        INSERT INTO affiliate.payout (affiliate_id, currency, amount, entries, through, threshold)
        SELECT d.affiliate_id, d.currency, d.amount, d.entries, $4, d.threshold FROM due d
        ORDER BY d.affiliate_id, d.currency
        RETURNING id, affiliate_id, currency),
    linked AS (
        INSERT INTO affiliate.payout_entry (payout_id, binding_id, payment_key, seq)
        SELECT m.id, o.binding_id, o.payment_key, o.seq
        FROM made m JOIN open o ON o.affiliate_id = m.affiliate_id AND o.currency = m.currency
        WHERE o.matured),
    left_open AS (
        SELECT o.affiliate_id, min(o.epoch) AS epoch
        FROM open o LEFT JOIN made m
            ON m.affiliate_id = o.affiliate_id AND m.currency = o.currency AND o.matured
        WHERE m.id IS NULL
        GROUP BY o.affiliate_id)
    INSERT INTO affiliate.payout_mark (affiliate_id, epoch)
    SELECT y.affiliate_id, n.mark
    FROM payee y LEFT JOIN left_open o ON o.affiliate_id = y.affiliate_id,
        LATERAL (SELECT least((SELECT coalesce(max(f.mark), 0) FROM affiliate.fold f), o.epoch - 1) AS mark) n,
        -- only where the next run has less to read for it
        LATERAL (SELECT FROM affiliate.commission c
            WHERE c.affiliate_id = y.affiliate_id AND c.epoch > y.mark AND c.epoch <= n.mark LIMIT 1) passed
    ON CONFLICT (affiliate_id) DO UPDATE SET epoch = excluded.epoch";
