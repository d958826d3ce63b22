//! Proof: every invariant as a query of its violations. Most of these queries read the whole
//! ledger, so they are not asked one by one: a few passes over it find out first which of them
//! could have an answer, and in a healthy database none has.

mod check;
mod figures;
mod ledger;
mod payouts;
mod state;

use std::collections::HashSet;

use pgrx::prelude::*;

use crate::posting::judge::Difference;
use crate::proof::compare_payments::compare_all;
use crate::proof::verify::check::{Asked, Check};
use crate::server::calls::{raw_function, return_rows};
use crate::server::rights::as_owner;
use crate::server::spi::{self, Connection, Sees};

/// Several checks may have one name; the violations of both are its violations.
const CHECKS: &[&[Check]] = &[
    ledger::CHECKS,
    payouts::CHECKS,
    figures::CHECKS,
    state::CHECKS,
];

/// Queries of names of checks, each a pass over the ledger.
const PASSES: &[&str] = &[ledger::ENTRIES, ledger::HISTORIES, payouts::LINKS];

/// What the comparison of bound tables with the ledger counts.
const PAYMENT_CHECKS: &[(Difference, &str, &str)] = &[
    (
        Difference::Unposted,
        "payments_have_entries",
        "An eligible payment has its entries",
    ),
    (
        Difference::OffTarget,
        "posted_equals_target",
        "The posted sum of a payment is the commission of the row as it is",
    ),
    (
        Difference::NoPayment,
        "entries_have_payment",
        "An entry that is not reversed has its payment, unless deletes are kept",
    ),
];

/// One row of the result.
struct Finding {
    name: &'static str,
    description: &'static str,
    violations: i64,
    sample: Option<String>,
}

/// The checks that the passes name.
fn suspected(connection: &Connection, api: &str) -> HashSet<String> {
    let mut names = HashSet::new();
    for pass in PASSES {
        let sql = format!(
            "SELECT DISTINCT p.name FROM ({}) AS p (name)",
            pass.replace("@api@", api)
        );
        let rows = connection.run_once(&sql, Sees::Now, &[]);
        names.extend(rows.values::<String>("name"));
    }
    names
}

fn run_check(connection: &Connection, api: &str, check: &Check) -> (i64, Option<String>) {
    let sql = format!(
        "SELECT count(*) AS violations, min(v.sample) AS sample FROM ({}) AS v (sample)",
        check.violations.replace("@api@", api)
    );
    let rows = connection.run_once(&sql, Sees::Now, &[]);
    let row = rows.only();
    // NULL where there is none
    (row.required("violations"), row.get("sample"))
}

fn run_checks(connection: &Connection, api: &str) -> Vec<Finding> {
    let suspected = suspected(connection, api);
    let mut findings: Vec<Finding> = Vec::new();
    for check in CHECKS.iter().copied().flatten() {
        let is_due = check.asked == Asked::Always || suspected.contains(check.name);
        let (violations, sample) = if is_due {
            run_check(connection, api, check)
        } else {
            (0, None)
        };
        match findings.last_mut().filter(|last| last.name == check.name) {
            Some(same) => {
                same.violations += violations;
                same.sample = same.sample.take().or(sample);
            }
            None => findings.push(Finding {
                name: check.name,
                description: check.description,
                violations,
                sample,
            }),
        }
    }
    findings
}

/// Compares every bound table with the ledger.
fn compare_payments() -> Vec<Finding> {
    let tables = compare_all();
    PAYMENT_CHECKS
        .iter()
        .map(|(difference, name, description)| Finding {
            name,
            description,
            violations: tables
                .iter()
                .map(|table| table.count(*difference))
                .sum::<i64>(),
            sample: tables.iter().find_map(|table| table.sample(*difference)),
        })
        .collect()
}

raw_function!(
    affiliate_verify_wrapper,
    pg_finfo_affiliate_verify_wrapper,
    |fcinfo| {
        as_owner(|| {
            spi::connect(|connection| {
                const API: &str = "
                SELECT quote_ident(n.nspname) AS api FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                WHERE e.extname = 'affiliate'";
                let rows = connection.run(API, Sees::Now, &[]);
                let api: String = rows.only().required("api");
                let mut findings = run_checks(connection, &api);
                findings.extend(compare_payments());
                const ROWS: &str = "
                SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::text[])";
                let names: Vec<&str> = findings.iter().map(|f| f.name).collect();
                let descriptions: Vec<&str> = findings.iter().map(|f| f.description).collect();
                let violations: Vec<i64> = findings.iter().map(|f| f.violations).collect();
                let samples: Vec<Option<String>> =
                    findings.iter().map(|f| f.sample.clone()).collect();
                let rows = connection.run(
                    ROWS,
                    Sees::Now,
                    &[
                        names.into(),
                        descriptions.into(),
                        violations.into(),
                        samples.into(),
                    ],
                );
                unsafe { return_rows(fcinfo, &rows) };
            });
        });
        pg_sys::Datum::null()
    }
);
