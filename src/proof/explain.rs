//! Why a payment earned what it earned, or why nothing.
//!
//! The shape of the answer is that of [`Explanation`]. Amounts are texts, in major units with
//! the decimals they are kept with, since JSON numbers are not exact everywhere.

use std::rc::Rc;

use pgrx::prelude::*;
use pgrx::{AnyElement, JsonB};
use serde::Serialize;

use crate::bindings::asked::{self, asked_columns, bound, malformed};
use crate::bindings::binding::Binding;
use crate::posting::judge::{Judged, judge};
use crate::posting::settle::Settler;
use crate::rules::eligibility::Verdict;
use crate::rules::fault::Fault;
use crate::rules::money;
use crate::server::names::table_name;
use crate::server::rights::as_owner;
use crate::server::spi::{self, Connection, Sees};

#[derive(Serialize)]
struct Explanation {
    table: String,
    payment_key: String,
    /// The customer of the row; null if there is no row or it names none.
    customer: Option<String>,
    /// Who referred the customer, if anybody did.
    referral: Option<Referral>,
    /// What the row earns now; null if it earns nothing.
    commission: Option<Commission>,
    /// Why it earns nothing; null if it earns.
    reason: Option<String>,
    /// The offending value, for a payment in quarantine.
    detail: Option<String>,
    /// What the ledger says, in the order in which it was posted.
    entries: Vec<PostedEntry>,
}

#[derive(Serialize)]
struct Referral {
    id: i64,
    program: String,
    affiliate: i32,
    owner: String,
    affiliate_status: String,
    code: String,
    /// code, coupon or click.
    source: String,
    attributed_at: String,
}

#[derive(Serialize)]
struct Commission {
    currency: String,
    amount: String,
    refunded: String,
    /// amount - refunded, not below 0.
    base: String,
    rule: &'static str,
    rate: String,
    /// rate x base before rounding.
    unrounded: String,
    rounding: String,
    /// What the entries must add up to.
    target: String,
    /// Day in the program's time zone.
    matures_on: String,
    is_matured: bool,
}

#[derive(Serialize)]
struct PostedEntry {
    seq: i32,
    posted_at: String,
    affiliate: i32,
    currency: String,
    rate: String,
    base: String,
    refunded: String,
    posted_before: String,
    amount: String,
    matures_on: String,
    /// The live payout that it is in.
    payout: Option<i64>,
    payout_status: Option<String>,
}

#[pg_extern(sql = false)]
fn affiliate_explain(payments: Option<pg_sys::Oid>, payment_key: Option<AnyElement>) -> JsonB {
    let binding = bound(payments);
    let payment_key = asked::payment_key(&binding, payment_key);
    let explanation = as_owner(|| explain(&binding, &payment_key));
    JsonB(serde_json::to_value(explanation).unwrap_or_default())
}

fn explain(binding: &Rc<Binding>, payment_key: &str) -> Explanation {
    let mut settler = Settler::new(Rc::clone(binding));
    let judged = judge(&mut settler, &asked_columns(binding, payment_key));
    let Judged {
        verdict,
        key_columns,
        customer,
    } = judged.unwrap_or_else(|| malformed(payment_key));
    let key = binding.key_text(key_columns);
    spi::connect(|connection| {
        let referral = customer
            .as_deref()
            .and_then(|c| referral(connection, &binding.program, c));
        let entries = entries(connection, binding.id, &key);
        let (commission, reason, detail) =
            outcome(connection, binding, verdict, !entries.is_empty());
        Explanation {
            table: table_name(binding.table),
            payment_key: key,
            customer,
            referral,
            commission,
            reason,
            detail,
            entries,
        }
    })
}

fn outcome(
    connection: &Connection,
    binding: &Binding,
    verdict: Verdict,
    has_entries: bool,
) -> (Option<Commission>, Option<String>, Option<String>) {
    let nothing = |reason: String, detail| (None, Some(reason), detail);
    match verdict {
        Verdict::Missing if binding.keeps_deleted && has_entries => nothing(
            "the payment is gone, and what it earned is kept".to_owned(),
            None,
        ),
        Verdict::Missing => nothing("there is no such payment".to_owned(), None),
        Verdict::Unreferred => nothing("nobody referred the customer".to_owned(), None),
        Verdict::Nothing(reason) => nothing(reason.to_string(), None),
        Verdict::Faulty(defect) => nothing(
            format!("in quarantine: {}", defect.fault),
            Some(defect.value),
        ),
        Verdict::Claim(claim) => {
            let rule = claim.terms.rule;
            let base = money::exact_sub(claim.amount, claim.refunded);
            let earned = base.and_then(|base| {
                let unrounded = rule.unrounded(base)?;
                let target = rule.target(base, claim.currency)?;
                Some((base, unrounded, target))
            });
            let Some((base, unrounded, target)) = earned else {
                let fault = Fault::AmountOutOfRange;
                return nothing(
                    format!("in quarantine: {fault}"),
                    Some(claim.amount.to_string()),
                );
            };
            let digits = claim.currency.minor_digits();
            let shown = |amount| money::at_least_minor(amount, claim.currency).to_string();
            const MATURITY: &str = "
                SELECT $1::text, $1 <= (now() AT TIME ZONE p.time_zone)::date FROM affiliate.program p WHERE p.name = $2";
            let matures_on = crate::server::args::date(claim.terms.matures_on);
            let maturity = connection.run(
                MATURITY,
                Sees::Now,
                &[matures_on, binding.program.as_str().into()],
            );
            let commission = Commission {
                currency: claim.currency.code().to_owned(),
                amount: shown(claim.amount),
                refunded: shown(claim.refunded),
                base: shown(base),
                rule: rule.name(),
                rate: rule.rate().to_string(),
                unrounded,
                rounding: format!("half away from zero to {digits} decimals"),
                target: target.to_string(),
                matures_on: maturity.get(0, 0).unwrap_or_default(),
                is_matured: maturity.get(0, 1).unwrap_or_default(),
            };
            (Some(commission), None, None)
        }
    }
}

fn referral(connection: &Connection, program: &str, customer: &str) -> Option<Referral> {
    const REFERRAL: &str = "
        SELECT r.id, r.program, a.id, a.owner, a.status, r.code, r.source, r.attributed_at::text
        FROM affiliate.referral r JOIN affiliate.affiliate a ON a.id = r.affiliate_id
        WHERE r.program = $1 AND r.customer = $2";
    let rows = connection.run(REFERRAL, Sees::Now, &[program.into(), customer.into()]);
    let text = |column| rows.get::<String>(0, column).unwrap_or_default();
    Some(Referral {
        id: rows.get(0, 0)?,
        program: text(1),
        affiliate: rows.get(0, 2)?,
        owner: text(3),
        affiliate_status: text(4),
        code: text(5),
        source: text(6),
        attributed_at: text(7),
    })
}

fn entries(connection: &Connection, binding_id: i32, key: &str) -> Vec<PostedEntry> {
    const ENTRIES: &str = "
        SELECT c.seq, c.posted_at::text, c.affiliate_id, c.currency, c.rate::text, c.base::text, c.refunded::text,
            c.posted_before::text, c.amount::text, c.matures_on::text, o.id, o.status
        FROM affiliate.commission c
            LEFT JOIN (affiliate.payout_entry l JOIN affiliate.payout o ON o.id = l.payout_id)
            ON l.binding_id = c.binding_id AND l.payment_key = c.payment_key AND l.seq = c.seq AND l.live
        WHERE c.binding_id = $1 AND c.payment_key = $2 ORDER BY c.seq";
    let rows = connection.run(ENTRIES, Sees::Now, &[binding_id.into(), key.into()]);
    let text = |row, column| rows.get::<String>(row, column).unwrap_or_default();
    (0..rows.len())
        .map(|row| PostedEntry {
            seq: rows.get(row, 0).unwrap_or_default(),
            posted_at: text(row, 1),
            affiliate: rows.get(row, 2).unwrap_or_default(),
            currency: text(row, 3),
            rate: text(row, 4),
            base: text(row, 5),
            refunded: text(row, 6),
            posted_before: text(row, 7),
            amount: text(row, 8),
            matures_on: text(row, 9),
            payout: rows.get(row, 10),
            payout_status: rows.get(row, 11),
        })
        .collect()
}
