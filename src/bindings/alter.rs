//! Changing what a binding says, while payments go on.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::bindings::asked::bound;
use crate::bindings::host::Host;
use crate::bindings::mapping::Mapping;
use crate::bindings::ownership::require_owner;
use crate::programs::program::require_program;
use crate::server::args::{moment, timestamptz};
use crate::server::error::Problem;
use crate::server::rights::as_owner;
use crate::server::spi::{self, Connection, Sees};

/// What can be cleared.
const CLEARABLE: &[&str] = &[
    "currency",
    "currency_code",
    "paid_at",
    "refunded",
    "product",
    "paid_when",
    "since",
];

/// A binding as it is.
struct Current {
    mapping: Mapping,
    /// There are entries or recorded refunds of its payments.
    has_ledger: bool,
    /// Of kind refund.
    has_recorded_refunds: bool,
}

/// Columns by what they are called now; one that is gone by the name that it had.
fn current(connection: &Connection, id: i32) -> Option<Current> {
    const CURRENT: &str = "
        SELECT ARRAY(SELECT coalesce(n.now, n.before) FROM unnest(
                CASE WHEN b.table_oid = b.payments::oid THEN affiliate.attribute_names(b.payments, b.attnums) END,
                ARRAY[b.customer, b.amount, b.currency, b.paid_at, b.refunded, b.product])
                WITH ORDINALITY AS n (now, before, n) WHERE n.n <= 6 ORDER BY n.n),
            b.currency_code, b.minor_units, b.since, b.program, b.on_delete,
            EXISTS (SELECT FROM affiliate.commission c WHERE c.binding_id = b.id)
                OR EXISTS (SELECT FROM affiliate.refund f WHERE f.binding_id = b.id),
            EXISTS (SELECT FROM affiliate.refund f WHERE f.binding_id = b.id AND f.kind = 'refund')
        FROM affiliate.binding b WHERE b.id = $1 AND b.detached_at IS NULL FOR UPDATE";
    let rows = as_owner(|| connection.run(CURRENT, Sees::Now, &[id.into()]));
    let names: Vec<Option<String>> = rows.get(0, 0)?;
    let [customer, amount, currency, paid_at, refunded, product] = names.try_into().ok()?;
    Some(Current {
        mapping: Mapping {
            customer: customer?,
            amount: amount?,
            currency,
            paid_at,
            refunded,
            product,
            // one that stays is not read again: its columns have the names that it knows
            paid_when: None,
            currency_code: rows.get(0, 1),
            minor_units: rows.get(0, 2)?,
            since: rows.get::<TimestampWithTimeZone>(0, 3).map(i64::from),
            program: rows.get(0, 4)?,
            on_delete: rows.get(0, 5)?,
        },
        has_ledger: rows.get(0, 6)?,
        has_recorded_refunds: rows.get(0, 7)?,
    })
}

#[allow(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn affiliate_alter_binding(
    payments: Option<pg_sys::Oid>,
    currency: Option<String>,
    paid_at: Option<String>,
    since: Option<TimestampWithTimeZone>,
    refunded: Option<String>,
    product: Option<String>,
    paid_when: Option<String>,
    minor_units: Option<bool>,
    currency_code: Option<String>,
    program: Option<String>,
    on_delete: Option<String>,
    clear: Option<Vec<Option<String>>>,
) -> bool {
    let binding = bound(payments);
    if binding.id == crate::bindings::binding::OWN_PAYMENTS {
        Problem::OwnPayments.raise();
    }
    require_owner(binding.table);
    let clear = cleared(clear);
    let since = since.map(|since| moment("since", Some(since)));
    spi::connect(|connection| {
        let host = Host::open_with(binding.table, pg_sys::AccessShareLock as _);
        let Some(Current {
            mapping: before,
            has_ledger,
            has_recorded_refunds,
        }) = current(connection, binding.id)
        else {
            let table = host.name.clone();
            Problem::NotAttached { table }.raise();
        };
        let frozen = |option| {
            let table = host.name.clone();
            Problem::FrozenOption { option, table }.raise()
        };
        let choice = Choice { clear: &clear };
        if program.as_ref().is_some_and(|p| *p != before.program) && has_ledger {
            frozen("program");
        }
        if minor_units.is_some_and(|units| units != before.minor_units) && has_ledger {
            frozen("minor_units");
        }
        if clear.iter().any(|name| name == "refunded") && before.refunded.is_some() && has_ledger {
            frozen("refunded");
        }
        if refunded.is_some() && before.refunded.is_none() {
            let table = host.name.clone();
            if binding.refunds_table.is_some() {
                Problem::RefundsAttached { table }.raise();
            }
            if has_recorded_refunds {
                Problem::RefundsRecorded { table }.raise();
            }
        }
        let changes_condition = paid_when.is_some() || clear.iter().any(|name| name == "paid_when");
        let after = Mapping {
            customer: before.customer,
            amount: before.amount,
            currency: choice.of("currency", currency, before.currency),
            paid_at: choice.of("paid_at", paid_at, before.paid_at),
            refunded: choice.of("refunded", refunded, before.refunded),
            product: choice.of("product", product, before.product),
            paid_when: choice.of("paid_when", paid_when, None),
            minor_units: minor_units.unwrap_or(before.minor_units),
            currency_code: choice.of("currency_code", currency_code, before.currency_code),
            since: choice.of("since", since, before.since),
            program: program.unwrap_or(before.program),
            on_delete: on_delete.unwrap_or(before.on_delete),
        };
        as_owner(|| require_program(connection, &after.program));
        change(connection, binding.id, &host, after, changes_condition)
    })
}

/// The options to be cleared.
fn cleared(clear: Option<Vec<Option<String>>>) -> Vec<String> {
    let names: Vec<String> = clear.unwrap_or_default().into_iter().flatten().collect();
    if let Some(unknown) = names
        .iter()
        .find(|name| !CLEARABLE.contains(&name.as_str()))
    {
        let allowed: Vec<String> = CLEARABLE.iter().map(|name| format!("'{name}'")).collect();
        Problem::NotOneOf {
            name: "clear",
            value: unknown.clone(),
            allowed: allowed.join(", "),
        }
        .raise();
    }
    names
}

struct Choice<'a> {
    clear: &'a [String],
}

impl Choice<'_> {
    /// What an option becomes: what is given, nothing if it is to be cleared, or what it was.
    fn of<T>(&self, name: &'static str, given: Option<T>, before: Option<T>) -> Option<T> {
        let is_cleared = self.clear.iter().any(|cleared| cleared == name);
        match given {
            Some(_) if is_cleared => Problem::OptionTwice { name }.raise(),
            None if is_cleared => None,
            given => given.or(before),
        }
    }
}

/// Writes down what has changed; false if nothing has.
fn change(
    connection: &Connection,
    id: i32,
    host: &Host,
    after: Mapping,
    changes_condition: bool,
) -> bool {
    let resolved = after.resolve(host);
    const CHANGE: &str = "
        UPDATE affiliate.binding b SET
            (program, customer, amount, currency, paid_at, refunded, product, currency_code, minor_units, since, on_delete)
            = ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12),
            (table_oid, attnums) = (b.payments::oid, $13 || CASE WHEN b.table_oid = b.payments::oid THEN b.attnums[7:]
                ELSE affiliate.attribute_numbers(b.payments, b.payment_key) END),
            (paid_when, paid_when_columns, paid_when_mapped, paid_when_attnums) = (
                CASE WHEN $14 THEN $15 ELSE b.paid_when END, CASE WHEN $14 THEN $16 ELSE b.paid_when_columns END,
                CASE WHEN $14 THEN $16 ELSE b.paid_when_mapped END,
                CASE WHEN $14 THEN affiliate.attribute_numbers(b.payments, $16) ELSE b.paid_when_attnums END)
        WHERE b.id = $1 AND (
            (b.program, b.currency, b.paid_at, b.refunded, b.product, b.currency_code, b.minor_units, b.since, b.on_delete)
                IS DISTINCT FROM ($2, $5, $6, $7, $8, $9, $10, $11, $12)
            OR b.attnums[:6] IS DISTINCT FROM $13 OR $14 AND b.paid_when IS DISTINCT FROM $15)";
    let args = [
        id.into(),
        after.program.into(),
        after.customer.into(),
        after.amount.into(),
        after.currency.into(),
        after.paid_at.into(),
        after.refunded.into(),
        after.product.into(),
        resolved.currency_code.into(),
        after.minor_units.into(),
        timestamptz(after.since),
        after.on_delete.into(),
        resolved.attnums.into(),
        changes_condition.into(),
        after.paid_when.into(),
        resolved.condition_columns.into(),
    ];
    as_owner(|| !connection.run(CHANGE, Sees::Now, &args).is_empty())
}
