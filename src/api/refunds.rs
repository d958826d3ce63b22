//! Refunds and disputes: recorded by a call, or in an attached table.

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::prelude::*;
use pgrx::{AnyElement, AnyNumeric};
use rust_decimal::Decimal;

use super::host::{self, Host, refuse_bound};
use super::ownership::{lending_triggers, require_owner};
use super::referrals::moment;
use super::{require_short, required, required_text};
use crate::ledger::binding::{Binding, Resolver, forget_everywhere};
use crate::ledger::settle::{Options, Settler};
use crate::ledger::{respell, spelling};
use crate::pg::args::{regclass, timestamptz};
use crate::pg::error::Problem;
use crate::pg::names::{table_name, type_name};
use crate::pg::numeric;
use crate::pg::rights::{as_owner, unless_host_fails};
use crate::pg::spi::{self, Sees};

/// The binding of an attached table, for which a partition of it may stand; an error if it is
/// not attached.
pub fn bound(table: Option<pg_sys::Oid>) -> std::rc::Rc<Binding> {
    let table = required("payments", table);
    match Binding::of(table) {
        Some(binding) => binding.of_bound_table(),
        None => Problem::NotAttached {
            table: table_name(table),
        }
        .raise(),
    }
}

/// The texts of the columns of a key; an error if it is malformed.
pub fn asked(binding: &Binding, key: &str) -> Vec<String> {
    binding.key_columns(key).unwrap_or_else(|| malformed(key))
}

/// Refuses what is no key of the table.
pub fn malformed(key: &str) -> ! {
    let key = key.to_owned();
    Problem::UnknownPaymentKey { key }.raise()
}

fn positive_amount(binding: &Binding, value: AnyNumeric) -> Decimal {
    let refuse = |allowed| -> ! {
        let value = value.to_string();
        Problem::NumberOutOfRange {
            name: "amount",
            value,
            allowed,
        }
        .raise()
    };
    match numeric::from_any(value.clone()) {
        Ok(amount) if amount.is_sign_negative() || amount.is_zero() => {
            refuse("a finite amount above 0")
        }
        Ok(amount) if binding.minor_units && !amount.fract().is_zero() => {
            refuse("an integer, in the minor unit as the payments are")
        }
        Ok(amount) => amount,
        Err(_) => refuse("a finite amount above 0"),
    }
}

#[pg_extern(sql = false)]
fn affiliate_record_refund(
    payments: Option<pg_sys::Oid>,
    payment_key: Option<AnyElement>,
    refund_key: Option<String>,
    amount: Option<AnyNumeric>,
    kind: Option<String>,
    refunded_at: Option<TimestampWithTimeZone>,
) {
    let payment_key = required("payment_key", payment_key);
    let refund_key = required("refund_key", refund_key);
    if refund_key.trim().is_empty() {
        Problem::EmptyText { name: "refund_key" }.raise();
    }
    require_short("refund_key", &refund_key);
    let amount = required("amount", amount);
    let kind = required("kind", kind);
    let refunded_at = moment("refunded_at", refunded_at);
    if !matches!(kind.as_str(), "refund" | "dispute" | "dispute_won") {
        let allowed = "'refund', 'dispute', 'dispute_won'".to_owned();
        Problem::NotOneOf {
            name: "kind",
            value: kind,
            allowed,
        }
        .raise();
    }
    let binding = bound(payments);
    let payment_key = super::payment_key(&binding, Some(payment_key));
    let amount = positive_amount(&binding, amount);
    if kind == "refund" && !matches!(binding.columns.refunded, crate::ledger::binding::Mapped::No) {
        Problem::RefundsInColumn {
            table: table_name(binding.table),
        }
        .raise();
    }
    if kind == "refund" && binding.refunds_table.is_some() {
        Problem::RefundsAttached {
            table: table_name(binding.table),
        }
        .raise();
    }
    as_owner(|| {
        let binding = respell::up_to_date(binding);
        let mut settler = Settler::new(std::rc::Rc::clone(&binding));
        let found = settler.find(&asked(&binding, &payment_key));
        let key_columns = found.unwrap_or_else(|| malformed(&payment_key));
        let key = binding.key_text(key_columns.clone());
        require_short("payment_key", &key);
        let args = [
            binding.id.into(),
            key.as_str().into(),
            kind.as_str().into(),
            refund_key.as_str().into(),
            numeric::arg(amount),
            timestamptz(Some(refunded_at)),
        ];
        if record(&binding, &args, &key_columns, &refund_key) {
            if !binding.has_recorded_refunds {
                forget_everywhere();
            }
            if !settler
                .settle(
                    &key_columns,
                    Options {
                        lock: true,
                        ..Options::default()
                    },
                )
                .has_row
            {
                wait_for_payment(&args[..4]);
            }
        }
    });
}

/// Records a refund; false if it is there already.
fn record(
    binding: &Binding,
    args: &[DatumWithOid; 6],
    key_columns: &[String],
    refund_key: &str,
) -> bool {
    const INSERT: &str = "
        INSERT INTO affiliate.refund (binding_id, payment_key, kind, refund_key, amount, refunded_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (binding_id, kind, refund_key) DO NOTHING";
    const OF_AMOUNT: &str = "
        SELECT r.payment_key FROM affiliate.refund r
        WHERE r.binding_id = $1 AND r.kind = $3 AND r.refund_key = $4 AND r.amount = $5";
    spi::connect(|connection| {
        if !connection.run(INSERT, Sees::Now, args).is_empty() {
            return true;
        }
        let recorded = connection.run(OF_AMOUNT, Sees::Latest, &args[..5]);
        let recorded = recorded
            .value::<String>()
            .and_then(|key| binding.key_columns(&key));
        // one that waits for its payment may have been recorded under another spelling
        let is_same = recorded.is_some_and(|recorded| {
            recorded == key_columns
                || spelling::same_as(
                    binding.table,
                    &binding.columns.key,
                    key_columns,
                    &[recorded],
                ) == [true]
        });
        if !is_same {
            Problem::RefundDiffers {
                refund_key: refund_key.to_owned(),
            }
            .raise();
        }
        false
    })
}

/// Marks a refund whose payment is not there: affiliate_maintain() looks again, for a payment
/// that another session is about to commit does not see this refund, nor this one it.
fn wait_for_payment(args: &[DatumWithOid]) {
    const WAIT: &str = "
        UPDATE affiliate.refund SET waits = true
        WHERE binding_id = $1 AND payment_key = $2 AND kind = $3 AND refund_key = $4";
    spi::connect(|connection| {
        connection.run(WAIT, Sees::Now, args);
    });
}

/// Settles the payments that refunds waited for and that are there now.
pub fn settle_waiting() {
    const WAITING: &str = "
        SELECT array_agg(r.id), r.payment_key, b.payments::oid
        FROM affiliate.refund r JOIN affiliate.binding b ON b.id = r.binding_id
        WHERE r.waits AND b.detached_at IS NULL AND b.paused_at IS NULL
            AND EXISTS (SELECT FROM pg_class c WHERE c.oid = b.payments)
        GROUP BY r.binding_id, r.payment_key, b.payments ORDER BY r.binding_id, r.payment_key";
    // another one may have been committed meanwhile, and goes on waiting
    const FOUND: &str = "UPDATE affiliate.refund SET waits = false WHERE id = ANY ($1)";
    as_owner(|| {
        spi::connect(|connection| {
            let waiting = connection.run(WAITING, Sees::Now, &[]);
            for row in 0..waiting.len() {
                let (Some(key), Some(table)) = (waiting.get::<String>(row, 1), waiting.get(row, 2))
                else {
                    continue;
                };
                let Some(binding) = Binding::of(table) else {
                    continue;
                };
                let Some(key_columns) = binding.key_columns(&key) else {
                    continue;
                };
                let options = Options {
                    lock: true,
                    ..Options::default()
                };
                let settled = unless_host_fails(|| {
                    let mut settler = Settler::new(std::rc::Rc::clone(&binding));
                    settler.settle(&key_columns, options).has_row
                });
                match settled {
                    Ok(true) => {
                        let ids: Option<Vec<i64>> = waiting.get(row, 0);
                        connection.run(FOUND, Sees::Now, &[ids.into()]);
                    }
                    Ok(false) => {}
                    Err(why) => pgrx::warning!("{} can't be read: {why}", table_name(table)),
                }
            }
        });
    });
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
    let payments_name = table_name(binding.table);
    if !matches!(binding.columns.refunded, crate::ledger::binding::Mapped::No) {
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
