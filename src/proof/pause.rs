//! Taking a bound table out of the way of its payments, and back.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::bindings::asked::bound;
use crate::bindings::pause;
use crate::posting::record_refund::settle_waiting;
use crate::posting::settle::Counts;
use crate::proof::reconcile::{reconcile, return_counts};
use crate::server::calls::{argument, raw_function, required_text};
use crate::server::error::Problem;
use crate::server::locks::{RECONCILE_LOCK, advisory_lock, require_read_committed};
use crate::server::names::table_name;
use crate::server::rights::as_owner;
use crate::server::spi::{self, Sees};

/// Changes one row of affiliate.binding and locks no table of the host: the change tells every
/// session to read the binding again.
#[pg_extern(sql = false)]
fn affiliate_pause(
    payments: Option<pg_sys::Oid>,
    reason: Option<String>,
) -> Option<TimestampWithTimeZone> {
    let binding = bound(payments);
    let reason = required_text("reason", reason);
    const PAUSE: &str = "
        UPDATE affiliate.binding b
        SET (paused_at, paused_because, paused_by) = (now(), $2, pg_get_userbyid($3))
        WHERE b.id = $1 AND b.detached_at IS NULL AND b.paused_at IS NULL RETURNING b.paused_at";
    let caller = unsafe { pg_sys::GetOuterUserId() };
    let paused_at = as_owner(|| {
        spi::connect(|connection| {
            let args = [binding.id.into(), reason.into(), caller.into()];
            connection
                .run(PAUSE, Sees::Now, &args)
                .value::<TimestampWithTimeZone>()
        })
    });
    if paused_at.is_none() {
        let table = table_name(binding.table);
        Problem::AlreadyPaused { table }.raise();
    }
    paused_at
}

raw_function!(
    affiliate_resume_wrapper,
    pg_finfo_affiliate_resume_wrapper,
    |fcinfo| {
        require_read_committed("affiliate_resume()");
        let binding = bound(unsafe { argument::<pg_sys::Oid>(fcinfo, 0) });
        let mut counts = Counts::default();
        const RESUME: &str = "
            UPDATE affiliate.binding b SET (paused_at, paused_because, paused_by) = (NULL, NULL, NULL)
            WHERE b.id = $1 AND b.detached_at IS NULL AND b.paused_at IS NOT NULL";
        as_owner(|| {
            advisory_lock(RECONCILE_LOCK);
            let is_paused = spi::connect(|connection| {
                !connection
                    .run(RESUME, Sees::Now, &[binding.id.into()])
                    .is_empty()
            });
            if !is_paused {
                let table = table_name(binding.table);
                Problem::NotPaused { table }.raise();
            }
            pause::end(binding.id);
            reconcile(&binding, i64::MAX, &mut counts);
            settle_waiting();
        });
        unsafe { return_counts(fcinfo, counts) };
        pg_sys::Datum::null()
    }
);
