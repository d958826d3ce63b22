//! What ALTER TABLE does to payment keys.

use pgrx::pg_sys;

use crate::bindings::binding::Binding;
use crate::posting::respell;
use crate::server::calls::raw_function;
use crate::server::rights::as_owner;
use crate::server::spi::{self, Sees};
use crate::server::subtransaction::in_subtransaction;

raw_function!(follow_key_types, pg_finfo_follow_key_types, |_| {
    const CHANGED: &str = "
        SELECT b.payments::oid AS \"table\" FROM affiliate.binding b
        WHERE b.detached_at IS NULL AND EXISTS (SELECT FROM pg_class c WHERE c.oid = b.payments)
            AND affiliate.has_new_key_types(b)";
    let follow = || {
        as_owner(|| {
            let changed: Vec<pg_sys::Oid> = spi::connect(|connection| {
                let rows = connection.run(CHANGED, Sees::Now, &[]);
                rows.values("table").collect()
            });
            for binding in changed.into_iter().filter_map(Binding::of) {
                respell::up_to_date(binding);
            }
        });
    };
    // ALTER TABLE, of whatever table, must not fail because of us; who posts next tries again
    if let Err(why) = in_subtransaction(follow) {
        pgrx::debug1!("payment keys were not followed: {why}");
    }
    pg_sys::Datum::null()
});
