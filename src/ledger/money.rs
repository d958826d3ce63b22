//! The arithmetic of the ledger for statements in SQL.

use pgrx::AnyNumeric;
use pgrx::prelude::*;

use crate::rules::currency::Currency;
use crate::rules::money;
use crate::server::numeric;

#[pg_extern(sql = false)]
fn minor_digits(currency: &str) -> Option<i32> {
    Currency::parse(currency).map(|currency| currency.minor_digits() as i32)
}

#[pg_extern(sql = false)]
fn commission_target(rate: AnyNumeric, base: AnyNumeric, currency: &str) -> Option<AnyNumeric> {
    let currency = Currency::parse(currency)?;
    let (rate, base) = (numeric::from_any(rate).ok()?, numeric::from_any(base).ok()?);
    let target = money::commission(rate, base, currency)?;
    unsafe { AnyNumeric::from_datum(numeric::encode(target), false) }
}

#[pg_extern(sql = false)]
fn with_minor_digits(amount: AnyNumeric, currency: &str) -> AnyNumeric {
    let shown = Currency::parse(currency)
        .zip(numeric::from_any(amount.clone()).ok())
        .map(|(currency, value)| numeric::encode(money::with_minor_digits(value, currency)));
    shown
        .and_then(|datum| unsafe { AnyNumeric::from_datum(datum, false) })
        .unwrap_or(amount)
}
