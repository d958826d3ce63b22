//! What a payment earns: the rule, and the terms that the first entry freezes.

use rust_decimal::Decimal;

use crate::rules::currency::Currency;
use crate::rules::money;

/// How a commission comes of a net amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A fraction of it.
    Rate(Decimal),
}

impl Rule {
    const RATE: u8 = b'r';

    /// The rule of an entry, from its columns; `None` if no rule has this code.
    pub fn from_columns(code: u8, rate: Decimal) -> Option<Self> {
        match code {
            Self::RATE => Some(Self::Rate(rate)),
            _ => None,
        }
    }

    /// What the ledger calls it.
    pub fn code(self) -> u8 {
        match self {
            Self::Rate(_) => Self::RATE,
        }
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rate(_) => "rate",
        }
    }

    pub fn rate(self) -> Decimal {
        match self {
            Self::Rate(rate) => rate,
        }
    }

    /// What the ledger should have posted for a net amount, rounded once, half away from zero to
    /// the minor unit. `None` if it is out of the range of a decimal.
    pub fn target(self, base: Decimal, currency: Currency) -> Option<Decimal> {
        match self {
            Self::Rate(rate) => money::commission(rate, base, currency),
        }
    }

    /// The same before it is rounded, with all its digits.
    pub fn unrounded(self, base: Decimal) -> Option<String> {
        match self {
            Self::Rate(rate) => money::product_text(rate, base),
        }
    }
}

/// What the first entry for a payment froze.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub rule: Rule,
    /// The day of the payment in the program's zone.
    pub paid_on: i32,
    pub matures_on: i32,
}

/// What a program offers for a payment that has no entry yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    pub rule: Rule,
    pub hold_days: i32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_unknown_code_is_no_rule() {
        for code in u8::MIN..=u8::MAX {
            let rule = Rule::from_columns(code, Decimal::ONE);
            assert_eq!(rule.map(Rule::code), rule.map(|_| code));
            assert_eq!(rule.is_some(), code == Rule::RATE);
        }
    }

    proptest! {
        /// What an entry says of its rule is that rule.
        #[test]
        fn columns_say_the_rule(rate in 0i64..=1_000_000) {
            let rule = Rule::Rate(Decimal::new(rate, 6));
            prop_assert_eq!(Rule::from_columns(rule.code(), rule.rate()), Some(rule));
        }

        /// The target is within half a minor unit of what is not rounded.
        #[test]
        fn the_target_is_the_unrounded_amount_rounded(
            rate in 0i64..=1_000_000,
            cents in 0i64..100_000_000,
            code in prop::sample::select(vec!["JPY", "USD", "KWD"]),
        ) {
            let rule = Rule::Rate(Decimal::new(rate, 6));
            let base = Decimal::new(cents, 2);
            let currency = Currency::parse(code).expect("a currency");
            let target = rule.target(base, currency).expect("in range");
            let unrounded: Decimal = rule.unrounded(base).expect("in range").parse().expect("a decimal");
            let unit = Decimal::new(1, currency.minor_digits());
            prop_assert!((target - unrounded).abs() * Decimal::TWO <= unit);
            prop_assert_eq!(target.scale(), currency.minor_digits());
        }
    }
}
