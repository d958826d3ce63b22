//! The trigger functions, as PostgreSQL calls them.

use pgrx::{FromDatum, pg_sys};

use super::raw_function;
use crate::ledger::binding::forget_everywhere;
use crate::ledger::trigger;
use crate::pg::error::Problem;
use crate::pg::spi::{self, Sees};
use crate::pg::text::attribute;

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
    replace_unused_program,
    pg_finfo_replace_unused_program,
    |fcinfo| unsafe {
        let context = (*fcinfo).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            Problem::NotATrigger.raise();
        }
        let data = &*context.cast::<pg_sys::TriggerData>();
        const NAME: i16 = 1;
        let (name, is_null) = attribute(data.tg_trigslot, NAME);
        const REPLACE: &str = "
        DELETE FROM affiliate.program p
        WHERE p.name = $1 AND NOT EXISTS (SELECT FROM affiliate.affiliate a WHERE a.program = p.name)";
        spi::connect(|connection| {
            connection.run(
                REPLACE,
                Sees::Now,
                &[String::from_datum(name, is_null).into()],
            );
        });
        pg_sys::Datum::from(data.tg_trigtuple)
    }
);
