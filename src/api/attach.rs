//! Binding the host's payments table, and letting it go.

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::prelude::*;

use super::host::{Host, triggers};
use super::mapping::{Mapping, Resolved};
use super::ownership::{lending_triggers, require_owner};
use super::programs::require_program;
use super::referrals::moment;
use super::{required, required_text};
use crate::pg::args::{regclass, timestamptz};
use crate::pg::error::Problem;
use crate::pg::names::table_name;
use crate::pg::relations::Relations;
use crate::pg::rights::as_owner;
use crate::pg::spi::{self, Connection, Sees};
use crate::pg::text::quote_ident;

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
    if before.as_ref().is_some_and(|before| !before.is_detached) {
        Problem::AlreadyAttached {
            table: host.name.clone(),
        }
        .raise();
    }

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
fn affiliate_detach(table: Option<pg_sys::Oid>) -> bool {
    let table = required("table", table);
    spi::connect(|connection| {
        let name = table_name(table);
        let run = |sql, args: &[DatumWithOid]| as_owner(|| connection.run(sql, Sees::Now, args));
        require_owner(table);
        const DETACH_REFUNDS: &str = "
            UPDATE affiliate.refunds_binding SET detached_at = now() WHERE refunds = $1 AND detached_at IS NULL";
        if !run(DETACH_REFUNDS, &[regclass(table)]).is_empty() {
            drop_triggers(connection, table);
            return true;
        }
        let Some(binding) = binding_of(connection, table).filter(|binding| !binding.is_detached)
        else {
            Problem::NotAttached { table: name }.raise();
        };
        if binding.id == crate::ledger::binding::OWN_PAYMENTS {
            Problem::OwnPayments.raise();
        }
        drop_triggers(connection, table);
        const DETACH: &str = "UPDATE affiliate.binding SET detached_at = now() WHERE id = $1";
        !run(DETACH, &[binding.id.into()]).is_empty()
    })
}

fn drop_triggers(connection: &Connection, table: pg_sys::Oid) {
    for (trigger, relation) in triggers(connection, table) {
        let sql = format!(
            "DROP TRIGGER {} ON {}",
            quote_ident(&trigger),
            table_name(relation)
        );
        connection.run_once(&sql, Sees::Now, &[]);
    }
}
