//! A model of the program that knows only its rules.
//!
//! It keeps payments, referrals, entries and payouts in memory, in exact integers, and applies
//! the rules of the money to them in the plainest way. It shares no code with the extension and
//! knows nothing of triggers, epochs or folds: what the database says is compared with it.
//!
//! - this file: what exists, and how payments change
//! - [`posting`]: what a payment earns, and the difference that is posted
//! - [`payouts`]: payouts and figures

#![allow(dead_code)]

pub mod payouts;
pub mod posting;

use std::collections::{BTreeMap, BTreeSet};

/// Minor units of a currency.
pub type Money = i128;
/// Seconds since 1970-01-01 00:00 UTC.
pub type Seconds = i64;
/// Days since 1970-01-01.
pub type Day = i64;
pub type Currency = &'static str;

/// The day of a moment in a zone at a fixed distance from UTC.
pub fn day_in_zone(moment: Seconds, offset: Seconds) -> Day {
    (moment + offset).div_euclid(86_400)
}

/// Year, month and day of the proleptic Gregorian calendar.
pub fn civil(day: Day) -> (i64, i64, i64) {
    // Counted in 400-year eras that begin on a first of March, so that leap days come last.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_month)
}

#[derive(Clone, Debug)]
pub struct Program {
    pub name: &'static str,
    /// Millionths of the net amount.
    pub rate: Money,
    pub hold_days: i64,
    /// Distance from UTC; the tests use zones without summer time.
    pub offset: Seconds,
    pub currency: Currency,
    /// Whole units of whatever currency a payout is in.
    pub threshold: Money,
    /// Minor units, where a currency has a minimum of its own.
    pub thresholds: BTreeMap<Currency, Money>,
}

/// What is known of an attached table.
#[derive(Clone, Debug)]
pub struct Binding {
    pub program: usize,
    pub keeps_deleted: bool,
    pub since: Option<Seconds>,
    /// Its triggers do nothing.
    pub paused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    Suspended,
    Closed,
}

#[derive(Clone, Debug)]
pub struct Affiliate {
    pub program: usize,
    pub owner: String,
    /// The first code, and the one that the figures show.
    pub code: String,
    /// Codes that attribute.
    pub codes: Vec<String>,
    pub status: Status,
}

#[derive(Clone, Debug)]
pub struct Referral {
    pub affiliate: usize,
    pub attributed_at: Seconds,
}

/// When a payment was made, as far as its table tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaidAt {
    Moment(Seconds),
    /// A date in the program's zone.
    Day(Day),
    /// Nothing is known: the moment of posting counts.
    Posting,
}

/// What makes a row unusable, as the SQL literal that stands in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    Amount(Option<&'static str>),
    Currency(Option<&'static str>),
    Refunded(&'static str),
}

/// A row of a payments table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub customer: Option<String>,
    pub amount: Money,
    pub currency: Currency,
    pub paid_at: PaidAt,
    /// Whether `paid_when` is true of it.
    pub counted: bool,
    /// The cumulative refund that the row itself tells.
    pub refunded: Money,
    pub flaw: Option<Flaw>,
}

impl Row {
    /// Whether nothing can be told from the two rows that differs.
    fn reads_like(&self, other: &Row) -> bool {
        let mut other = other.clone();
        if self.flaw == other.flaw {
            match self.flaw {
                Some(Flaw::Amount(_)) => other.amount = self.amount,
                Some(Flaw::Currency(_)) => other.currency = self.currency,
                Some(Flaw::Refunded(_)) => other.refunded = self.refunded,
                None => {}
            }
        }
        *self == other
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefundKind {
    Refund,
    Dispute,
    DisputeWon,
}

/// Terms of a payment's first entry; they never change.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub rate: Money,
    pub paid_at: PaidAt,
    pub paid_on: Day,
    pub matures_on: Day,
}

#[derive(Clone, Debug, Default)]
pub struct Payment {
    pub row: Option<Row>,
    /// Recorded refunds by kind and key.
    pub refunds: BTreeMap<(RefundKind, String), Money>,
    /// Those of them that were taken back.
    pub canceled: BTreeSet<(RefundKind, String)>,
    /// Rows of an attached refunds table by key.
    pub credits: BTreeMap<String, Money>,
    pub terms: Option<Terms>,
    /// Customers for whom the payment has earned, under whatever key.
    pub known: BTreeSet<String>,
    /// Indexes into [`World::entries`].
    pub entries: Vec<usize>,
    pub quarantined: bool,
    /// The payment's key was changed: the row lives on under another one.
    pub moved_away: bool,
}

/// An entry of the ledger.
#[derive(Clone, Debug)]
pub struct Entry {
    pub affiliate: usize,
    pub customer: String,
    pub currency: Currency,
    /// How much the payment's net changed.
    pub base: Money,
    pub amount: Money,
    pub paid_on: Day,
    pub matures_on: Day,
    /// The live payout that the entry is part of.
    pub payout: Option<usize>,
}

/// A payment's identity: its table and its key there.
pub type PaymentId = (usize, String);

/// A change to one payment.
#[derive(Clone, Debug)]
pub enum Effect {
    Put(PaymentId, Row),
    Remove(PaymentId),
    Rekey(PaymentId, String),
    /// The key is written in another way.
    Respell(PaymentId),
    Refund(PaymentId, RefundKind, String, Money),
    /// A recorded refund is taken back.
    Cancel(PaymentId, RefundKind, String),
    /// A row of an attached refunds table, or its absence.
    Credit(PaymentId, String, Option<Money>),
}

impl Effect {
    /// The payments that it concerns.
    pub fn payments(&self) -> Vec<PaymentId> {
        match self {
            Effect::Put(id, _)
            | Effect::Remove(id)
            | Effect::Respell(id)
            | Effect::Refund(id, ..)
            | Effect::Cancel(id, ..)
            | Effect::Credit(id, ..) => vec![id.clone()],
            Effect::Rekey(id, new) => vec![id.clone(), (id.0, new.clone())],
        }
    }
}

/// Everything there is.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The day on which the test began, in every zone at least one day from any maturity.
    pub today: Day,
    pub programs: Vec<Program>,
    pub bindings: Vec<Binding>,
    pub affiliates: Vec<Affiliate>,
    pub referrals: BTreeMap<(usize, String), Referral>,
    pub payments: BTreeMap<PaymentId, Payment>,
    pub entries: Vec<Entry>,
    pub payouts: Vec<payouts::Payout>,
}

impl World {
    /// Applies a change; `posting` is false where no trigger saw it.
    pub fn apply(&mut self, effect: &Effect, posting: bool) {
        // a recorded refund is not told by a trigger
        let is_call = matches!(effect, Effect::Refund(..) | Effect::Cancel(..));
        let is_paused = |id: &PaymentId| self.bindings[id.0].paused;
        let posting = posting && (is_call || !effect.payments().iter().any(is_paused));
        match effect {
            Effect::Respell(_) => {}
            Effect::Put(id, row) => {
                let old = self.payment(id).row.replace(row.clone());
                // A row that stays as it is posts nothing, not even what it waits for.
                if old.is_some_and(|old| old.reads_like(row)) {
                    return;
                }
            }
            Effect::Remove(id) => self.payment(id).row = None,
            Effect::Refund(id, kind, key, amount) => {
                let refunds = &mut self.payment(id).refunds;
                // The second message changes nothing.
                if refunds.insert((*kind, key.clone()), *amount).is_some() {
                    return;
                }
            }
            Effect::Cancel(id, kind, key) => {
                if !self.payment(id).canceled.insert((*kind, key.clone())) {
                    return;
                }
            }
            Effect::Credit(id, key, Some(amount)) => {
                self.payment(id).credits.insert(key.clone(), *amount);
            }
            Effect::Credit(id, key, None) => {
                self.payment(id).credits.remove(key);
            }
            Effect::Rekey(id, new) => {
                assert!(
                    posting,
                    "a moved payment that no trigger saw is another payment"
                );
                let old = self.payment(id);
                let moved = Payment {
                    row: old.row.take(),
                    refunds: std::mem::take(&mut old.refunds),
                    canceled: std::mem::take(&mut old.canceled),
                    terms: old.terms,
                    known: std::mem::take(&mut old.known),
                    ..Payment::default()
                };
                old.moved_away = true;
                let new_id = (id.0, new.clone());
                let taken = self.payments.insert(new_id.clone(), moved);
                assert!(
                    taken.is_none(),
                    "payments move to keys that were never used"
                );
            }
        }
        if posting {
            for id in effect.payments() {
                self.post(&id);
            }
        }
    }

    fn payment(&mut self, id: &PaymentId) -> &mut Payment {
        self.payments.entry(id.clone()).or_default()
    }

    /// Records a referral; the first one stays.
    pub fn attribute(&mut self, program: usize, customer: &str, affiliate: usize, at: Seconds) {
        self.referrals
            .entry((program, customer.to_owned()))
            .or_insert(Referral {
                affiliate,
                attributed_at: at,
            });
    }

    /// The affiliate that a customer belongs to.
    pub fn affiliate_of(&self, program: usize, customer: &str) -> Option<usize> {
        self.referrals
            .get(&(program, customer.to_owned()))
            .map(|referral| referral.affiliate)
    }

    pub fn open_quarantine(&self) -> usize {
        self.payments
            .values()
            .filter(|payment| payment.quarantined)
            .count()
    }

    /// Customers with an unusable row, whom the driver leaves alone where the rules are silent.
    pub fn customers_with_flaws(&self) -> BTreeSet<&str> {
        self.payments
            .values()
            .filter_map(|payment| payment.row.as_ref())
            .filter(|row| row.flaw.is_some())
            .filter_map(|row| row.customer.as_deref())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn the_calendar_of_the_model_knows_leap_years() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(-1), (1969, 12, 31));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(19_783), (2024, 3, 1));
        assert_eq!(civil(20_453), (2025, 12, 31));
    }
}
