//! What a recorded refund does to its payment.

use crate::rules::words::words;

words! {
    pub enum Kind {
        Refund = "refund",
        Dispute = "dispute",
        DisputeWon = "dispute_won",
    }
}
