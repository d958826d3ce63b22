//! Attributing a customer, and posting what it has paid already.

use std::ops::ControlFlow;
use std::rc::Rc;

use pgrx::AnyElement;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::bindings::binding::Binding;
use crate::bindings::host_table::Step;
use crate::bindings::row::Row;
use crate::bindings::spelling;
use crate::posting::settle::{Options, Settler};
use crate::programs::referrals::{Recorded, Sought};
use crate::server::calls::{argument, composite, raw_function, return_rows};
use crate::server::names::table_name;
use crate::server::rights::{as_owner, unless_host_fails};
use crate::server::snapshot;
use crate::server::spi::{self, Sees};

#[pg_extern(sql = false)]
fn affiliate_attribute(
    customer: Option<AnyElement>,
    code: Option<String>,
    visitor: Option<String>,
    coupon: Option<String>,
    attributed_at: Option<TimestampWithTimeZone>,
    program: Option<String>,
) -> Option<AnyElement> {
    let sought = Sought::new(customer, [code, coupon, visitor], attributed_at, program);
    spi::connect(|connection| {
        let recorded = sought.record(connection);
        settle_earlier(&sought, &recorded);
        composite(recorded.row)
    })
}

raw_function!(
    affiliate_try_attribute_wrapper,
    pg_finfo_affiliate_try_attribute_wrapper,
    |fcinfo| {
        // SAFETY: the arguments are of the types that the function declares
        let text = |n| unsafe { argument::<String>(fcinfo, n) };
        let customer = unsafe { pgrx::fcinfo::pg_getarg::<AnyElement>(fcinfo, 0) };
        let attributed_at = unsafe { argument(fcinfo, 4) };
        let sought = Sought::new(
            customer,
            [text(1), text(3), text(2)],
            attributed_at,
            text(5),
        );
        spi::connect(|connection| {
            const NONE: &str = "SELECT r.* FROM affiliate.referral r WHERE false";
            let rows = match sought.record_if_valid(connection) {
                Some(recorded) => {
                    settle_earlier(&sought, &recorded);
                    recorded.row
                }
                None => connection.run(NONE, Sees::Now, &[]),
            };
            // SAFETY: a row of the ledger's own table of referrals
            unsafe { return_rows(fcinfo, &rows) };
        });
        pg_sys::Datum::null()
    }
);

/// Settles payments that the customer has made before it was attributed, wherever they are found
/// through an index; elsewhere reconciling does. What a session that has not committed yet adds
/// meanwhile it does not see, nor does that session see the referral: reconciling finds these too.
fn settle_earlier(sought: &Sought, recorded: &Recorded) {
    if !recorded.is_new {
        return;
    }
    const TABLES: &str = "
        SELECT b.payments::oid AS payments FROM affiliate.binding b
        WHERE b.program = $1 AND b.detached_at IS NULL AND b.paused_at IS NULL
            AND affiliate.has_index_on(b.payments, b.customer) ORDER BY b.id";
    as_owner(|| {
        let tables: Vec<pg_sys::Oid> = spi::connect(|connection| {
            let program = [sought.program.as_str().into()];
            connection
                .run(TABLES, Sees::Now, &program)
                .values("payments")
                .collect()
        });
        for table in tables {
            let Some(binding) = Binding::of(table) else {
                continue;
            };
            if let Err(why) = unless_host_fails(|| settle_customer(&binding, &sought.customer)) {
                pgrx::warning!("{} can't be read: {why}", table_name(table));
            }
        }
    });
}

fn settle_customer(binding: &Rc<Binding>, customer: &str) {
    let Some(column) = binding.columns.customer.column() else {
        return;
    };
    // what is no value of the column's type is nobody there
    let asked = [customer.to_owned()];
    let Some(own) = spelling::canonical(binding.table, &[column], &asked) else {
        return;
    };
    let mut settler = Settler::new(Rc::clone(binding));
    let mut payments: Vec<Vec<String>> = Vec::new();
    snapshot::with_latest(&binding.tables(), || {
        let (host, text) = (&binding.host, own.concat());
        host.with_slot(|slot| {
            host.each_with(&column, &text, slot, |step| {
                match step {
                    // SAFETY: the slot holds a row of the bound table
                    Step::Row => payments.push(unsafe { Row::new(binding, slot) }.key_columns()),
                    Step::EndOfBatch => {
                        for key_columns in payments.drain(..) {
                            settler.settle(&key_columns, Options::LOCKED);
                        }
                    }
                }
                ControlFlow::Continue(())
            });
        });
    });
}
