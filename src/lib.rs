//! `affiliate`: affiliate commissions inside the database. A payment and its commission
//! commit or roll back together.
//!
//! | module   | what it holds                                                           |
//! |----------|-------------------------------------------------------------------------|
//! | `domain` | the rules, as pure functions: money, codes, settlement, payout states    |
//! | `ledger` | from a row of a payments table to entries: trigger, bindings, quarantine |
//! | `api`    | the SQL functions, by topic                                              |
//! | `pg`     | the server: errors, SPI, numerics, time zones, index probes              |
//!
//! The SQL objects are in `sql/`, one file per topic, in the order below.

// Nothing that a payment or a caller brings may panic: what does not fit is a fault or an error.
// Operators on decimals do, and so do many of the standard library's shorthands.
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::let_underscore_must_use,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

use pgrx::prelude::*;

mod api;
mod domain;
mod ledger;
#[cfg(test)]
mod no_panics;
mod pg;
#[cfg(any(test, feature = "pg_test"))]
mod pg_tests;

pgrx::pg_module_magic!();

extension_sql_file!("../sql/10_schema.sql", name = "schema", bootstrap);
extension_sql_file!(
    "../sql/20_programs.sql",
    name = "programs",
    requires = ["schema"]
);
extension_sql_file!(
    "../sql/30_affiliates.sql",
    name = "affiliates",
    requires = ["programs"]
);
extension_sql_file!(
    "../sql/40_referrals.sql",
    name = "referrals",
    requires = ["affiliates"]
);
extension_sql_file!(
    "../sql/50_bindings.sql",
    name = "bindings",
    requires = ["referrals"]
);
extension_sql_file!(
    "../sql/55_refunds.sql",
    name = "refunds",
    requires = ["bindings"]
);
extension_sql_file!(
    "../sql/58_payment_keys.sql",
    name = "payment_keys",
    requires = ["refunds"]
);
extension_sql_file!(
    "../sql/60_ledger.sql",
    name = "ledger",
    requires = ["payment_keys"]
);
extension_sql_file!("../sql/63_owner.sql", name = "owner", requires = ["ledger"]);
extension_sql_file!(
    "../sql/65_payment.sql",
    name = "payment",
    requires = ["owner"]
);
extension_sql_file!(
    "../sql/70_figures.sql",
    name = "figures",
    requires = ["payment"]
);
extension_sql_file!(
    "../sql/80_payouts.sql",
    name = "payouts",
    requires = ["figures"]
);
extension_sql_file!(
    "../sql/83_comparison.sql",
    name = "comparison",
    requires = ["payouts"]
);
extension_sql_file!(
    "../sql/85_repair.sql",
    name = "repair",
    requires = ["comparison"]
);
extension_sql_file!(
    "../sql/88_operations.sql",
    name = "operations",
    requires = ["repair"]
);
extension_sql_file!(
    "../sql/90_verify.sql",
    name = "verify",
    requires = ["operations"]
);
extension_sql_file!(
    "../sql/95_access.sql",
    name = "access",
    requires = ["verify"]
);
extension_sql_file!(
    "../sql/99_dump.sql",
    name = "dump",
    requires = ["access"],
    finalize
);

/// Called when the library is loaded into a session.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    pg::cache::init();
    api::protect::init();
    ledger::within::init();
    ledger::on_error::init();
}

#[cfg(test)]
pub mod pg_test {
    pub fn setup(_options: Vec<&str>) {}

    #[must_use]
    pub fn postgresql_conf_options() -> Vec<&'static str> {
        // The harness keeps the server's log to itself, but for lines with this word: .ci/pgtest
        // collects and checks them.
        vec!["log_line_prefix = '[%m] [%p] [%c]: %e TMSG: '"]
    }
}
