//! Whether a payment earns.

use crate::rules::settlement::Account;

/// Who referred a customer, and since when.
#[derive(Clone, Copy, Debug)]
pub struct Referral {
    pub account: Account,
    /// Microseconds since 2000-01-01 UTC.
    pub attributed_at: i64,
    pub is_closed: bool,
}
