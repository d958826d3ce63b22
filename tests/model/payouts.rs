//! Payouts and figures.

use std::collections::{BTreeMap, BTreeSet};

use super::{Affiliate, Currency, Day, Money, Status, World};
use crate::support::Figures;
use crate::support::money::whole;

/// What a reconciliation reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub posted: i64,
    pub reversed: i64,
    pub quarantined: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PayoutStatus {
    Pending,
    Processing,
    Paid,
    Failed,
    Canceled,
    Returned,
}

impl PayoutStatus {
    pub const ALL: [PayoutStatus; 6] = [
        PayoutStatus::Pending,
        PayoutStatus::Processing,
        PayoutStatus::Paid,
        PayoutStatus::Failed,
        PayoutStatus::Canceled,
        PayoutStatus::Returned,
    ];

    pub fn name(self) -> &'static str {
        match self {
            PayoutStatus::Pending => "pending",
            PayoutStatus::Processing => "processing",
            PayoutStatus::Paid => "paid",
            PayoutStatus::Failed => "failed",
            PayoutStatus::Canceled => "canceled",
            PayoutStatus::Returned => "returned",
        }
    }

    pub fn may_become(self, next: PayoutStatus) -> bool {
        use PayoutStatus::{Canceled, Failed, Paid, Pending, Processing, Returned};
        match self {
            Pending => matches!(next, Processing | Paid | Failed | Canceled),
            Processing => matches!(next, Paid | Failed),
            Paid => next == Returned,
            Failed | Canceled | Returned => false,
        }
    }

    /// The entries are open again.
    pub fn is_void(self) -> bool {
        matches!(
            self,
            PayoutStatus::Failed | PayoutStatus::Canceled | PayoutStatus::Returned
        )
    }
}

#[derive(Clone, Debug)]
pub struct Payout {
    pub affiliate: usize,
    pub currency: Currency,
    pub amount: Money,
    pub through: Day,
    pub status: PayoutStatus,
    /// The database's number for it, once it is known.
    pub id: Option<i64>,
}

impl World {
    /// Makes payouts from what is open and matured on or before a day; returns the new ones.
    pub fn run_payouts(&mut self, through: Day, program: Option<usize>) -> Vec<usize> {
        let mut open: BTreeMap<(usize, Currency), (Money, Vec<usize>)> = BTreeMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let affiliate = &self.affiliates[entry.affiliate];
            if entry.payout.is_none()
                && entry.matures_on <= through
                && affiliate.status != Status::Suspended
                && program.is_none_or(|program| program == affiliate.program)
            {
                let sum = open.entry((entry.affiliate, entry.currency)).or_default();
                sum.0 += entry.amount;
                sum.1.push(index);
            }
        }
        let mut made = Vec::new();
        for ((affiliate, currency), (amount, entries)) in open {
            let payee = &self.affiliates[affiliate];
            let is_short = amount < self.minimum(payee, currency);
            if amount <= 0 || is_short && payee.status != Status::Closed {
                continue;
            }
            let number = self.payouts.len();
            for entry in entries {
                self.entries[entry].payout = Some(number);
            }
            self.payouts.push(Payout {
                affiliate,
                currency,
                amount,
                through,
                status: PayoutStatus::Pending,
                id: None,
            });
            made.push(number);
        }
        made
    }

    fn minimum(&self, affiliate: &Affiliate, currency: Currency) -> Money {
        let program = &self.programs[affiliate.program];
        let own = program.thresholds.get(currency).copied();
        own.unwrap_or_else(|| whole(program.threshold, currency))
    }

    pub fn set_payout_status(&mut self, payout: usize, status: PayoutStatus) {
        assert!(
            self.payouts[payout].status.may_become(status),
            "an illegal transition"
        );
        self.payouts[payout].status = status;
        if status.is_void() {
            for entry in &mut self.entries {
                if entry.payout == Some(payout) {
                    entry.payout = None;
                }
            }
        }
    }

    /// The figures of every affiliate, a row per currency; one zero row where there is none.
    pub fn figures(&self) -> BTreeMap<(String, String), Figures> {
        let mut sums: BTreeMap<(usize, Currency), (Figures, BTreeSet<&str>)> = BTreeMap::new();
        for entry in &self.entries {
            let (figures, customers) = sums.entry((entry.affiliate, entry.currency)).or_default();
            figures.commission += entry.amount;
            figures.spent += entry.base;
            customers.insert(&entry.customer);
            let state = match entry.payout.map(|payout| self.payouts[payout].status) {
                Some(PayoutStatus::Pending | PayoutStatus::Processing) => &mut figures.processing,
                Some(PayoutStatus::Paid) => &mut figures.paid,
                Some(void) => panic!("an entry is still in a {} payout", void.name()),
                None if entry.matures_on <= self.today => &mut figures.payable,
                None => &mut figures.pending,
            };
            *state += entry.amount;
        }
        let mut referred = vec![0; self.affiliates.len()];
        for referral in self.referrals.values() {
            referred[referral.affiliate] += 1;
        }
        let mut all = BTreeMap::new();
        for (number, affiliate) in self.affiliates.iter().enumerate() {
            let rows = sums.range((number, "")..(number + 1, ""));
            for ((_, currency), (figures, customers)) in rows {
                let conversions = i64::try_from(customers.len()).expect("a small number");
                let figures = Figures {
                    referred: referred[number],
                    conversions,
                    ..*figures
                };
                all.insert((affiliate.code.clone(), (*currency).to_owned()), figures);
            }
            let currency = self.programs[affiliate.program].currency;
            if sums.range((number, "")..(number + 1, "")).next().is_none() {
                let figures = Figures {
                    referred: referred[number],
                    ..Figures::default()
                };
                all.insert((affiliate.code.clone(), currency.to_owned()), figures);
            }
        }
        all
    }
}
