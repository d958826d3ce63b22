//! The rules of the program, without PostgreSQL: what a payment earns, when it matures, which
//! codes are well formed, how a payout moves on. Everything here is a pure function.

#![forbid(unsafe_code)]

pub mod affiliate;
pub mod attribution;
pub mod calendar;
pub mod code;
pub mod commission;
pub mod currency;
pub mod deletion;
pub mod eligibility;
pub mod facts;
pub mod fault;
pub mod money;
pub mod payout;
pub mod refund;
pub mod settlement;
pub mod terms;
pub mod truncation;
pub mod unit;
pub mod words;
