//! Having a paused table post again, after all that it has left out meanwhile.

use pgrx::prelude::*;

use crate::bindings::asked::bound;
use crate::bindings::pause::let_none_be_left_out;
use crate::posting::record_refund::settle_waiting;
use crate::posting::settle::Counts;
use crate::proof::reconcile::{Extent, reconcile, return_counts};
use crate::server::calls::{argument, raw_function, required};
use crate::server::error::Problem;
use crate::server::locks::{RECONCILE_LOCK, advisory_lock, require_read_committed};
use crate::server::names::table_name;
use crate::server::rights::as_owner;
use crate::server::spi::{self, Sees};

raw_function!(
    affiliate_resume_wrapper,
    pg_finfo_affiliate_resume_wrapper,
    |fcinfo| {
        require_read_committed("affiliate_resume()");
        let binding = bound(unsafe { argument::<pg_sys::Oid>(fcinfo, 0) });
        let force = required("force", unsafe { argument::<bool>(fcinfo, 1) });
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
            let_none_be_left_out(binding.id);
            let extent = Extent {
                force,
                ..Extent::ALL
            };
            if let Err(many) = reconcile(&binding, extent, &mut counts) {
                Problem::ManyReversals {
                    table: table_name(binding.table),
                    reversed: many.reversed,
                    known: many.known,
                }
                .raise();
            }
            settle_waiting();
        });
        unsafe { return_counts(fcinfo, counts) };
        pg_sys::Datum::null()
    }
);
