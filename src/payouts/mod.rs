//! Payout runs, the states of payouts, and schedules.

pub mod run;
pub mod schedule;
pub mod status;
