//! Attaching a table of payments.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::bindings::attached::refuse_bound;
use crate::bindings::candidate::Candidate;
use crate::bindings::earlier;
use crate::bindings::mapping::{Fitting, Mapping};
use crate::bindings::own_triggers::create_triggers;
use crate::bindings::ownership::{lending_triggers, require_owner};
use crate::programs::program::require_program;
use crate::server::args::{moment, regclass};
use crate::server::calls::{required, required_text};
use crate::server::error::Problem;
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
    minor_units_of: Option<String>,
    paid_at_zone: Option<String>,
    on_truncate: Option<String>,
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
        minor_units_of,
        paid_at_zone,
        currency_code,
        since: since.map(|since| moment("since", Some(since))),
        program: required_text("program", program),
        on_delete: required_text("on_delete", on_delete),
        on_truncate,
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
    let host = Candidate::open(table);
    as_owner(|| require_program(connection, &mapping.program));
    let before = Before::of(connection, table);
    as_owner(|| {
        refuse_bound(connection, table);
        earlier::refuse_lost_bindings(connection);
        earlier::refuse_other_options(connection, table, &host.name, &mapping);
    });
    let fitting = mapping.fit(&host);
    let key = host.key(connection, attached.payment_key.as_deref());
    let key: Vec<String> = key.into_iter().map(|column| column.name).collect();
    if let Some(before) = before {
        before.require_key(&host.name, &key);
    }
    let id = bind(connection, &host, fitting, key, attached.replica);
    lending_triggers(|| {
        let function = "affiliate.post_payments()";
        create_triggers(connection, &host, function, attached.replica);
    });
    i64::from(id)
}

/// Attached again, the table keeps its number, and so the ledger of its payments. The trigger
/// `number_columns` adds the attribute numbers.
fn bind(
    connection: &Connection,
    host: &Candidate,
    options: Fitting,
    key: Vec<String>,
    replica: bool,
) -> i32 {
    let bind = format!(
        "INSERT INTO affiliate.binding AS b ({columns}, paid_when, paid_when_columns, paid_when_mapped,
            payments, table_oid, table_name, payment_key, replica)
         VALUES ({parameters}, $15, $16, $16, $17, $17::oid, $18, $19, $20)
         ON CONFLICT (payments) DO UPDATE SET
            ({columns}) = ({parameters}),
            (paid_when, paid_when_columns, paid_when_mapped, paid_when_attnums)
                = ($15, $16, $16, excluded.paid_when_attnums),
            (table_oid, table_name, attnums, payment_key, key_types, replica)
                = (excluded.table_oid, $18, excluded.attnums, $19,
                    CASE WHEN b.payment_key = $19 THEN b.key_types ELSE excluded.key_types END, $20),
            (attached_at, detached_at, paused_at, paused_because, paused_by) = (now(), NULL, NULL, NULL, NULL)
         RETURNING b.id",
        columns = Fitting::COLUMNS,
        parameters = Fitting::PARAMETERS
    );
    let mut args = options.args();
    args.extend([
        regclass(host.oid),
        host.name.as_str().into(),
        key.into(),
        replica.into(),
    ]);
    let bound = as_owner(|| connection.run(&bind, Sees::Now, &args));
    bound.only().required("id")
}

/// What is known of a table that was attached before, or is now.
pub struct Before {
    pub id: i32,
    pub is_detached: bool,
    key: Vec<String>,
    /// There are entries or recorded refunds of its payments.
    has_ledger: bool,
}

impl Before {
    pub fn of(connection: &Connection, table: pg_sys::Oid) -> Option<Self> {
        const FIND: &str = "
            SELECT b.id, b.detached_at IS NOT NULL AS is_detached, b.payment_key,
                EXISTS (SELECT FROM affiliate.commission c WHERE c.binding_id = b.id)
                    OR EXISTS (SELECT FROM affiliate.refund f WHERE f.binding_id = b.id) AS has_ledger
            FROM affiliate.binding b WHERE b.payments = $1 FOR UPDATE";
        let rows = as_owner(|| connection.run(FIND, Sees::Now, &[regclass(table)]));
        rows.first().map(|row| Self {
            id: row.required("id"),
            is_detached: row.required("is_detached"),
            key: row.array("payment_key"),
            has_ledger: row.required("has_ledger"),
        })
    }

    /// Refuses another key than the one by which the ledger knows the payments.
    fn require_key(self, table: &str, key: &[String]) {
        if self.has_ledger && self.key != key {
            Problem::OtherPaymentKey {
                table: table.to_owned(),
                before: self.key.join(", "),
            }
            .raise();
        }
    }
}
