//! The terms of a payment.

use crate::rules::calendar::add_days;
use crate::rules::commission::Terms;
use crate::rules::facts::Facts;
use crate::rules::fault::{Defect, Fault};

/// The terms of a payment: those that its entries froze, if it has any or brings some along, or
/// what the program offers by now.
pub fn terms_for(payment: &impl Facts, frozen: Option<Terms>) -> Result<Terms, Defect> {
    if let Some(terms) = frozen {
        return Ok(terms);
    }
    let offer = payment.offer();
    let no_day = || Fault::PaidAtOutOfRange.of("no day of the calendar");
    let paid_on = payment.paid_at()?.day(|moment| payment.day_of(moment));
    let paid_on = paid_on.ok_or_else(no_day)?;
    Ok(Terms {
        rule: offer.rule,
        paid_on,
        matures_on: add_days(paid_on, offer.hold_days).ok_or_else(no_day)?,
    })
}
