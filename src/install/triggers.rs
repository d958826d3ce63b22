//! The trigger functions, as PostgreSQL calls them.

use std::ffi::CStr;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;

use crate::bindings::binding::forget_everywhere;
use crate::posting::trigger;
use crate::server::args::RawDatum;
use crate::server::calls::raw_function;
use crate::server::error::Problem;
use crate::server::names::table_name;
use crate::server::spi::{self, Sees};

raw_function!(post_payments, pg_finfo_post_payments, |fcinfo| unsafe {
    require(fcinfo, tells_what_changed);
    trigger::post_payments(fcinfo);
    pg_sys::Datum::null()
});

raw_function!(refuse_truncate, pg_finfo_refuse_truncate, |fcinfo| unsafe {
    require(fcinfo, |data| {
        operation(data) == pg_sys::TRIGGER_EVENT_TRUNCATE
    });
    trigger::refuse_truncate(fcinfo);
    pg_sys::Datum::null()
});

raw_function!(post_refunds, pg_finfo_post_refunds, |fcinfo| unsafe {
    require(fcinfo, tells_what_changed);
    trigger::post_refunds(fcinfo);
    pg_sys::Datum::null()
});

/// Refuses triggers of another kind than the ones that we make: somebody has made one, which
/// would post what is not stored, or has no rows to read.
unsafe fn require(fcinfo: pg_sys::FunctionCallInfo, is_ours: fn(&pg_sys::TriggerData) -> bool) {
    let data = unsafe { trigger::trigger_data(fcinfo) };
    if !is_ours(data) {
        let (name, table) = unsafe { ((*data.tg_trigger).tgname, (*data.tg_relation).rd_id) };
        let name = unsafe { CStr::from_ptr(name) };
        Problem::UnusableTrigger {
            trigger: name.to_string_lossy().into_owned(),
            table: table_name(table),
        }
        .raise();
    }
}

fn operation(data: &pg_sys::TriggerData) -> u32 {
    data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK
}

fn is_row(data: &pg_sys::TriggerData) -> bool {
    data.tg_event & pg_sys::TRIGGER_EVENT_ROW != 0
}

/// Whether a trigger fires when the rows are stored, and passes on all that were changed.
fn tells_what_changed(data: &pg_sys::TriggerData) -> bool {
    const BEFORE_OR_INSTEAD: u32 = pg_sys::TRIGGER_EVENT_TIMINGMASK;
    let is_row = is_row(data);
    let (old, new) = (!data.tg_oldtable.is_null(), !data.tg_newtable.is_null());
    data.tg_event & BEFORE_OR_INSTEAD == 0
        && match operation(data) {
            pg_sys::TRIGGER_EVENT_INSERT => is_row || new,
            pg_sys::TRIGGER_EVENT_DELETE => is_row || old,
            pg_sys::TRIGGER_EVENT_UPDATE => is_row || old && new,
            _ => false,
        }
}

raw_function!(terms_changed, pg_finfo_terms_changed, |fcinfo| unsafe {
    require(fcinfo, |data| !is_row(data));
    forget_everywhere();
    pg_sys::Datum::null()
});

raw_function!(
    take_over_program,
    pg_finfo_take_over_program,
    |fcinfo| unsafe {
        require(fcinfo, |data| {
            operation(data) == pg_sys::TRIGGER_EVENT_INSERT && !data.tg_trigslot.is_null()
        });
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
