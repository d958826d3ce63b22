//! `affiliate`: affiliate commissions inside the database. A payment and its commission
//! commit or roll back together.
//!
//! | room       | what it holds                                                        |
//! |------------|----------------------------------------------------------------------|
//! | `rules`    | what a payment earns, and when: pure, without PostgreSQL              |
//! | `server`   | PostgreSQL as we need it: errors, SPI, numerics, probes, rights       |
//! | `ledger`   | the table of entries: reader, writer, epochs, the order of keys       |
//! | `programs` | programs, affiliates, codes, referrals                                |
//! | `bindings` | tables of the host: attaching, columns, conditions, keys, amounts     |
//! | `posting`  | from a row of a payments table to entries                             |
//! | `figures`  | folding, and the figures of an affiliate                              |
//! | `install`  | access, ownership, drop protection                                    |
//! | `payouts`  | runs, states, schedules                                               |
//! | `proof`    | verifying, comparing, explaining, reconciling                         |
//!
//! A room uses those above it in this table, which `make lint` checks.
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

mod bindings;
mod figures;
mod install;
mod ledger;
#[cfg(test)]
mod no_panics;
mod payouts;
#[cfg(any(test, feature = "pg_test"))]
mod pg_tests;
mod posting;
mod programs;
mod proof;
mod rules;
mod server;

pgrx::pg_module_magic!();

extension_sql_file!("../sql/10_install.sql", name = "install", bootstrap);
extension_sql_file!(
    "../sql/20_programs.sql",
    name = "programs",
    requires = ["install"]
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
    "../sql/65_posting.sql",
    name = "posting",
    requires = ["owner"]
);
extension_sql_file!(
    "../sql/70_figures.sql",
    name = "figures",
    requires = ["posting"]
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
    "../sql/85_proof.sql",
    name = "proof",
    requires = ["comparison"]
);
extension_sql_file!(
    "../sql/90_verify.sql",
    name = "verify",
    requires = ["proof"]
);
extension_sql_file!(
    "../sql/95_access.sql",
    name = "access",
    requires = ["verify"]
);
extension_sql_file!(
    "../sql/99_restore.sql",
    name = "restore",
    requires = ["access"],
    finalize
);

/// Called when the library is loaded into a session.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    server::cache::init();
    install::protect::init();
    posting::transaction::init();
    posting::on_error::init();
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
