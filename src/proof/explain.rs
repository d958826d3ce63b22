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
            let base = money::difference(claim.amount, claim.refunded);
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
            let shown = |amount| money::with_minor_digits(amount, claim.currency).to_string();
            const MATURITY: &str = "
                SELECT $1::text AS matures_on, $1 <= (now() AT TIME ZONE p.time_zone)::date AS is_matured
                FROM affiliate.program p WHERE p.name = $2";
            let matures_on = crate::server::args::date(claim.terms.matures_on);
            let maturity = connection.run(
                MATURITY,
                Sees::Now,
                &[matures_on, binding.program.as_str().into()],
            );
            let maturity = maturity.only();
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
                matures_on: maturity.required("matures_on"),
                is_matured: maturity.required("is_matured"),
            };
            (Some(commission), None, None)
        }
    }
}

fn referral(connection: &Connection, program: &str, customer: &str) -> Option<Referral> {
    const REFERRAL: &str = "
        SELECT r.id, r.program, a.id AS affiliate, a.owner, a.status, r.code, r.source,
            r.attributed_at::text AS attributed_at
        FROM affiliate.referral r JOIN affiliate.affiliate a ON a.id = r.affiliate_id
        WHERE r.program = $1 AND r.customer = $2";
    let rows = connection.run(REFERRAL, Sees::Now, &[program.into(), customer.into()]);
    rows.first().map(|row| Referral {
        id: row.required("id"),
        program: row.required("program"),
        affiliate: row.required("affiliate"),
        owner: row.required("owner"),
        affiliate_status: row.required("status"),
        code: row.required("code"),
        source: row.required("source"),
        attributed_at: row.required("attributed_at"),
    })
}

fn entries(connection: &Connection, binding_id: i32, key: &str) -> Vec<PostedEntry> {
    const ENTRIES: &str = "
        SELECT c.seq, c.posted_at::text AS posted_at, c.affiliate_id, c.currency, c.rate::text AS rate,
            c.base::text AS base, c.refunded::text AS refunded, c.posted_before::text AS posted_before,
            c.amount::text AS amount, c.matures_on::text AS matures_on, o.id AS payout, o.status AS payout_status
        FROM affiliate.commission c
            LEFT JOIN (affiliate.payout_entry l JOIN affiliate.payout o ON o.id = l.payout_id)
            ON l.binding_id = c.binding_id AND l.payment_key = c.payment_key AND l.seq = c.seq AND l.live
        WHERE c.binding_id = $1 AND c.payment_key = $2 ORDER BY c.seq";
    let rows = connection.run(ENTRIES, Sees::Now, &[binding_id.into(), key.into()]);
    rows.iter()
        .map(|row| PostedEntry {
            seq: row.required("seq"),
            posted_at: row.required("posted_at"),
            affiliate: row.required("affiliate_id"),
            currency: row.required("currency"),
            rate: row.required("rate"),
            base: row.required("base"),
            refunded: row.required("refunded"),
            posted_before: row.required("posted_before"),
            amount: row.required("amount"),
            matures_on: row.required("matures_on"),
            // none while it is open
            payout: row.get("payout"),
            payout_status: row.get("payout_status"),
        })
        .collect()
}
