//! From a row of a payments table to entries of the ledger.

pub mod amount;
pub mod audit;
pub mod backfill;
pub mod binding;
pub mod book;
pub mod changes;
pub mod columns;
pub mod condition;
pub mod entry;
pub mod epoch;
pub mod further;
pub mod host;
pub mod insert;
pub mod on_error;
pub mod pause;
pub mod quarantine;
pub mod referrals;
pub mod refunds;
pub mod respell;
pub mod row;
pub mod settle;
pub mod spelling;
pub mod transition;
pub mod trigger;
pub mod within;
pub mod writer;
