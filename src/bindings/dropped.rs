//! What DROP TABLE does to bindings.

use pgrx::pg_sys;

use crate::server::calls::raw_function;
use crate::server::rights::as_owner;
use crate::server::spi::{self, Sees};
use crate::server::subtransaction::in_subtransaction;

raw_function!(
    forget_dropped_tables,
    pg_finfo_forget_dropped_tables,
    |_| {
        const DROPPED: &str = "
            SELECT d.objid FROM pg_event_trigger_dropped_objects() d
            WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0";
        let dropped: Vec<pg_sys::Oid> = spi::connect(|connection| {
            let rows = connection.run(DROPPED, Sees::Now, &[]);
            rows.values("objid").collect()
        });
        let forget = || as_owner(|| forget(&dropped));
        // whatever is dropped, it must not fail because of us
        if !dropped.is_empty()
            && let Err(why) = in_subtransaction(forget)
        {
            pgrx::warning!("bindings of dropped tables were not looked for: {why}");
        }
        pg_sys::Datum::null()
    }
);

fn forget(dropped: &[pg_sys::Oid]) {
    const STATEMENTS: [(&str, &str); 2] = [
        (
            "SELECT 1 FROM affiliate.binding b WHERE b.payments = ANY ($1)",
            "UPDATE affiliate.binding b SET payments = NULL WHERE b.payments = ANY ($1)",
        ),
        (
            "SELECT 1 FROM affiliate.refunds_binding f WHERE f.refunds = ANY ($1)",
            "UPDATE affiliate.refunds_binding f SET refunds = NULL WHERE f.refunds = ANY ($1)",
        ),
    ];
    spi::connect(|connection| {
        for (find, forget) in STATEMENTS {
            let args = [dropped.to_vec().into()];
            // an update makes every session read bindings again, even one of no row
            if !connection.run(find, Sees::Now, &args).is_empty() {
                connection.run(forget, Sees::Now, &args);
            }
        }
    });
}
