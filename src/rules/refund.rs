//! What a recorded refund does to its payment.

use rust_decimal::Decimal;

use crate::rules::money;
use crate::rules::words::words;

words! {
    pub enum Kind {
        Refund = "refund",
        Dispute = "dispute",
        DisputeWon = "dispute_won",
    }
}

/// What was recorded of a payment, by kind.
#[derive(Default)]
pub struct Recorded {
    refunds: Decimal,
    disputes: Decimal,
    won: Decimal,
}

impl Recorded {
    /// `None` if a sum is out of range.
    pub fn add(&mut self, kind: Kind, amount: Decimal) -> Option<()> {
        let sum = match kind {
            Kind::Refund => &mut self.refunds,
            Kind::Dispute => &mut self.disputes,
            Kind::DisputeWon => &mut self.won,
        };
        *sum = money::sum(*sum, amount)?;
        Some(())
    }

    /// What they come to, never less than nothing: a won dispute gives back what disputes took and
    /// no more. `None` if that is out of range.
    pub fn refunded(&self) -> Option<Decimal> {
        let disputed = money::difference(self.disputes, self.won)?;
        money::sum(self.refunds, disputed.max(Decimal::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_won_dispute_gives_back_what_disputes_took_and_no_more() {
        for (refunds, disputes, won, refunded) in [
            (0, 0, 30, 0),
            (50, 0, 50, 50),
            (50, 20, 50, 50),
            (50, 30, 10, 70),
            (0, 30, 30, 0),
            (0, 0, 0, 0),
        ] {
            let mut recorded = Recorded::default();
            for (kind, amount) in [
                (Kind::DisputeWon, won),
                (Kind::Refund, refunds),
                (Kind::Dispute, disputes),
            ] {
                recorded.add(kind, Decimal::from(amount)).expect("in range");
            }
            assert_eq!(recorded.refunded(), Some(Decimal::from(refunded)));
        }
    }
}
