//! The comparison of a bound table with the ledger. One statement joins them as a whole and keeps
//! the payments that [`super::agrees`] does not find in order; these few are judged one by one,
//! as they are by then, by the rules that post. Memory does not grow with the table.

use std::ops::ControlFlow;
use std::rc::Rc;

use super::agrees;
use super::binding::Binding;
use super::payments::Payments;
use super::settle::Settler;
use crate::domain::record_text;
use crate::pg::memory::Context;
use crate::pg::spi;

const ROWS_PER_FETCH: usize = 1000;

/// How the ledger and a bound table differ over a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Difference {
    /// An eligible payment has no entries.
    Unposted,
    /// The posted sum is not the target of the row as it is.
    OffTarget,
    /// There are entries that no row accounts for.
    NoPayment,
}

/// Calls `found` once for every payment whose ledger is not what its row says, in the order of
/// their keys' texts, until it breaks.
pub fn differences(
    binding: &Rc<Binding>,
    mut found: impl FnMut(&mut Settler, Difference, &[String]) -> ControlFlow<()>,
) {
    let Some(payments) = Payments::of(binding) else {
        return;
    };
    let sql = suspicious(binding, &payments);
    let mut settler = Settler::new(Rc::clone(binding));
    spi::connect(|connection| {
        let args = [binding.program.as_str().into(), binding.id.into()];
        let mut cursor = connection.cursor(&sql, &args);
        let memory = Context::within_current(c"affiliate audit");
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() {
            let rows = cursor.fetch(ROWS_PER_FETCH);
            if rows.is_empty() {
                break;
            }
            flow = memory.with(|| {
                (0..rows.len()).try_for_each(|n| {
                    let key = rows.get::<String>(n, 0);
                    let key_columns = key.and_then(|key| key_columns(binding, &key));
                    match key_columns {
                        Some(columns) => match settler.difference(&columns) {
                            Some(difference) => found(&mut settler, difference, &columns),
                            None => ControlFlow::Continue(()),
                        },
                        None => ControlFlow::Continue(()),
                    }
                })
            });
            rows.free();
            memory.reset();
            pgrx::check_for_interrupts!();
        }
        memory.delete();
        cursor.close();
    });
}

/// The statement that returns the keys of payments to be looked at: `$1` is the programme, `$2`
/// the binding. Payments of customers nobody referred drop out before anything else is done with
/// them. Entries that no row of a referred customer accounts for count unless they cancel out,
/// and where the entries of deleted rows are kept only if the row is there.
fn suspicious(binding: &Binding, payments: &Payments) -> String {
    let key = payments.key();
    let is_known = payments.is_key("c.payment_key");
    let referral = referral(payments);
    let (refunds, is_refunded) = agrees::refunds(binding, payments);
    let agrees = agrees::call(binding, payments);
    let from = &payments.from;
    let (joined, condition) = if binding.keeps_deleted {
        (
            format!("{from} LEFT JOIN {referral} {refunds} LEFT JOIN entry c ON {is_known}"),
            format!(
                "CASE WHEN r.id IS NULL THEN c.seq IS NOT NULL ELSE {is_refunded} OR NOT {agrees} END"
            ),
        )
    } else {
        (
            format!("({from} JOIN {referral} {refunds}) FULL JOIN entry c ON {is_known}"),
            format!("r.id IS NULL OR {is_refunded} OR NOT {agrees}"),
        )
    };
    // by sorting, never by hashing: the planner can't know how few rows there are, and would set
    // aside memory for as many as there are payments
    format!(
        "WITH entry AS NOT MATERIALIZED (SELECT c.* FROM affiliate.commission c WHERE c.binding_id = $2)
         SELECT DISTINCT ON (s.key) s.key FROM (
             SELECT d.key, d.has_row, sum(d.amount) OVER account AS amount, sum(d.spent) OVER account AS spent
             FROM (
                 SELECT coalesce(c.payment_key, {key}) AS key, r.id IS NOT NULL AS has_row,
                     c.referral_id, c.currency, c.amount, c.base - c.base_before AS spent
                 FROM {joined} WHERE {condition}) d
             WINDOW account AS (PARTITION BY d.key, d.referral_id, d.currency)) s
         WHERE s.has_row OR s.amount <> 0 OR s.spent <> 0"
    )
}

/// The referrals `r` of the programme `$1`, to be joined with payments. Those of integers are
/// grouped, which changes nothing but lets the planner know that no two have the same customer.
fn referral(payments: &Payments) -> String {
    match payments.integer_customer() {
        Some(customer) => format!(
            "(SELECT affiliate.as_bigint(r.customer) AS customer, min(r.id) AS id,
                 min(r.affiliate_id) AS affiliate_id, min(r.attributed_at) AS attributed_at
             FROM affiliate.referral r WHERE r.program = $1 GROUP BY 1) r ON r.customer = {customer}"
        ),
        None => format!(
            "affiliate.referral r ON r.program = $1 AND r.customer = {}",
            payments.customer()
        ),
    }
}

/// The texts of the key's columns from the text of the key.
pub fn key_columns(binding: &Binding, key: &str) -> Option<Vec<String>> {
    if binding.columns.key.len() == 1 {
        Some(vec![key.to_owned()])
    } else {
        record_text::read(key)
    }
}
