//! The unit in which a table holds its amounts.

use rust_decimal::Decimal;

use crate::rules::currency::Currency;
use crate::rules::words::words;

words! {
    /// Whose minor units, where they are not those of ISO 4217.
    pub enum MinorUnits {
        Stripe = "stripe",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Major,
    /// The minor unit of ISO 4217.
    Iso,
    /// The unit of amounts in Stripe's API, which goes its own way where a currency's minor unit
    /// has changed: https://docs.stripe.com/currencies, "Zero-decimal currencies" and "Special
    /// cases".
    Stripe,
}

impl Unit {
    pub fn of(minor_units: bool, minor_units_of: Option<MinorUnits>) -> Self {
        match (minor_units, minor_units_of) {
            (false, _) => Self::Major,
            (true, None) => Self::Iso,
            (true, Some(MinorUnits::Stripe)) => Self::Stripe,
        }
    }

    pub fn is_minor(self) -> bool {
        self != Self::Major
    }

    /// How many decimals of an amount in the major unit are behind the point.
    fn digits(self, currency: Currency) -> u32 {
        match self {
            Self::Major => 0,
            Self::Iso => currency.minor_digits(),
            Self::Stripe => match currency.code() {
                "ISK" | "UGX" => 2,
                "MGA" => 0,
                _ => currency.minor_digits(),
            },
        }
    }

    /// An integer of this unit in the major unit.
    pub fn integer(self, amount: i64, currency: Currency) -> Decimal {
        Decimal::new(amount, self.digits(currency))
    }

    /// An amount of this unit in the major unit; `None` if it is out of range.
    pub fn decimal(self, amount: Decimal, currency: Currency) -> Option<Decimal> {
        if self == Self::Major {
            return Some(amount);
        }
        let minor = amount.normalize();
        let scale = minor.scale() + self.digits(currency);
        Decimal::try_from_i128_with_scale(minor.mantissa(), scale).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn major(unit: Unit, amount: i64, code: &str) -> String {
        let currency = Currency::parse(code).expect("a currency");
        let decimal = unit.decimal(Decimal::from(amount), currency);
        let integer = unit.integer(amount, currency);
        assert_eq!(decimal, Some(integer), "{amount} {code}");
        integer.to_string()
    }

    #[test]
    fn iso_and_stripe_differ_in_three_currencies() {
        assert_eq!(major(Unit::Iso, 1999, "USD"), "19.99");
        assert_eq!(major(Unit::Stripe, 1999, "USD"), "19.99");
        assert_eq!(major(Unit::Iso, 500, "UGX"), "500");
        assert_eq!(major(Unit::Stripe, 500, "UGX"), "5.00");
        assert_eq!(major(Unit::Iso, 500, "ISK"), "500");
        assert_eq!(major(Unit::Stripe, 500, "ISK"), "5.00");
        assert_eq!(major(Unit::Iso, 500, "MGA"), "5.00");
        assert_eq!(major(Unit::Stripe, 500, "MGA"), "500");
        for code in [
            "JPY", "KRW", "CLP", "VND", "XAF", "BIF", "KWD", "TWD", "HUF",
        ] {
            assert_eq!(major(Unit::Iso, 500, code), major(Unit::Stripe, 500, code));
        }
    }

    #[test]
    fn amounts_in_the_major_unit_stay_as_they_are() {
        assert_eq!(major(Unit::Major, i64::MIN, "KWD"), i64::MIN.to_string());
        let amount = Decimal::from_str("1.2300").expect("a decimal");
        let usd = Currency::parse("USD").expect("a currency");
        let same = Unit::Major.decimal(amount, usd).map(|d| d.to_string());
        assert_eq!(same.as_deref(), Some("1.2300"));
    }

    #[test]
    fn the_largest_amounts_fit_or_are_out_of_range() {
        let usd = Currency::parse("USD").expect("a currency");
        assert!(Unit::Iso.decimal(Decimal::MAX, usd).is_some());
        let tiny = Decimal::new(1, 28);
        assert_eq!(Unit::Iso.decimal(tiny, usd), None);
    }
}
