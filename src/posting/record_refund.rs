//! Recording a refund or a dispute by a call, and the refunds whose payment is not there yet.

use std::rc::Rc;
use std::time::{Duration, Instant};

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::prelude::*;
use pgrx::{AnyElement, AnyNumeric};
use rust_decimal::Decimal;

use crate::bindings::asked::{
    self, asked_columns, bound, malformed, require_no_other_refunds, require_short,
};
use crate::bindings::binding::{Binding, forget_everywhere};
use crate::bindings::spelling;
use crate::posting::respell;
use crate::posting::settle::{Options, Settler};
use crate::rules::refund::Kind;
use crate::rules::words::Word;
use crate::server::args::{moment, timestamptz};
use crate::server::calls::{required, word};
use crate::server::error::Problem;
use crate::server::locks;
use crate::server::names::table_name;
use crate::server::numeric;
use crate::server::rights::{as_owner, unless_host_fails};
use crate::server::spi::{self, Sees};

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
        Ok(amount) if binding.unit.is_minor() && !amount.fract().is_zero() => {
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
) -> bool {
    let payment_key = required("payment_key", payment_key);
    let refund_key = asked_refund_key(refund_key);
    let amount = required("amount", amount);
    let kind = required("kind", kind);
    let refunded_at = moment("refunded_at", refunded_at);
    let kind: Kind = word("kind", kind);
    let binding = bound(payments);
    let payment_key = asked::payment_key(&binding, Some(payment_key));
    let amount = positive_amount(&binding, amount);
    if kind == Kind::Refund {
        require_no_other_refunds(&binding);
    }
    as_owner(|| {
        let binding = respell::up_to_date(binding);
        let mut settler = Settler::new(Rc::clone(&binding));
        let found = settler.find(&asked_columns(&binding, &payment_key));
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
        if !record(&binding, &args, &key_columns, &refund_key) {
            return false;
        }
        if !binding.has_recorded_refunds {
            forget_everywhere();
        }
        if !settler.settle(&key_columns, Options::LOCKED).has_row {
            wait_for_payment(&args[..4]);
        }
        true
    })
}

pub fn asked_refund_key(refund_key: Option<String>) -> String {
    let refund_key = required("refund_key", refund_key);
    if refund_key.trim().is_empty() {
        Problem::EmptyText { name: "refund_key" }.raise();
    }
    require_short("refund_key", &refund_key);
    refund_key
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
            .first()
            .map(|row| row.required::<String>("payment_key"))
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

/// How long refunds that wait hold up a maintenance or a reconciliation where others have locked
/// a table or a payment: all of them together, or a little longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Settles the payments that refunds waited for and that are there now. What others have locked
/// for long is left for the next time.
pub fn settle_waiting() {
    const WAITING: &str = "
        SELECT array_agg(r.id) AS ids, r.payment_key, b.payments::oid AS \"table\"
        FROM affiliate.refund r JOIN affiliate.binding b ON b.id = r.binding_id
        WHERE r.waits AND b.detached_at IS NULL AND b.paused_at IS NULL
            AND EXISTS (SELECT FROM pg_class c WHERE c.oid = b.payments)
        GROUP BY r.binding_id, r.payment_key, b.payments ORDER BY r.binding_id, r.payment_key";
    // another one may have been committed meanwhile, and goes on waiting
    const FOUND: &str = "UPDATE affiliate.refund SET waits = false WHERE id = ANY ($1)";
    let deadline = Instant::now() + PATIENCE;
    let (mut told, mut skipped): (Option<pg_sys::Oid>, Option<pg_sys::Oid>) = (None, None);
    as_owner(|| {
        spi::connect(|connection| {
            let waiting = connection.run(WAITING, Sees::Now, &[]);
            for row in waiting.iter() {
                let (key, table): (String, _) =
                    (row.required("payment_key"), row.required("table"));
                if skipped == Some(table) {
                    continue;
                }
                let patience = deadline.saturating_duration_since(Instant::now());
                let settle = || unless_host_fails(|| is_settled(table, &key));
                match locks::within(patience, settle) {
                    Some(Ok(true)) => {
                        let ids: Vec<i64> = row.array("ids");
                        connection.run(FOUND, Sees::Now, &[ids.into()]);
                    }
                    Some(Ok(false)) => {}
                    Some(Err(why)) => pgrx::warning!("{} can't be read: {why}", table_name(table)),
                    None => {
                        if told.replace(table) != Some(table) {
                            let name = table_name(table);
                            notice!("{name} or a row of it is locked: refunds go on waiting");
                        }
                        if !locks::may_read(table) {
                            skipped = Some(table);
                        }
                    }
                }
            }
        });
    });
}

/// Settles a payment; false if it is not there.
fn is_settled(table: pg_sys::Oid, key: &str) -> bool {
    let Some(binding) = Binding::of(table) else {
        return false;
    };
    let Some(key_columns) = binding.key_columns(key) else {
        return false;
    };
    let mut settler = Settler::new(Rc::clone(&binding));
    settler.settle(&key_columns, Options::LOCKED).has_row
}
