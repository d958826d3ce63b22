//! The states of payouts, in which finance moves them on, and the history of an affiliate's.

use pgrx::AnyElement;
use pgrx::prelude::*;

use crate::programs::affiliates::affiliate_of;
use crate::rules::payout::Status;
use crate::rules::words::Word;
use crate::server::calls::{argument, composite, raw_function, required, return_rows, word};
use crate::server::error::Problem;
use crate::server::locks::{PAYOUT_LOCK, advisory_lock};
use crate::server::spi::{self, Connection, Sees};

/// What columns of affiliate.payout are computed by; NULL for what is no state.
#[pg_extern(sql = false)]
fn payout_is_live(status: &str) -> Option<bool> {
    Status::parse(status).map(Status::is_live)
}

#[pg_extern(sql = false)]
fn payout_is_unfinished(status: &str) -> Option<bool> {
    Status::parse(status).map(Status::is_unfinished)
}

raw_function!(
    affiliate_payouts_wrapper,
    pg_finfo_affiliate_payouts_wrapper,
    |fcinfo| {
        const PAYOUTS: &str = "
        SELECT o.id, to_char(o.through, 'YYYY-MM'), o.currency, o.amount, o.entries, o.status, o.external_reference,
            o.created_at, o.updated_at
        FROM affiliate.payout o WHERE o.affiliate_id = $1 ORDER BY o.id DESC";
        spi::connect(|connection| unsafe {
            let id = affiliate_of(connection, argument(fcinfo, 0), Sees::Caller);
            return_rows(fcinfo, &connection.run(PAYOUTS, Sees::Caller, &[id.into()]));
        });
        pg_sys::Datum::null()
    }
);

#[pg_extern(sql = false)]
fn affiliate_set_payout_status(
    payout: Option<i64>,
    status: Option<String>,
    external_reference: Option<String>,
    reason: Option<String>,
) -> Option<AnyElement> {
    let payout = required("payout", payout);
    let next: Status = word("status", required("status", status));
    if !next.is_live() {
        // before any row, as a batch does: a batch that has not seen the entries open again
        // would move the mark past them
        advisory_lock(PAYOUT_LOCK);
    }
    spi::connect(|connection| {
        let current = lock(connection, payout);
        if !current.may_become(next) {
            Problem::IllegalTransition {
                from: current.to_string(),
                to: next.to_string(),
                allowed: Status::list(current.next()),
            }
            .raise();
        }
        if !next.is_live() {
            reopen(connection, payout);
        }
        const UPDATE: &str = "
            UPDATE affiliate.payout o SET status = $2, updated_at = now(),
                external_reference = coalesce($3, o.external_reference), reason = coalesce($4, o.reason)
            WHERE o.id = $1 RETURNING o.*";
        let args = [
            payout.into(),
            next.as_str().into(),
            external_reference.into(),
            reason.into(),
        ];
        composite(connection.run(UPDATE, Sees::Now, &args))
    })
}

/// Locks a payout and returns its status.
fn lock(connection: &Connection, payout: i64) -> Status {
    const LOCK: &str = "SELECT status FROM affiliate.payout WHERE id = $1 FOR NO KEY UPDATE";
    let rows = connection.run(LOCK, Sees::Now, &[payout.into()]);
    let Some(row) = rows.first() else {
        Problem::UnknownPayout { payout }.raise();
    };
    row.word("status")
}

/// Opens the entries of a payout again, and puts the mark of its affiliate back to before the
/// first of them. The caller holds the lock of the batches.
fn reopen(connection: &Connection, payout: i64) {
    const OPEN: &str = "
        WITH open AS (
            UPDATE affiliate.payout_entry SET live = false WHERE payout_id = $1 AND live
            RETURNING binding_id, payment_key, seq)
        SELECT min(c.epoch) AS first FROM open o JOIN affiliate.commission c
            ON c.binding_id = o.binding_id AND c.payment_key = o.payment_key AND c.seq = o.seq";
    const PUT_BACK: &str = "
        UPDATE affiliate.payout_mark k SET epoch = $2 - 1
        FROM affiliate.payout o WHERE o.id = $1 AND k.affiliate_id = o.affiliate_id AND k.epoch >= $2";
    let opened = connection.run_once(OPEN, Sees::Now, &[payout.into()]);
    // none if there was nothing to open
    let first: Option<i32> = opened.only().get("first");
    // at REPEATABLE READ a batch may have moved the mark since the transaction's snapshot
    connection.run(PUT_BACK, Sees::Latest, &[payout.into(), first.into()]);
}
