//! What the tests against real servers share.
//!
//! Each test starts a [`Cluster`] of its own: a throw-away data directory and a server on a
//! private socket, gone again when the value is dropped, also when the test panics. Nothing here
//! knows how the extension works; it speaks the SQL interface only.
//!
//! - [`cluster`]: start, kill, restart and connect to a server
//! - [`tools`]: the client programs, `pg_dump` and its kin
//! - [`check`]: errors, `affiliate_verify()` and figures, read into exact integers
//! - [`money`]: minor units and the commission rule, written without the extension's code
//! - [`load`]: threads that work on a server until they are told to stop
//!
//! Environment: `PG_CONFIG` chooses the installation, `TMPDIR` the place for data directories,
//! and `AFFILIATE_TEST_OS_USER` the account for servers that root starts (default `postgres`).

// Every test file compiles this module anew and uses a part of it.
#![allow(dead_code, unused_imports)]

pub mod check;
pub mod cluster;
pub mod load;
pub mod money;
mod process;
pub mod tools;

pub use check::{Figures, Refusal, assert_earned, assert_verified, figures, refusal, violations};
pub use cluster::{Builder, Cluster};
pub use load::Load;
