//! How a payout moves on.

use crate::rules::words::words;

words! {
    pub enum Status {
        Pending = "pending",
        Processing = "processing",
        Paid = "paid",
        Failed = "failed",
        Canceled = "canceled",
        Returned = "returned",
    }
}

impl Status {
    /// The states that may follow; a state with none is final.
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Pending => &[Self::Processing, Self::Paid, Self::Failed, Self::Canceled],
            Self::Processing => &[Self::Paid, Self::Failed],
            Self::Paid => &[Self::Returned],
            Self::Failed | Self::Canceled | Self::Returned => &[],
        }
    }

    pub fn may_become(self, next: Self) -> bool {
        self.next().contains(&next)
    }

    /// Whether the payout holds its entries; otherwise they are open for the next one.
    pub fn is_live(self) -> bool {
        match self {
            Self::Pending | Self::Processing | Self::Paid => true,
            Self::Failed | Self::Canceled | Self::Returned => false,
        }
    }

    /// Whether the money is still to arrive.
    pub fn is_unfinished(self) -> bool {
        match self {
            Self::Pending | Self::Processing => true,
            Self::Paid | Self::Failed | Self::Canceled | Self::Returned => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::words::Word;

    /// Every state with each one that it can become: a column per state, in the order of `ALL`.
    const MATRIX: &str = "
                    pending processing paid failed canceled returned
        pending     -       yes        yes  yes    yes      -
        processing  -       -          yes  yes    -        -
        paid        -       -          -    -      -        yes
        failed      -       -          -    -      -        -
        canceled    -       -          -    -      -        -
        returned    -       -          -    -      -        -";

    #[test]
    fn a_payout_moves_on_by_the_matrix() {
        let mut lines = MATRIX.trim().lines();
        let states: Vec<Status> = lines
            .next()
            .into_iter()
            .flat_map(str::split_whitespace)
            .map(|word| Status::parse(word).expect("a state"))
            .collect();
        assert_eq!(states, Status::ALL);
        for from in Status::ALL {
            let mut cells = lines.next().expect("a row").split_whitespace();
            assert_eq!(cells.next(), Some(from.as_str()));
            for to in Status::ALL {
                let may = cells.next() == Some("yes");
                assert_eq!(from.may_become(*to), may, "{from} to {to}");
            }
        }
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn a_payout_that_let_go_of_its_entries_is_final() {
        for status in Status::ALL {
            assert_eq!(status.is_live(), !status.next().is_empty(), "{status}");
        }
    }

    #[test]
    fn money_that_is_to_arrive_is_held_and_may_arrive() {
        for status in Status::ALL {
            let may_arrive = status.may_become(Status::Paid);
            assert_eq!(status.is_unfinished(), may_arrive, "{status}");
            assert!(status.is_live() || !status.is_unfinished(), "{status}");
        }
    }
}
