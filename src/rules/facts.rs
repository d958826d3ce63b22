//! What the rules ask of a payment.

use rust_decimal::Decimal;

use crate::rules::calendar::PaidAt;
use crate::rules::commission::Offer;
use crate::rules::currency::Currency;
use crate::rules::fault::Defect;

/// A payment of a referred customer. Each fact is asked for when it is needed and not before, since
/// it may take reading more than a row, or be faulty where nothing depends on it.
pub trait Facts {
    /// Whether the condition of the binding holds.
    fn is_paid(&self) -> Result<bool, Defect>;

    /// When it was made.
    fn paid_at(&self) -> Result<PaidAt, Defect>;

    fn currency(&self) -> Result<Currency, Defect>;

    /// The gross amount in major units, not negative.
    fn amount(&self, currency: Currency) -> Result<Decimal, Defect>;

    /// What was refunded of it so far in major units, wherever that stands; not negative, and
    /// maybe more than the amount.
    fn refunded(&self, currency: Currency, amount: Decimal) -> Result<Decimal, Defect>;

    /// The moment from which payments of its table count, in microseconds since 2000-01-01 UTC.
    fn counts_since(&self) -> Option<i64>;

    /// The day of a moment in the program's zone; `None` if the calendar has none.
    fn day_of(&self, moment: i64) -> Option<i32>;

    /// What the program offers for it by now.
    fn offer(&self) -> Offer;
}
