//! Parts of the random test that can be switched off.

/// Keys are written in other ways that are equal to them, and the text of a row's key changes.
pub const OTHER_SPELLINGS: bool = true;

/// Columns of amounts in minor units become `numeric` and integers again.
pub const MINOR_UNITS_IN_NUMERIC: bool = true;

/// Columns are added to the ledger, and dropped again.
pub const LEDGER_COLUMNS: bool = true;

/// Bindings are paused.
pub const PAUSES: bool = true;
