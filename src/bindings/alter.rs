//! Changing what a binding says, while payments go on.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::bindings::asked::bound;
use crate::bindings::binding::{Binding, OWN_PAYMENTS};
use crate::bindings::candidate::Candidate;
use crate::bindings::mapping::{Fitting, Mapping};
use crate::bindings::ownership::require_owner;
use crate::programs::program::require_program;
use crate::rules::refund::Kind;
use crate::rules::words::Word;
use crate::server::args::{moment, regclass};
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
    "minor_units_of",
    "paid_at_zone",
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
        SELECT coalesce(n.now[1], b.customer) AS customer, coalesce(n.now[2], b.amount) AS amount,
            coalesce(n.now[3], b.currency) AS currency, coalesce(n.now[4], b.paid_at) AS paid_at,
            coalesce(n.now[5], b.refunded) AS refunded, coalesce(n.now[6], b.product) AS product,
            b.currency_code, b.minor_units, b.minor_units_of, b.paid_at_zone, b.since, b.program,
            b.on_delete, b.on_truncate,
            EXISTS (SELECT FROM affiliate.commission c WHERE c.binding_id = b.id)
                OR EXISTS (SELECT FROM affiliate.refund f WHERE f.binding_id = b.id) AS has_ledger,
            EXISTS (SELECT FROM affiliate.refund f WHERE f.binding_id = b.id AND f.kind = $2 AND f.canceled_at IS NULL)
                AS has_recorded_refunds
        FROM affiliate.binding b, LATERAL (
            SELECT CASE WHEN b.table_oid = b.payments::oid THEN affiliate.attribute_names(b.payments, b.attnums) END
                AS now) n
        WHERE b.id = $1 AND b.detached_at IS NULL FOR UPDATE OF b";
    let args = [id.into(), Kind::Refund.as_str().into()];
    let rows = as_owner(|| connection.run(CURRENT, Sees::Now, &args));
    rows.first().map(|row| Current {
        mapping: Mapping {
            customer: row.required("customer"),
            amount: row.required("amount"),
            currency: row.get("currency"),
            paid_at: row.get("paid_at"),
            refunded: row.get("refunded"),
            product: row.get("product"),
            // one that stays is not read again: its columns have the names that it knows
            paid_when: None,
            currency_code: row.get("currency_code"),
            minor_units: row.required("minor_units"),
            minor_units_of: row.get("minor_units_of"),
            paid_at_zone: row.get("paid_at_zone"),
            since: row.get::<TimestampWithTimeZone>("since").map(i64::from),
            program: row.required("program"),
            on_delete: row.required("on_delete"),
            on_truncate: Some(row.required("on_truncate")),
        },
        has_ledger: row.required("has_ledger"),
        has_recorded_refunds: row.required("has_recorded_refunds"),
    })
}

/// What a caller wants to be otherwise; `None` leaves an option as it is.
struct Changes {
    currency: Option<String>,
    paid_at: Option<String>,
    since: Option<i64>,
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
    /// The options to be let go.
    clear: Vec<String>,
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
    minor_units_of: Option<String>,
    paid_at_zone: Option<String>,
    on_truncate: Option<String>,
) -> bool {
    let binding = bound(payments);
    if binding.id == OWN_PAYMENTS {
        Problem::OwnPayments.raise();
    }
    require_owner(binding.table);
    let changes = Changes {
        clear: cleared(clear),
        currency,
        paid_at,
        since: since.map(|since| moment("since", Some(since))),
        refunded,
        product,
        paid_when,
        minor_units,
        currency_code,
        program,
        on_delete,
        minor_units_of,
        paid_at_zone,
        on_truncate,
    };
    spi::connect(|connection| alter(connection, &binding, changes))
}

/// False if nothing has changed.
fn alter(connection: &Connection, binding: &Binding, changes: Changes) -> bool {
    let host = Candidate::open_with(binding.table, pg_sys::AccessShareLock as _);
    let Some(current) = current(connection, binding.id) else {
        let table = host.name.clone();
        Problem::NotAttached { table }.raise();
    };
    changes.refuse_frozen(&current, &host.name);
    changes.refuse_second_refunds(&current, binding.refunds_table.is_some(), &host.name);
    let changes_condition = changes.paid_when.is_some() || changes.clears("paid_when");
    let after = changes.apply(current.mapping);
    as_owner(|| require_program(connection, &after.program));
    let fitting = after.fit(&host);
    write(connection, binding.id, &host, fitting, changes_condition)
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

impl Changes {
    fn clears(&self, name: &str) -> bool {
        self.clear.iter().any(|cleared| cleared == name)
    }

    /// Refuses to change what the entries of the table's payments rest on.
    fn refuse_frozen(&self, current: &Current, table: &str) {
        if !current.has_ledger {
            return;
        }
        let before = &current.mapping;
        let frozen = |option| {
            let table = table.to_owned();
            Problem::FrozenOption { option, table }.raise()
        };
        if self.program.as_ref().is_some_and(|p| *p != before.program) {
            frozen("program");
        }
        if self.minor_units.is_some_and(|u| u != before.minor_units) {
            frozen("minor_units");
        }
        let unit_of = |mapping: &Mapping| mapping.minor_units_of.clone();
        let is_given = self.minor_units_of.is_some() || self.clears("minor_units_of");
        if is_given && self.minor_units_of != unit_of(before) {
            frozen("minor_units_of");
        }
        if self.clears("refunded") && before.refunded.is_some() {
            frozen("refunded");
        }
    }

    /// Refuses a column of refunds where they come from elsewhere.
    fn refuse_second_refunds(&self, current: &Current, has_refunds_table: bool, table: &str) {
        if self.refunded.is_none() || current.mapping.refunded.is_some() {
            return;
        }
        let table = table.to_owned();
        if has_refunds_table {
            Problem::RefundsAttached { table }.raise();
        }
        if current.has_recorded_refunds {
            Problem::RefundsRecorded { table }.raise();
        }
    }

    fn apply(self, before: Mapping) -> Mapping {
        let choice = Choice { clear: &self.clear };
        Mapping {
            customer: before.customer,
            amount: before.amount,
            currency: choice.of("currency", self.currency, before.currency),
            paid_at: choice.of("paid_at", self.paid_at, before.paid_at),
            refunded: choice.of("refunded", self.refunded, before.refunded),
            product: choice.of("product", self.product, before.product),
            paid_when: choice.of("paid_when", self.paid_when, None),
            minor_units: self.minor_units.unwrap_or(before.minor_units),
            minor_units_of: choice.of("minor_units_of", self.minor_units_of, before.minor_units_of),
            paid_at_zone: choice.of("paid_at_zone", self.paid_at_zone, before.paid_at_zone),
            currency_code: choice.of("currency_code", self.currency_code, before.currency_code),
            since: choice.of("since", self.since, before.since),
            program: self.program.unwrap_or(before.program),
            // one that depended on what becomes of deleted payments goes on doing so
            on_truncate: self.on_truncate.or_else(|| {
                let is_kept = self
                    .on_delete
                    .as_ref()
                    .is_none_or(|o| *o == before.on_delete);
                before.on_truncate.filter(|_| is_kept)
            }),
            on_delete: self.on_delete.unwrap_or(before.on_delete),
        }
    }
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
fn write(
    connection: &Connection,
    id: i32,
    host: &Candidate,
    after: Fitting,
    changes_condition: bool,
) -> bool {
    let change = format!(
        "UPDATE affiliate.binding b SET
            ({}) = ({}),
            (table_oid, attnums) = (b.payments::oid, n.attnums || CASE WHEN b.table_oid = b.payments::oid
                THEN b.attnums[7:] ELSE affiliate.attribute_numbers(b.payments, b.payment_key) END),
            (paid_when, paid_when_columns, paid_when_mapped, paid_when_attnums) = (
                CASE WHEN $17 THEN $15 ELSE b.paid_when END, CASE WHEN $17 THEN $16 ELSE b.paid_when_columns END,
                CASE WHEN $17 THEN $16 ELSE b.paid_when_mapped END,
                CASE WHEN $17 THEN affiliate.attribute_numbers(b.payments, $16) ELSE b.paid_when_attnums END)
         FROM affiliate.attribute_numbers($18, ARRAY[$1, $2, $3, $4, $5, $6]) AS n (attnums)
         WHERE b.id = $19 AND (
            (b.currency, b.paid_at, b.refunded, b.product, b.program, b.currency_code, b.minor_units, b.since, b.on_delete,
                    b.minor_units_of, b.paid_at_zone, b.on_truncate)
                IS DISTINCT FROM ($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            OR b.attnums[:6] IS DISTINCT FROM n.attnums OR $17 AND b.paid_when IS DISTINCT FROM $15)",
        Fitting::COLUMNS,
        Fitting::PARAMETERS
    );
    let mut args = after.args();
    args.extend([changes_condition.into(), regclass(host.oid), id.into()]);
    as_owner(|| !connection.run(&change, Sees::Now, &args).is_empty())
}
