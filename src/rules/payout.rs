//! How a payout moves on.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending,
    Processing,
    Paid,
    Failed,
    Canceled,
    Returned,
}

impl Status {
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Processing,
        Self::Paid,
        Self::Failed,
        Self::Canceled,
        Self::Returned,
    ];

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Returned => "returned",
        }
    }

    /// The states that may follow; a state with none is final.
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Pending => &[Self::Processing, Self::Paid, Self::Failed, Self::Canceled],
            Self::Processing => &[Self::Paid, Self::Failed],
            Self::Paid => &[Self::Returned],
            Self::Failed | Self::Canceled | Self::Returned => &[],
        }
    }

    /// Whether the payout holds its entries; otherwise they are open for the next one.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Pending | Self::Processing | Self::Paid)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payout_that_let_go_of_its_entries_is_final() {
        for status in Status::ALL {
            assert_eq!(status.is_live(), !status.next().is_empty(), "{status}");
            assert_eq!(Status::parse(status.as_str()), Some(status));
            assert!(!status.next().contains(&status), "{status}");
        }
    }
}
