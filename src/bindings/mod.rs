//! The tables of the host: attaching them, their columns, conditions and keys, and what a row says.

pub mod alter;
pub mod amount;
pub mod asked;
pub mod attach;
pub mod attach_refunds;
pub mod attached;
pub mod binding;
pub mod candidate;
pub mod columns;
pub mod condition;
pub mod detach;
pub mod dropped;
pub mod earlier;
pub mod host_table;
pub mod mapping;
pub mod moments;
pub mod own_triggers;
pub mod ownership;
pub mod pause;
pub mod refunds_table;
pub mod renames;
pub mod row;
pub mod spelling;
