//! The server as this extension needs it: errors, SPI, numerics, time zones, index probes, rights.

pub mod args;
pub mod cache;
pub mod calls;
pub mod error;
pub mod locks;
pub mod majors;
pub mod memory;
pub mod names;
pub mod numeric;
pub mod probe;
mod raise;
pub mod raw;
pub mod record_text;
pub mod relations;
pub mod rights;
pub mod rows;
pub mod scan;
pub mod slot;
pub mod snapshot;
pub mod spi;
pub mod subtransaction;
pub mod text;
pub mod version;
pub mod zone;
