//! From a row of a payments table to entries of the ledger.

pub mod attribute;
pub mod backfill;
pub mod bound_ledger;
pub mod cancel_refund;
pub mod changes;
pub mod insert;
pub mod judge;
pub mod key_types;
pub mod on_error;
pub mod payment;
pub mod quarantine;
pub mod record_refund;
pub mod referrals;
pub mod refund_spellings;
pub mod refunds;
pub mod respell;
pub mod restore;
pub mod settle;
pub mod transaction;
pub mod transition;
pub mod trigger;
