//! What becomes of an affiliate.

use crate::rules::words::words;

words! {
    pub enum Status {
        /// Earns and is paid.
        Active = "active",
        /// Earns, is not paid.
        Suspended = "suspended",
        /// Earns nothing new, for good; what it has earned is paid, whatever the minimum.
        Closed = "closed",
    }
}
