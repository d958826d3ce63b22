//! What TRUNCATE of a bound table does, which tells no trigger which rows are gone.

use crate::rules::words::words;

words! {
    pub enum OnTruncate {
        /// It is refused, unless what the table has earned comes to nothing.
        Refuse = "refuse",
        /// Nothing is reversed at once: rows that come again are the payments that they were, and
        /// reconciling reverses what has not come back.
        Reconcile = "reconcile",
        /// What was earned stays, as where deleted payments are kept.
        Keep = "keep",
    }
}
