//! The comparison of every bound table with the ledger, as SQL asks for it.

use std::collections::HashMap;
use std::ops::ControlFlow;

use pgrx::pg_sys;

use crate::bindings::binding::Binding;
use crate::posting::judge::Difference;
use crate::proof::comparison;
use crate::proof::reconcile::bound_tables;
use crate::server::calls::{raw_function, return_rows};
use crate::server::rights::{as_owner, unless_host_fails};
use crate::server::spi::{self, Sees};

/// How a bound table and the ledger differ.
pub struct Compared {
    table: pg_sys::Oid,
    binding_id: i32,
    found: HashMap<Difference, Found>,
}

/// The payments that differ in one way.
struct Found {
    count: i64,
    /// The first of them in the order of the alphabet.
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
            // what the owner of one table has done to it must not hide what is wrong with others
            let compared = unless_host_fails(|| {
                comparison::differences(&binding, |_, difference, key_columns| {
                    let key = binding.key_text(key_columns.to_vec());
                    let sample = format!("binding {}, payment {key}", binding.id);
                    let found = found.entry(difference).or_insert_with(|| Found {
                        count: 0,
                        sample: sample.clone(),
                    });
                    found.count += 1;
                    found.sample = sample.min(std::mem::take(&mut found.sample));
                    ControlFlow::Continue(())
                });
            });
            if let Err(why) = compared {
                found.entry(Difference::Unposted).or_insert_with(|| Found {
                    count: 1,
                    sample: format!("binding {}: the table can't be read: {why}", binding.id),
                });
            }
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
