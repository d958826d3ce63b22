//! The table and the payment that a call asks for.

use std::rc::Rc;

use pgrx::{AnyElement, pg_sys};

use crate::bindings::binding::{Binding, Mapped};
use crate::ledger::payment_keys::MAX_KEY_LENGTH;
use crate::server::args::regclass;
use crate::server::calls::required;
use crate::server::error::Problem;
use crate::server::names::table_name;
use crate::server::rights::as_owner;
use crate::server::spi::{self, Sees};
use crate::server::text::{ToText, key_text};

/// The binding of an attached table, for which a partition of it may stand; an error if it is
/// not attached.
pub fn bound(table: Option<pg_sys::Oid>) -> Rc<Binding> {
    let table = required("payments", table);
    match Binding::of(table) {
        Some(binding) => binding.of_bound_table(),
        None => Problem::NotAttached {
            table: table_name(table),
        }
        .raise(),
    }
}

/// The number of the binding of an attached table, and the table. Other than [`bound`] it reads
/// our own tables alone: a host's table that somebody has locked is not waited for.
pub fn bound_without_lock(table: Option<pg_sys::Oid>) -> (i32, pg_sys::Oid) {
    let table = required("payments", table);
    const BOUND: &str = "
        SELECT b.id, b.payments::oid AS payments FROM affiliate.binding b
        WHERE b.detached_at IS NULL
            AND (b.payments = $1 OR b.payments IN (SELECT a.relid FROM pg_partition_ancestors($1) a))";
    let found = as_owner(|| {
        spi::connect(|connection| {
            let rows = connection.run(BOUND, Sees::Latest, &[regclass(table)]);
            let found = rows.first();
            found.map(|row| (row.required("id"), row.required("payments")))
        })
    });
    found.unwrap_or_else(|| {
        let table = table_name(table);
        Problem::NotAttached { table }.raise()
    })
}

/// The texts of the columns of a key; an error if it is malformed.
pub fn asked_columns(binding: &Binding, key: &str) -> Vec<String> {
    binding.key_columns(key).unwrap_or_else(|| malformed(key))
}

/// Refuses what is no key of the table.
pub fn malformed(key: &str) -> ! {
    let key = key.to_owned();
    Problem::UnknownPaymentKey { key }.raise()
}

/// The key of a payment, of any type and however it is written, as text: what may be too long is
/// the key as the ledger would have it. It may be empty only where a text is the key.
pub fn payment_key(binding: &Binding, value: Option<AnyElement>) -> String {
    let key = key_text(&required("payment_key", value));
    let may_be_empty = matches!(
        &binding.columns.key[..],
        [column] if matches!(column.to_text, ToText::Text | ToText::Padded)
    );
    if key.trim().is_empty() && !may_be_empty {
        Problem::EmptyText {
            name: "payment_key",
        }
        .raise();
    }
    key
}

/// Raises an error where refunds of the payments come in a column, or in a table of their own.
pub fn require_no_other_refunds(binding: &Binding) {
    let table = || table_name(binding.table);
    if !matches!(binding.columns.refunded, Mapped::No) {
        Problem::RefundsInColumn { table: table() }.raise();
    }
    if binding.refunds_table.is_some() {
        Problem::RefundsAttached { table: table() }.raise();
    }
}

/// Raises an error if a key is too long to be indexed.
pub fn require_short(name: &'static str, key: &str) {
    if key.len() > MAX_KEY_LENGTH {
        Problem::TooLong {
            name,
            length: key.len(),
            max: MAX_KEY_LENGTH,
        }
        .raise();
    }
}
