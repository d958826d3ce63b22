//! The table of entries: its reader and writer, epochs, the order of payment keys.

pub mod epoch;
pub mod further;
pub mod in_order;
pub mod money;
pub mod payment_keys;
pub mod reader;
pub mod writer;
