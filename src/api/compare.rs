//! The comparison of payments with the ledger, and what its statement calls for each of them.

#![allow(
    clippy::indexing_slicing,
    reason = "there are as many arguments as the SQL function declares"
)]

use std::collections::HashMap;
use std::ops::ControlFlow;

use pgrx::pg_sys;

use super::reconcile::bound_tables;
use super::{raw_function, return_rows};
use crate::ledger::audit::{self, Difference};
use crate::ledger::binding::Binding;
use crate::ledger::{agrees, entry};
use crate::pg::rights::as_owner;
use crate::pg::spi::{self, Sees};
use crate::pg::text::{as_bigint, bytes};

/// How a bound table and the ledger differ.
pub struct Compared {
    table: pg_sys::Oid,
    binding_id: i32,
    found: HashMap<Difference, Found>,
}

/// The payments that differ in one way.
struct Found {
    count: i64,
    /// The first of them.
    sample: String,
}

impl Compared {
    pub fn count(&self, difference: Difference) -> i64 {
        self.found.get(&difference).map_or(0, |found| found.count)
    }

    pub fn sample(&self, difference: Difference) -> Option<String> {
        let found = self.found.get(&difference);
        found.map(|found| found.sample.clone())
    }
}

/// Compares every bound table with the ledger.
pub fn compare_all() -> Vec<Compared> {
    bound_tables()
        .into_iter()
        .filter_map(Binding::of)
        .map(|binding| {
            let mut found: HashMap<Difference, Found> = HashMap::new();
            audit::differences(&binding, |_, difference, key_columns| {
                let sample = || {
                    let key = binding.key_text(key_columns.to_vec());
                    format!("binding {}, payment {key}", binding.id)
                };
                let found = found.entry(difference).or_insert_with(|| Found {
                    count: 0,
                    sample: sample(),
                });
                found.count += 1;
                ControlFlow::Continue(())
            });
            Compared {
                table: binding.table,
                binding_id: binding.id,
                found,
            }
        })
        .collect()
}

raw_function!(
    compare_payments_wrapper,
    pg_finfo_compare_payments_wrapper,
    |fcinfo| {
        as_owner(|| {
            let tables = compare_all();
            let ids: Vec<i32> = tables.iter().map(|table| table.binding_id).collect();
            let payments: Vec<pg_sys::Oid> = tables.iter().map(|table| table.table).collect();
            let counts = |difference| -> Vec<i64> {
                tables.iter().map(|table| table.count(difference)).collect()
            };
            let args = [
                ids.into(),
                payments.into(),
                counts(Difference::Unposted).into(),
                counts(Difference::OffTarget).into(),
                counts(Difference::NoPayment).into(),
            ];
            const ROWS: &str = "
                SELECT t.id, t.payments::regclass, t.unposted, t.wrong_sum, t.without_payment
                FROM unnest($1::int4[], $2::oid[], $3::int8[], $4::int8[], $5::int8[])
                    AS t (id, payments, unposted, wrong_sum, without_payment)";
            spi::connect(|connection| unsafe {
                return_rows(fcinfo, &connection.run(ROWS, Sees::Now, &args));
            });
        });
        pg_sys::Datum::null()
    }
);

raw_function!(
    is_sound_wrapper,
    pg_finfo_is_sound_wrapper,
    |fcinfo| unsafe { entry::is_sound(fcinfo).into() }
);

raw_function!(agrees_wrapper, pg_finfo_agrees_wrapper, |fcinfo| unsafe {
    agrees::agrees(fcinfo).into()
});

raw_function!(as_bigint_wrapper, pg_finfo_as_bigint_wrapper, |fcinfo| {
    unsafe {
        let args = (*fcinfo).args.as_slice(1);
        match as_bigint(bytes(args[0].value)) {
            Some(value) => value.into(),
            None => pgrx::fcinfo::pg_return_null(fcinfo),
        }
    }
});
