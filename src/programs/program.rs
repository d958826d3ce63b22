//! Programs: sets of terms.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::{AnyElement, AnyNumeric};
use rust_decimal::Decimal;

use crate::rules::attribution::{Attribution, SelfReferral};
use crate::rules::currency::Currency;
use crate::rules::words::Word;
use crate::server::calls::{composite, required_text, word};
use crate::server::error::Problem;
use crate::server::numeric;
use crate::server::spi::{self, Connection, Sees};
use crate::server::zone::Zone;

const MAX_DAYS: i32 = 3650;
const MAX_RATE_SCALE: u32 = 6;

/// Raises an error unless the program exists.
pub fn require_program(connection: &Connection, program: &str) {
    let found = connection.run(
        "SELECT 1 FROM affiliate.program WHERE name = $1",
        Sees::Now,
        &[program.into()],
    );
    if found.is_empty() {
        Problem::UnknownProgram {
            program: program.to_owned(),
        }
        .raise();
    }
}

/// A rate: a fraction from 0 to 1 with at most 6 decimals.
fn rate(value: AnyNumeric) -> Decimal {
    let refuse = || -> ! {
        Problem::RateOutOfRange {
            rate: value.to_string(),
        }
        .raise()
    };
    match numeric::from_any(value.clone()) {
        Ok(rate) => {
            let rate = rate.normalize();
            if rate.is_sign_negative() || rate > Decimal::ONE || rate.scale() > MAX_RATE_SCALE {
                refuse();
            }
            rate
        }
        Err(_) => refuse(),
    }
}

/// An amount from 0 up.
fn minimum(name: &'static str, value: AnyNumeric) -> Decimal {
    match numeric::from_any(value.clone()) {
        Ok(amount) if !amount.is_sign_negative() || amount.is_zero() => amount,
        _ => Problem::NumberOutOfRange {
            name,
            value: value.to_string(),
            allowed: "a finite amount from 0 up",
        }
        .raise(),
    }
}

fn currency_code(code: &str) -> String {
    match Currency::parse(code) {
        Some(currency) => currency.code().to_owned(),
        None => Problem::UnknownCurrency {
            currency: code.to_owned(),
        }
        .raise(),
    }
}

fn link_base(link_base: String) -> String {
    let trimmed = link_base.trim();
    let rest = trimmed
        .strip_prefix("https://")
        .or_else(|| trimmed.strip_prefix("http://"));
    if !rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace)) {
        Problem::MalformedLinkBase { link_base }.raise();
    }
    trimmed.to_owned()
}

fn days(name: &'static str, days: i32, least: i32, allowed: &'static str) -> i32 {
    if !(least..=MAX_DAYS).contains(&days) {
        let value = days.to_string();
        Problem::NumberOutOfRange {
            name,
            value,
            allowed,
        }
        .raise();
    }
    days
}

fn time_zone(zone: String) -> String {
    if Zone::named(&zone).is_none() {
        Problem::UnknownTimeZone { zone }.raise();
    }
    zone
}

#[allow(clippy::too_many_arguments)]
#[pg_extern(sql = false)]
fn affiliate_set_program(
    name: Option<String>,
    new_rate: Option<AnyNumeric>,
    new_link_base: Option<String>,
    payout_threshold: Option<AnyNumeric>,
    currency: Option<String>,
    hold_days: Option<i32>,
    time_zone: Option<String>,
    self_referral: Option<String>,
    attribution: Option<String>,
    attribution_days: Option<i32>,
) -> Option<AnyElement> {
    let name = required_text("name", name);
    let new_rate = new_rate.map(rate);
    let new_link_base = new_link_base.map(link_base);
    let payout_threshold = payout_threshold.map(|value| minimum("payout_threshold", value));
    let currency = currency.map(|code| currency_code(&code));
    let hold_days = hold_days.map(|n| days("hold_days", n, 0, "0 to 3650 days"));
    let attribution_days =
        attribution_days.map(|n| days("attribution_days", n, 1, "1 to 3650 days"));
    let time_zone = time_zone.map(self::time_zone);
    let self_referral = self_referral.map(|policy| word::<SelfReferral>("self_referral", policy));
    let attribution = attribution.map(|model| word::<Attribution>("attribution", model));
    let decimal = |value: Option<Decimal>| match value {
        Some(value) => numeric::arg(value),
        None => DatumWithOid::null_oid(pg_sys::NUMERICOID),
    };
    write_terms(&[
        name.into(),
        decimal(new_rate),
        new_link_base.into(),
        decimal(payout_threshold),
        currency.into(),
        hold_days.into(),
        time_zone.into(),
        self_referral.map(Word::as_str).into(),
        attribution.map(Word::as_str).into(),
        attribution_days.into(),
    ])
}

/// Creates or changes a program; of the terms, those that are NULL stay.
fn write_terms(args: &[DatumWithOid; 10]) -> Option<AnyElement> {
    const UPDATE: &str = "
        UPDATE affiliate.program p SET
            rate = coalesce($2, p.rate), link_base = coalesce($3, p.link_base),
            payout_threshold = coalesce($4, p.payout_threshold), currency = coalesce($5, p.currency),
            hold_days = coalesce($6, p.hold_days), time_zone = coalesce($7, p.time_zone),
            self_referral = coalesce($8, p.self_referral), attribution = coalesce($9, p.attribution),
            attribution_days = coalesce($10, p.attribution_days)
        WHERE p.name = $1 RETURNING p.*";
    // what a new program leaves open is as in the program that comes with the extension
    const INSERT: &str = "
        INSERT INTO affiliate.program AS p (name, rate, link_base, payout_threshold, currency, hold_days, time_zone,
            self_referral, attribution, attribution_days)
        VALUES ($1, coalesce($2, 0.30), coalesce($3, 'https://example.com/ref/'), coalesce($4, 50),
            coalesce($5, 'USD'), coalesce($6, 0), coalesce($7, 'UTC'), coalesce($8, 'reject'),
            coalesce($9, 'last_click'), coalesce($10, 30))
        ON CONFLICT (name) DO NOTHING RETURNING p.*";
    spi::connect(|connection| {
        for statement in [UPDATE, INSERT] {
            let rows = connection.run(statement, Sees::Now, args);
            if !rows.is_empty() {
                return composite(rows);
            }
        }
        // another session has just created it
        composite(connection.run(UPDATE, Sees::Latest, args))
    })
}

#[pg_extern(sql = false)]
fn affiliate_set_payout_threshold(
    program: Option<String>,
    currency: Option<String>,
    new_minimum: Option<AnyNumeric>,
) -> Option<AnyElement> {
    let program = required_text("program", program);
    let currency = currency_code(&required_text("currency", currency));
    let new_minimum = new_minimum.map(|value| minimum("minimum", value));
    spi::connect(|connection| {
        require_program(connection, &program);
        composite(match new_minimum {
            Some(value) => connection.run(
                "INSERT INTO affiliate.payout_threshold AS t (program, currency, minimum) VALUES ($1, $2, $3)
                 ON CONFLICT (program, currency) DO UPDATE SET minimum = excluded.minimum RETURNING t.*",
                Sees::Now,
                &[program.into(), currency.into(), numeric::arg(value)],
            ),
            None => connection.run(
                "DELETE FROM affiliate.payout_threshold t WHERE program = $1 AND currency = $2 RETURNING t.*",
                Sees::Now,
                &[program.into(), currency.into()],
            ),
        })
    })
}
