//! What a check is.

/// A check that is a query: its rows, one text column, are the violations.
pub struct Check {
    pub name: &'static str,
    pub description: &'static str,
    pub asked: Asked,
    pub violations: &'static str,
}

/// When the query of a check is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Always,
    /// If a pass has named the check. A pass may name a check that has no violations, but must
    /// name each one that has.
    IfSuspected,
}
