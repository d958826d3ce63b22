//! Attaching a table of refunds.

use pgrx::prelude::*;

use crate::bindings::asked::bound;
use crate::bindings::binding::{Binding, Resolver};
use crate::bindings::host::{self, Host, refuse_bound};
use crate::bindings::ownership::{lending_triggers, require_owner};
use crate::server::args::regclass;
use crate::server::calls::{required, required_text};
use crate::server::error::Problem;
use crate::server::names::{table_name, type_name};
use crate::server::rights::as_owner;
use crate::server::spi::{self, Sees};

#[allow(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn affiliate_attach_refunds(
    refunds: Option<pg_sys::Oid>,
    payments: Option<pg_sys::Oid>,
    payment_key: Option<String>,
    refund_key: Option<String>,
    amount: Option<String>,
    currency: Option<String>,
    minor_units: Option<bool>,
) -> i64 {
    let table = required("refunds", refunds);
    let payment_key = required_text("payment_key", payment_key);
    let refund_key = required_text("refund_key", refund_key);
    let amount = required_text("amount", amount);
    let binding = bound(payments);
    let payments_name = table_name(binding.table);
    if !matches!(
        binding.columns.refunded,
        crate::bindings::binding::Mapped::No
    ) {
        Problem::RefundsInColumn {
            table: payments_name,
        }
        .raise();
    }
    if binding.refunds_table.is_some() {
        Problem::RefundsAttached {
            table: payments_name,
        }
        .raise();
    }
    let minor_units = minor_units.unwrap_or(binding.minor_units);
    require_owner(binding.table);
    require_owner(table);
    spi::connect(|connection| {
        let host = Host::open(table);
        as_owner(|| refuse_bound(connection, &host));
        let amount = host.amount_column(&amount, minor_units);
        let refund_key = host.text_column(&refund_key);
        let currency = currency.as_deref().map(|name| host.text_column(name));
        let key: Vec<_> = payment_key
            .split(',')
            .map(|name| host.text_column(name.trim()))
            .collect();
        if key.len() != binding.columns.key.len() {
            let expected = binding.columns.key.len();
            Problem::PaymentKeyColumns {
                table: payments_name.clone(),
                expected,
            }
            .raise();
        }
        require_spellings(&binding, table, &key);
        let mut attnums = vec![refund_key.attnum, amount.attnum];
        attnums.push(currency.as_ref().map_or(0, |column| column.attnum));
        attnums.extend(key.iter().map(|column| column.attnum));
        let key_names: Vec<String> = key.iter().map(|column| column.name.clone()).collect();
        const BIND: &str = "
            INSERT INTO affiliate.refunds_binding AS f (refunds, table_oid, table_name, binding_id, payment_key,
                refund_key, amount, currency, attnums, minor_units)
            VALUES ($1, $1::oid, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (refunds) DO UPDATE SET
                (table_oid, table_name, binding_id, payment_key, refund_key, amount, currency, attnums, minor_units,
                    attached_at, detached_at)
                = (excluded.table_oid, excluded.table_name, excluded.binding_id, excluded.payment_key,
                    excluded.refund_key, excluded.amount, excluded.currency, excluded.attnums, excluded.minor_units,
                    now(), NULL)
            RETURNING f.id";
        let args = [
            regclass(table),
            host.name.as_str().into(),
            binding.id.into(),
            key_names.into(),
            refund_key.name.into(),
            amount.name.into(),
            currency.map(|column| column.name).into(),
            attnums.into(),
            minor_units.into(),
        ];
        let bound = as_owner(|| connection.run(BIND, Sees::Now, &args));
        let id: i32 = bound.value().unwrap_or_default();
        lending_triggers(|| host.create_triggers(connection, "affiliate.post_refunds()", false));
        i64::from(id)
    })
}

/// Where the key has values that are the same for its equality and not as text, only columns of
/// its type can be looked up by it.
fn require_spellings(binding: &Binding, refunds: pg_sys::Oid, names: &[host::Mapped]) {
    if !binding.has_many_spellings {
        return;
    }
    let resolver = Resolver::open(refunds, refunds, true);
    for (name, key) in names.iter().zip(&binding.columns.key) {
        let column = resolver.column(&name.name, name.attnum).column();
        if !column.is_some_and(|column| column.spells_like(key)) {
            Problem::RefundKeyType {
                column: name.name.clone(),
                type_name: type_name(key.type_oid),
            }
            .raise();
        }
    }
}
