//! Programs, affiliates, their codes, and who referred whom.

pub mod affiliates;
pub mod program;
pub mod referrals;
