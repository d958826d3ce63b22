//! The comparison of a bound table with the ledger, payment by payment, by the same rules
//! that post. Memory does not grow with the table: rows come through a cursor.

use std::rc::Rc;

use pgrx::pg_sys;

use super::binding::{self, Binding, row_alias, table_name};
use super::row::Row;
use super::settle::{Settler, with_row_slot};
use crate::domain::record_text;
use crate::pg::memory::Context;
use crate::pg::spi;
use crate::pg::text::quote_ident;

const ROWS_PER_FETCH: usize = 1000;

/// How the ledger and a bound table differ over a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// An eligible payment has no entries.
    Unposted,
    /// The posted sum is not the target of the row as it is.
    OffTarget,
    /// There are entries that no row accounts for.
    NoPayment,
}

/// Calls `found` for every payment whose ledger is not what its row says.
pub fn differences(
    binding: &Rc<Binding>,
    mut found: impl FnMut(&mut Settler, Difference, &[String]),
) {
    if !binding.columns.has_key {
        return;
    }
    let mut settler = Settler::new(Rc::clone(binding));
    unposted_or_off(binding, &mut settler, &mut found);
    without_payment(binding, &mut settler, &mut found);
}

fn unposted_or_off(
    binding: &Rc<Binding>,
    settler: &mut Settler,
    found: &mut impl FnMut(&mut Settler, Difference, &[String]),
) {
    let Some(customer) = column_name(binding, binding.columns.customer.column()) else {
        return;
    };
    let t = row_alias(binding.table);
    let sql = format!(
        "SELECT {t} FROM {} {t} WHERE EXISTS (
             SELECT FROM affiliate.referral r WHERE r.program = $1 AND r.customer = {t}.{customer}::text)",
        table_name(binding.table)
    );
    spi::connect(|connection| {
        let mut cursor = connection.cursor(&sql, &[binding.program.as_str().into()]);
        let memory = Context::within_current(c"affiliate audit");
        with_row_slot(binding.table, |slot| {
            loop {
                let rows = cursor.fetch(ROWS_PER_FETCH);
                if rows.is_empty() {
                    break;
                }
                memory.with(|| {
                    for n in 0..rows.len() {
                        binding::store_row(&rows, n, 0, slot);
                        let key_columns = unsafe { Row::new(binding, slot) }.key_columns();
                        if let Some(difference) = settler.compare(&key_columns, slot)
                            && settler.would_change(&key_columns)
                        {
                            found(settler, difference, &key_columns);
                        }
                    }
                });
                rows.free();
                memory.reset();
                pgrx::check_for_interrupts!();
            }
        });
        memory.delete();
        cursor.close();
    });
}

/// Payments with a posted sum whose row is gone or is not that of a referred customer.
fn without_payment(
    binding: &Rc<Binding>,
    settler: &mut Settler,
    found: &mut impl FnMut(&mut Settler, Difference, &[String]),
) {
    let Some(customer) = column_name(binding, binding.columns.customer.column()) else {
        return;
    };
    let t = row_alias(binding.table);
    let sql = format!(
        "SELECT DISTINCT s.payment_key FROM (
             SELECT c.payment_key FROM affiliate.commission c
             WHERE c.binding_id = $2
                 AND NOT EXISTS (SELECT FROM {} {t} WHERE {} = c.payment_key AND EXISTS (
                     SELECT FROM affiliate.referral r WHERE r.program = $1 AND r.customer = {t}.{customer}::text))
             GROUP BY c.payment_key, c.referral_id, c.currency
             HAVING sum(c.amount) <> 0 OR sum(c.base - c.base_before) <> 0) s",
        table_name(binding.table),
        key_sql(binding),
    );
    spi::connect(|connection| {
        let mut cursor =
            connection.cursor(&sql, &[binding.program.as_str().into(), binding.id.into()]);
        loop {
            let rows = cursor.fetch(ROWS_PER_FETCH);
            if rows.is_empty() {
                break;
            }
            for n in 0..rows.len() {
                let Some(key_columns) = rows
                    .get::<String>(n, 0)
                    .and_then(|key| key_columns(binding, &key))
                else {
                    continue;
                };
                if settler.would_change(&key_columns) {
                    found(settler, Difference::NoPayment, &key_columns);
                }
            }
            rows.free();
            pgrx::check_for_interrupts!();
        }
        cursor.close();
    });
}

/// The texts of the key's columns from the text of the key.
pub fn key_columns(binding: &Binding, key: &str) -> Option<Vec<String>> {
    if binding.columns.key.len() == 1 {
        Some(vec![key.to_owned()])
    } else {
        record_text::read(key)
    }
}

/// The key of a row as text, in SQL; the row has the name of [`row_alias`].
pub fn key_sql(binding: &Binding) -> String {
    let t = row_alias(binding.table);
    let columns: Vec<String> = binding
        .columns
        .key
        .iter()
        .filter_map(|column| column_name(binding, Some(*column)))
        .map(|name| format!("{t}.{name}::text"))
        .collect();
    if columns.len() == 1 {
        columns.join("")
    } else {
        format!("ROW({})::text", columns.join(", "))
    }
}

/// The current name of a column of the bound table.
pub fn column_name(binding: &Binding, column: Option<binding::Column>) -> Option<String> {
    let name = unsafe { pg_sys::get_attname(binding.table, column?.attnum, true) };
    (!name.is_null())
        .then(|| quote_ident(&unsafe { std::ffi::CStr::from_ptr(name) }.to_string_lossy()))
}
