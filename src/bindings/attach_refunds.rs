//! Attaching a table of refunds.

use pgrx::prelude::*;

use crate::bindings::asked::{bound, require_no_other_refunds};
use crate::bindings::attached::refuse_bound;
use crate::bindings::binding::Binding;
use crate::bindings::candidate::{Candidate, NamedColumn};
use crate::bindings::columns::Resolver;
use crate::bindings::own_triggers::create_triggers;
use crate::bindings::ownership::{lending_triggers, require_owner};
use crate::server::args::regclass;
use crate::server::calls::{required, required_text};
use crate::server::error::Problem;
use crate::server::names::{table_name, type_name};
use crate::server::rights::as_owner;
use crate::server::spi::{self, Connection, Sees};

/// What the columns mean, as the caller says it.
struct Mapping {
    payment_key: String,
    refund_key: String,
    amount: String,
    currency: Option<String>,
    minor_units: bool,
}

/// The same, found in the table.
struct Columns {
    payment_key: Vec<NamedColumn>,
    refund_key: NamedColumn,
    amount: NamedColumn,
    currency: Option<NamedColumn>,
}

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
    require_no_other_refunds(&binding);
    require_owner(binding.table);
    require_owner(table);
    let mapping = Mapping {
        payment_key,
        refund_key,
        amount,
        currency,
        minor_units: minor_units.unwrap_or(binding.unit.is_minor()),
    };
    spi::connect(|connection| attach(connection, &binding, table, &mapping))
}

fn attach(
    connection: &Connection,
    binding: &Binding,
    table: pg_sys::Oid,
    mapping: &Mapping,
) -> i64 {
    let host = Candidate::open(table);
    as_owner(|| refuse_bound(connection, table));
    let columns = mapping.find(&host);
    let expected = binding.columns.key.len();
    if columns.payment_key.len() != expected {
        let table = table_name(binding.table);
        Problem::PaymentKeyColumns { table, expected }.raise();
    }
    require_spellings(binding, table, &columns.payment_key);
    let id = bind(connection, binding, &host, columns, mapping.minor_units);
    lending_triggers(|| {
        create_triggers(connection, &host, "affiliate.post_refunds()", false);
    });
    i64::from(id)
}

impl Mapping {
    /// Raises an error unless the table has the columns, of types that serve.
    fn find(&self, host: &Candidate) -> Columns {
        let amount = host.amount_column(&self.amount);
        let refund_key = host.text_column(&self.refund_key);
        let currency = self.currency.as_ref().map(|name| host.text_column(name));
        let payment_key = self.payment_key.split(',');
        Columns {
            payment_key: payment_key
                .map(|name| host.text_column(name.trim()))
                .collect(),
            refund_key,
            amount,
            currency,
        }
    }
}

/// The trigger `number_refund_columns` adds the attribute numbers.
fn bind(
    connection: &Connection,
    binding: &Binding,
    host: &Candidate,
    columns: Columns,
    minor_units: bool,
) -> i32 {
    const BIND: &str = "
        INSERT INTO affiliate.refunds_binding AS f (refunds, table_oid, table_name, binding_id, payment_key,
            refund_key, amount, currency, minor_units)
        VALUES ($1, $1::oid, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (refunds) DO UPDATE SET
            (table_oid, table_name, binding_id, payment_key, refund_key, amount, currency, attnums, minor_units,
                attached_at, detached_at)
            = (excluded.table_oid, excluded.table_name, excluded.binding_id, excluded.payment_key,
                excluded.refund_key, excluded.amount, excluded.currency, excluded.attnums, excluded.minor_units,
                now(), NULL)
        RETURNING f.id";
    let name = |column: NamedColumn| column.name;
    let key: Vec<String> = columns.payment_key.into_iter().map(name).collect();
    let args = [
        regclass(host.oid),
        host.name.as_str().into(),
        binding.id.into(),
        key.into(),
        columns.refund_key.name.into(),
        columns.amount.name.into(),
        columns.currency.map(name).into(),
        minor_units.into(),
    ];
    let bound = as_owner(|| connection.run(BIND, Sees::Now, &args));
    bound.only().required("id")
}

/// Where the key has values that are the same for its equality and not as text, only columns of
/// its type can be looked up by it.
fn require_spellings(binding: &Binding, refunds: pg_sys::Oid, names: &[NamedColumn]) {
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
