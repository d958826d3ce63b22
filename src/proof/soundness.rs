//! One entry by itself: whether its inputs come to its amount.

#![allow(
    clippy::indexing_slicing,
    reason = "there are as many arguments as the SQL function declares"
)]

use pgrx::pg_sys;
use rust_decimal::Decimal;

use crate::rules::commission::Rule;
use crate::rules::currency::Currency;
use crate::rules::money;
use crate::server::calls::raw_function;
use crate::server::numeric;
use crate::server::text::bytes;

/// The arguments of `affiliate.is_sound()`, in their order.
mod argument {
    pub const SEQ: usize = 0;
    pub const RULE: usize = 1;
    pub const RATE: usize = 2;
    pub const BASE: usize = 3;
    pub const REFUNDED: usize = 4;
    pub const BASE_BEFORE: usize = 5;
    pub const POSTED_BEFORE: usize = 6;
    pub const AMOUNT: usize = 7;
    pub const CURRENCY: usize = 8;
    pub const PAID_ON: usize = 9;
    pub const MATURES_ON: usize = 10;
    pub const COUNT: usize = 11;
}

raw_function!(
    is_sound_wrapper,
    pg_finfo_is_sound_wrapper,
    |fcinfo| unsafe { is_sound(fcinfo).into() }
);

/// The body of `affiliate.is_sound()`: no more than what the checks `entries_recompute`, and of
/// `one_commission_per_payment` and `entries_continue` what an entry says by itself, ask in SQL.
///
/// # Safety
/// The arguments must be of the types that the function declares.
unsafe fn is_sound(fcinfo: pg_sys::FunctionCallInfo) -> bool {
    let args = unsafe { (*fcinfo).args.as_slice(argument::COUNT) };
    unsafe { recomputes(args) }.unwrap_or(false)
}

/// `None` if something is missing or no number of ours.
unsafe fn recomputes(args: &[pg_sys::NullableDatum]) -> Option<bool> {
    let value = |n: usize| (!args[n].isnull).then_some(args[n].value);
    let decimal = |n| -> Option<Decimal> { unsafe { numeric::decode(value(n)?) }.ok() };
    let code = unsafe { bytes(value(argument::CURRENCY)?) };
    let code = std::str::from_utf8(code).ok()?;
    let currency = Currency::parse(code).filter(|currency| currency.code() == code)?;
    let (seq, rule) = (
        value(argument::SEQ)?.value() as i32,
        value(argument::RULE)?.value() as u8,
    );
    let (rate, base) = (decimal(argument::RATE)?, decimal(argument::BASE)?);
    let (base_before, posted_before) = (
        decimal(argument::BASE_BEFORE)?,
        decimal(argument::POSTED_BEFORE)?,
    );
    let amount = decimal(argument::AMOUNT)?;
    let target = Rule::from_columns(rule, rate)?.target(base, currency)?;
    let (paid_on, matures_on) = (
        value(argument::PAID_ON)?.value() as i32,
        value(argument::MATURES_ON)?.value() as i32,
    );
    let is_first = seq == 1;
    Some(
        seq >= 1
            && base >= Decimal::ZERO
            && decimal(argument::REFUNDED)? >= Decimal::ZERO
            && money::difference(target, posted_before)? == amount
            && amount.scale() == currency.minor_digits()
            && (!is_first
                || matures_on >= paid_on
                    && base_before.is_zero()
                    && posted_before.is_zero()
                    && amount >= Decimal::ZERO),
    )
}
