//! Binding the host's payments table, and letting it go.

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::prelude::*;

use crate::bindings::binding::OWN_PAYMENTS;
use crate::bindings::host::{
    Host, drop_triggers, is_bound, left_on_partitions, refuse_bound, triggers,
};
use crate::bindings::mapping::{Mapping, Resolved};
use crate::bindings::ownership::{lending_triggers, require_ledger_owner, require_owner};
use crate::programs::program::require_program;
use crate::server::args::{moment, regclass, timestamptz};
use crate::server::calls::{required, required_text};
use crate::server::error::Problem;
use crate::server::names::table_name;
use crate::server::relations::Relations;
use crate::server::rights::as_owner;
use crate::server::spi::{self, Connection, Sees};

/// What only attaching decides.
struct Attached {
    payment_key: Option<String>,
    replica: bool,
}

#[allow(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn affiliate_attach_payments(
    payments: Option<pg_sys::Oid>,
    customer: Option<String>,
    amount: Option<String>,
    currency: Option<String>,
    paid_at: Option<String>,
    payment_key: Option<String>,
    since: Option<TimestampWithTimeZone>,
    replica: Option<bool>,
    refunded: Option<String>,
    product: Option<String>,
    paid_when: Option<String>,
    minor_units: Option<bool>,
    currency_code: Option<String>,
    program: Option<String>,
    on_delete: Option<String>,
) -> i64 {
    let table = required("payments", payments);
    let mapping = Mapping {
        customer: required_text("customer", customer),
        amount: required_text("amount", amount),
        currency,
        paid_at,
        refunded,
        product,
        paid_when,
        minor_units: required("minor_units", minor_units),
        currency_code,
        since: since.map(|since| moment("since", Some(since))),
        program: required_text("program", program),
        on_delete: required_text("on_delete", on_delete),
    };
    let attached = Attached {
        payment_key,
        replica: required("replica", replica),
    };
    spi::connect(|connection| attach(connection, table, mapping, attached))
}

fn attach(
    connection: &Connection,
    table: pg_sys::Oid,
    mapping: Mapping,
    attached: Attached,
) -> i64 {
    if table == Relations::get().payment {
        Problem::OwnPayments.raise();
    }
    require_owner(table);
    let host = Host::open(table);
    as_owner(|| require_program(connection, &mapping.program));
    let before = binding_of(connection, table);
    as_owner(|| refuse_bound(connection, &host));

    let Resolved {
        currency_code,
        mut attnums,
        condition_columns,
    } = mapping.resolve(&host);
    let key = host.key(connection, attached.payment_key.as_deref());
    attnums.extend(key.iter().map(|column| column.attnum));
    let key_names: Vec<String> = key.iter().map(|column| column.name.clone()).collect();
    if let Some(before) = &before
        && before.key_names != key_names
        && before.has_ledger
    {
        Problem::OtherPaymentKey {
            table: host.name.clone(),
            before: before.key_names.join(", "),
        }
        .raise();
    }

    // attached again, the table keeps its number, and so the ledger of its payments
    const BIND: &str = "
        INSERT INTO affiliate.binding AS b (payments, table_oid, table_name, program, payment_key, customer, amount,
            currency, paid_at, refunded, product, attnums, currency_code, minor_units, paid_when, paid_when_columns,
            paid_when_mapped, since, on_delete, replica)
        VALUES ($1, $1::oid, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        ON CONFLICT (payments) DO UPDATE SET
            (table_oid, table_name, program, payment_key, key_types, customer, amount, currency, paid_at, refunded, product,
                attnums, currency_code, minor_units, paid_when, paid_when_columns, paid_when_mapped, paid_when_attnums, since,
                on_delete, replica, attached_at, detached_at, paused_at, paused_because, paused_by)
            = (excluded.table_oid, excluded.table_name, excluded.program, excluded.payment_key,
                CASE WHEN b.payment_key = excluded.payment_key THEN b.key_types ELSE excluded.key_types END, excluded.customer,
                excluded.amount, excluded.currency, excluded.paid_at, excluded.refunded, excluded.product,
                excluded.attnums, excluded.currency_code, excluded.minor_units, excluded.paid_when,
                excluded.paid_when_columns, excluded.paid_when_mapped, excluded.paid_when_attnums, excluded.since, excluded.on_delete,
                excluded.replica, now(), NULL, NULL, NULL, NULL)
        RETURNING b.id";
    let args = [
        regclass(table),
        host.name.as_str().into(),
        mapping.program.into(),
        key_names.into(),
        mapping.customer.into(),
        mapping.amount.into(),
        mapping.currency.into(),
        mapping.paid_at.into(),
        mapping.refunded.into(),
        mapping.product.into(),
        attnums.into(),
        currency_code.into(),
        mapping.minor_units.into(),
        mapping.paid_when.into(),
        condition_columns.clone().into(),
        condition_columns.into(),
        timestamptz(mapping.since),
        mapping.on_delete.into(),
        attached.replica.into(),
    ];
    let bound = as_owner(|| connection.run(BIND, Sees::Now, &args));
    let id: i32 = bound.value().unwrap_or_default();
    lending_triggers(|| {
        host.create_triggers(connection, "affiliate.post_payments()", attached.replica);
    });
    i64::from(id)
}

struct Before {
    id: i32,
    key_names: Vec<String>,
    is_detached: bool,
    /// There are entries or recorded refunds of its payments.
    has_ledger: bool,
}

fn binding_of(connection: &Connection, table: pg_sys::Oid) -> Option<Before> {
    const FIND: &str = "SELECT id, payment_key, detached_at IS NOT NULL,
            EXISTS (SELECT FROM affiliate.commission c WHERE c.binding_id = b.id)
                OR EXISTS (SELECT FROM affiliate.refund f WHERE f.binding_id = b.id)
        FROM affiliate.binding b WHERE b.payments = $1 FOR UPDATE";
    let rows = as_owner(|| connection.run(FIND, Sees::Now, &[regclass(table)]));
    Some(Before {
        id: rows.get(0, 0)?,
        key_names: rows.get(0, 1).unwrap_or_default(),
        is_detached: rows.get(0, 2).unwrap_or_default(),
        has_ledger: rows.get(0, 3).unwrap_or_default(),
    })
}

#[pg_extern(sql = false)]
fn affiliate_detach(table: Option<pg_sys::Oid>, dropped: Option<String>) -> bool {
    spi::connect(|connection| {
        let is_attached =
            (table.is_none() && dropped.is_some()) || detach(connection, required("table", table));
        if let Some(name) = dropped {
            detach_dropped(connection, name);
        }
        is_attached
    })
}

fn detach(connection: &Connection, table: pg_sys::Oid) -> bool {
    require_owner(table);
    const DETACH_REFUNDS: &str = "
        UPDATE affiliate.refunds_binding SET detached_at = now() WHERE refunds = $1 AND detached_at IS NULL";
    const DETACH: &str = "UPDATE affiliate.binding SET detached_at = now() WHERE id = $1";
    let run = |sql, args: &[DatumWithOid]| as_owner(|| connection.run(sql, Sees::Now, args));
    let is_refunds = !run(DETACH_REFUNDS, &[regclass(table)]).is_empty();
    let binding = binding_of(connection, table).filter(|binding| !binding.is_detached);
    let name = table_name(table);
    let is_attached = is_refunds || binding.is_some();
    match binding {
        Some(binding) if binding.id == OWN_PAYMENTS => Problem::OwnPayments.raise(),
        Some(binding) => {
            run(DETACH, &[binding.id.into()]);
        }
        None if is_refunds => {}
        None if is_bound(connection, table) || triggers(connection, table).is_empty() => {
            Problem::NotAttached { table: name }.raise();
        }
        None => notice!("{name} is not attached; triggers of the extension on it are dropped"),
    }
    drop_triggers(connection, triggers(connection, table));
    drop_triggers(connection, left_on_partitions(connection));
    is_attached
}

/// Detaches what has been dropped, known by the name it had when it was attached.
fn detach_dropped(connection: &Connection, name: String) {
    require_ledger_owner(&name);
    let mut is_known = false;
    for (table, column) in [("binding", "payments"), ("refunds_binding", "refunds")] {
        let sql = format!(
            "UPDATE affiliate.{table} b SET detached_at = now()
             WHERE b.table_name = $1 AND b.detached_at IS NULL
                AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = b.{column})"
        );
        let detached = as_owner(|| connection.run(&sql, Sees::Now, &[name.as_str().into()]));
        is_known |= !detached.is_empty();
    }
    if !is_known {
        Problem::NotAttached { table: name }.raise();
    }
}
