//! The trigger functions, as PostgreSQL calls them.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;

use super::raw_function;
use crate::ledger::binding::forget_everywhere;
use crate::ledger::trigger;
use crate::pg::args::RawDatum;
use crate::pg::spi::{self, Sees};

raw_function!(post_payments, pg_finfo_post_payments, |fcinfo| {
    trigger::post_payments(fcinfo);
    pg_sys::Datum::null()
});

raw_function!(refuse_truncate, pg_finfo_refuse_truncate, |fcinfo| {
    trigger::refuse_truncate(fcinfo);
    pg_sys::Datum::null()
});

raw_function!(post_refunds, pg_finfo_post_refunds, |fcinfo| {
    trigger::post_refunds(fcinfo);
    pg_sys::Datum::null()
});

raw_function!(terms_changed, pg_finfo_terms_changed, |_| {
    forget_everywhere();
    pg_sys::Datum::null()
});

raw_function!(
    take_over_program,
    pg_finfo_take_over_program,
    |fcinfo| unsafe {
        let data = trigger::trigger_data(fcinfo);
        const TAKE_OVER: &str = "
        UPDATE affiliate.program p SET (rate, hold_days, payout_threshold, currency, time_zone, link_base,
            self_referral, attribution, attribution_days, created_at)
        = (n.rate, n.hold_days, n.payout_threshold, n.currency, n.time_zone, n.link_base,
            n.self_referral, n.attribution, n.attribution_days, n.created_at)
        FROM (SELECT ($1::affiliate.program).*) n WHERE p.name = n.name";
        let row = RawDatum::new(pg_sys::ExecFetchSlotHeapTupleDatum(data.tg_trigslot));
        let row = DatumWithOid::new(row, (*(*data.tg_relation).rd_att).tdtypeid);
        let taken_over =
            spi::connect(|connection| !connection.run(TAKE_OVER, Sees::Now, &[row]).is_empty());
        // without a tuple, the row is not inserted
        if taken_over {
            pg_sys::Datum::null()
        } else {
            pg_sys::Datum::from(data.tg_trigtuple)
        }
    }
);
