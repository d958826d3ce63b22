//! The rules of the programme, without PostgreSQL: what a payment earns, when it matures,
//! which codes are well formed, how a payout moves on. Everything here is a pure function.

pub mod code;
pub mod currency;
pub mod fault;
pub mod money;
pub mod payout;
pub mod record_text;
pub mod settlement;
