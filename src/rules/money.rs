//! Exact arithmetic. `rust_decimal` rounds silently where a result needs more than 96 bits,
//! so products are computed on the integers behind the decimals and rounded once, at the end.

use rust_decimal::Decimal;

use crate::rules::currency::Currency;

/// The commission of a net amount: `rate x base`, rounded half away from zero to the minor
/// unit. `None` if the result is out of the range of a decimal.
pub fn commission(rate: Decimal, base: Decimal, currency: Currency) -> Option<Decimal> {
    let product = rate.mantissa().checked_mul(base.mantissa())?;
    round(
        product,
        rate.scale() + base.scale(),
        currency.minor_digits(),
    )
}

/// `mantissa / 10^scale`, rounded half away from zero to `digits` decimals.
fn round(mantissa: i128, scale: u32, digits: u32) -> Option<Decimal> {
    let rounded = if scale > digits {
        let divisor = 10i128.checked_pow(scale - digits)?;
        let (quotient, remainder) = divide(mantissa, divisor);
        // |remainder| >= divisor / 2, without the overflow of doubling it
        let up = remainder.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2);
        quotient + if up { mantissa.signum() } else { 0 }
    } else {
        mantissa.checked_mul(10i128.checked_pow(digits - scale)?)?
    };
    Decimal::try_from_i128_with_scale(rounded, digits).ok()
}

/// Quotient and remainder; nearly all amounts fit in 64 bits, where a division takes little.
fn divide(dividend: i128, divisor: i128) -> (i128, i128) {
    match (i64::try_from(dividend), i64::try_from(divisor)) {
        (Ok(dividend), Ok(divisor)) => (
            i128::from(dividend / divisor),
            i128::from(dividend % divisor),
        ),
        _ => (dividend / divisor, dividend % divisor),
    }
}

/// The difference of two decimals if it is exact; `rust_decimal` would drop digits of operands
/// whose scales are too far apart.
pub fn difference(a: Decimal, b: Decimal) -> Option<Decimal> {
    if b.is_zero() && b.scale() <= a.scale() {
        return Some(a);
    }
    let (a, b, scale) = widened(a, b)?;
    Decimal::try_from_i128_with_scale(a.checked_sub(b)?, scale).ok()
}

/// The sum of two decimals if it is exact.
pub fn sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b, scale) = widened(a, b)?;
    Decimal::try_from_i128_with_scale(a.checked_add(b)?, scale).ok()
}

/// The integers behind two decimals at the larger of their scales, and that scale.
fn widened(a: Decimal, b: Decimal) -> Option<(i128, i128, u32)> {
    let scale = a.scale().max(b.scale());
    let widen = |d: Decimal| {
        d.mantissa()
            .checked_mul(10i128.checked_pow(scale - d.scale())?)
    };
    Some((widen(a)?, widen(b)?, scale))
}

/// `a x b` with all its digits, of which a decimal might have to drop some; neither is negative.
pub fn product_text(a: Decimal, b: Decimal) -> Option<String> {
    let product = a.mantissa().checked_mul(b.mantissa())?;
    if product == 0 {
        return Some("0".to_owned());
    }
    let scale = (a.scale() + b.scale()) as usize;
    let mut digits = format!("{product:0>width$}", width = scale + 1);
    if scale > 0 {
        digits.insert(digits.len() - scale, '.');
    }
    Some(digits)
}

/// The same amount, written with at least the decimals of their currency.
pub fn with_minor_digits(amount: Decimal, currency: Currency) -> Decimal {
    let mut shown = amount;
    if shown.scale() < currency.minor_digits() {
        shown.rescale(currency.minor_digits());
    }
    // a number so large that it has no room for more decimals stays as it is
    if shown == amount { shown } else { amount }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::str::FromStr;

    fn dec(text: &str) -> Decimal {
        Decimal::from_str(text).expect("a decimal")
    }

    fn earned(rate: &str, base: &str, currency: &str) -> Option<String> {
        let currency = Currency::parse(currency).expect("a currency");
        commission(dec(rate), dec(base), currency).map(|d| d.to_string())
    }

    #[test]
    fn the_examples_of_the_program_come_out() {
        assert_eq!(earned("0.30", "20", "USD").as_deref(), Some("6.00"));
        assert_eq!(earned("0.30", "200", "USD").as_deref(), Some("60.00"));
        assert_eq!(earned("0.3", "1000", "USD").as_deref(), Some("300.00"));
        assert_eq!(earned("0.3", "999", "JPY").as_deref(), Some("300"));
        assert_eq!(earned("0.3", "1.005", "KWD").as_deref(), Some("0.302"));
    }

    #[test]
    fn halves_are_rounded_away_from_zero_once() {
        assert_eq!(earned("0.5", "0.01", "USD").as_deref(), Some("0.01"));
        assert_eq!(earned("0.5", "0.0099999", "USD").as_deref(), Some("0.00"));
        assert_eq!(earned("0.3", "0.15", "USD").as_deref(), Some("0.05"));
        assert_eq!(
            earned("0.3", "0.149999999999999999999999999", "USD").as_deref(),
            Some("0.04")
        );
    }

    #[test]
    fn the_largest_decimal_is_computed_exactly_or_refused() {
        assert_eq!(
            earned("0.999999", "79228162514264337593543950335", "JPY").as_deref(),
            Some("79228083286101823329206356791")
        );
        assert_eq!(earned("1", "79228162514264337593543950335", "USD"), None);
    }

    #[test]
    fn what_a_decimal_would_round_is_refused() {
        let (large, small) = (dec("79228162514264337593543950335"), dec("0.1"));
        assert_eq!(sum(large, small), None);
        assert_eq!(difference(large, small), None);
        assert_eq!(sum(large, Decimal::ONE), None);
        assert_eq!(
            product_text(dec("0.333333"), dec("0.1234567890123456789012345679")).as_deref(),
            Some("0.0411522218518522221851852222218107")
        );
    }

    fn amounts() -> impl Strategy<Value = Decimal> {
        (0i64..10_000_000_000, 0u32..6).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
    }

    proptest! {
        /// Against the definition: no number with the currency's decimals is nearer.
        #[test]
        fn a_commission_is_the_nearest_amount(
            base in amounts(), rate in 0i64..=1_000_000, code in prop::sample::select(vec!["USD", "JPY", "KWD"])
        ) {
            let currency = Currency::parse(code).expect("a currency");
            let rate = Decimal::new(rate, 6);
            let earned = commission(rate, base, currency).expect("in range");
            let off = (earned - rate * base).abs() * Decimal::from(10u64.pow(currency.minor_digits()));
            prop_assert!(off <= Decimal::new(5, 1));
            // an exact half goes up
            prop_assert!(off < Decimal::new(5, 1) || earned >= rate * base);
            prop_assert_eq!(earned.scale(), currency.minor_digits());
        }

        #[test]
        fn a_larger_base_never_earns_less(a in amounts(), b in amounts(), rate in 0i64..=1_000_000) {
            let usd = Currency::parse("USD").expect("a currency");
            let rate = Decimal::new(rate, 6);
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            prop_assert!(commission(rate, low, usd) <= commission(rate, high, usd));
        }

        #[test]
        fn exact_sums_and_differences_agree_with_those_of_decimals(a in amounts(), b in amounts()) {
            prop_assert_eq!(difference(a, b), Some(a - b));
            prop_assert_eq!(sum(a, b), Some(a + b));
        }

        #[test]
        fn a_product_as_text_is_that_of_decimals(a in amounts(), b in amounts()) {
            let product = product_text(a, b).expect("in range");
            prop_assert_eq!(dec(&product), a * b);
        }
    }
}
