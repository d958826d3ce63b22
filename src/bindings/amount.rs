//! Amounts of money in columns of the host, of payments and of refunds: the one place that judges
//! what type such a column has by now.

use pgrx::pg_sys;
use rust_decimal::Decimal;

use crate::bindings::columns::Column;
use crate::rules::currency::Currency;
use crate::rules::fault::{Defect, Fault};
use crate::rules::unit::Unit;
use crate::server::numeric::{self, Unfit};

/// What may be wrong with one of the amounts.
#[derive(Clone, Copy)]
pub struct Faults {
    not_finite: Fault,
    out_of_range: Fault,
    negative: Fault,
    fraction: Fault,
}

impl Faults {
    pub const AMOUNT: Self = Self {
        not_finite: Fault::AmountNotFinite,
        out_of_range: Fault::AmountOutOfRange,
        negative: Fault::AmountNegative,
        fraction: Fault::AmountFraction,
    };
    pub const REFUNDED: Self = Self {
        not_finite: Fault::RefundedNotFinite,
        out_of_range: Fault::RefundedOutOfRange,
        negative: Fault::RefundedNegative,
        fraction: Fault::RefundedFraction,
    };
}

/// The value of an amount in major units.
///
/// # Safety
/// The datum must be a non-NULL value of the column.
pub unsafe fn read(
    column: Column,
    datum: pg_sys::Datum,
    unit: Unit,
    currency: Currency,
    faults: Faults,
) -> Result<Decimal, Defect> {
    let unusable = |why: &str| Err(Fault::ColumnUnusable.of(why));
    // SAFETY: the datum is one of this column
    let shown = || unsafe { column.to_text.apply(datum) }.to_owned();
    let amount = if let Some(integer) = column.to_text.integer(datum) {
        unit.integer(integer, currency)
    } else if column.type_oid != pg_sys::NUMERICOID {
        return unusable("the column of an amount has another type");
    } else {
        // SAFETY: a column of this type holds numerics
        let amount = unsafe { numeric::decode(datum) }.map_err(|unfit| {
            let fault = match unfit {
                Unfit::NotFinite => faults.not_finite,
                Unfit::OutOfRange => faults.out_of_range,
            };
            fault.of(shown())
        })?;
        if unit.is_minor() && !amount.fract().is_zero() {
            return Err(faults.fraction.of(shown()));
        }
        unit.decimal(amount, currency)
            .ok_or_else(|| faults.out_of_range.of(shown()))?
    };
    if amount.is_sign_negative() && !amount.is_zero() {
        return Err(faults.negative.of(shown()));
    }
    Ok(amount)
}
