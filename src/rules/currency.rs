//! Currencies: ISO 4217 codes, withdrawn ones included, and the decimals of their minor units.

use std::cell::Cell;

/// A currency with a minor unit. Bonds, metals and test codes of ISO 4217 have none and are
/// no money to be paid out in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency {
    code: [u8; 3],
    minor_digits: u32,
}

/// Codes that ISO 4217 has withdrawn since 1999 and that `iso_currency` does not know any more: of
/// their payments there are rows, refunds and payouts. The decimals are those of the standard's
/// table A.1 while the code was in it, as OpenJDK's `currency.properties` has kept them.
#[rustfmt::skip]
const WITHDRAWN: &[(u32, &[&str])] = &[
    (0, &["ADP", "BEF", "BYB", "BYR", "ESP", "GRD", "ITL", "LUF", "MGF", "PTE", "TPE", "TRL"]),
    (2, &[
        "AFA", "ANG", "ATS", "AZM", "BGL", "BGN", "CSD", "CUC", "CYP", "DEM", "EEK", "FIM", "FRF", "GHC",
        "GWP", "HRK", "IEP", "LTL", "LVL", "MRO", "MTL", "MZM", "NLG", "ROL", "RUR", "SDD", "SIT", "SKK",
        "SLL", "SRG", "STD", "TMM", "VEB", "VEF", "YUM", "ZMK", "ZWD", "ZWL", "ZWN", "ZWR",
    ]),
];

thread_local! {
    /// The last one found: payments in a row mostly share theirs.
    static LAST: Cell<Option<Currency>> = const { Cell::new(None) };
}

impl Currency {
    /// Reads a code in any case with blanks around it; `None` if no currency has it.
    pub fn parse(input: &str) -> Option<Self> {
        let mut code = [0u8; 3];
        let trimmed = input.trim().as_bytes();
        if trimmed.len() != 3 {
            return None;
        }
        code.copy_from_slice(trimmed);
        code.make_ascii_uppercase();
        if let Some(last) = LAST.get().filter(|last| last.code == code) {
            return Some(last);
        }
        let text = std::str::from_utf8(&code).ok()?;
        let minor_digits = match iso_currency::Currency::from_code(text) {
            Some(known) => u32::from(known.exponent()?),
            None => withdrawn(text)?,
        };
        LAST.set(Some(Self { code, minor_digits }));
        LAST.get()
    }

    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or_default()
    }

    /// Decimals of the minor unit: 2 for USD, 0 for JPY, 3 for KWD.
    pub fn minor_digits(&self) -> u32 {
        self.minor_digits
    }
}

/// The decimals of a code that is in use no more.
fn withdrawn(code: &str) -> Option<u32> {
    let has = |(_, codes): &&(u32, &[&str])| codes.contains(&code);
    WITHDRAWN.iter().find(has).map(|(digits, _)| *digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_normalized() {
        assert_eq!(
            Currency::parse(" usd ").map(|c| c.code().to_owned()),
            Some("USD".to_owned())
        );
    }

    #[test]
    fn minor_units_follow_iso_4217() {
        let digits = |code| Currency::parse(code).map(|c| c.minor_digits());
        assert_eq!(digits("USD"), Some(2));
        assert_eq!(digits("JPY"), Some(0));
        assert_eq!(digits("KWD"), Some(3));
    }

    #[test]
    fn withdrawn_currencies_have_the_digits_that_they_had() {
        let digits = |code| Currency::parse(code).map(|c| c.minor_digits());
        for code in [
            "ANG", "EEK", "HRK", "LTL", "LVL", "MRO", "SLL", "STD", "VEF", "ZMK",
        ] {
            assert_eq!(digits(code), Some(2), "{code}");
        }
        for code in ["BYR", "ITL", "TRL"] {
            assert_eq!(digits(code), Some(0), "{code}");
        }
    }

    #[test]
    fn what_is_no_money_is_unknown() {
        for code in ["", "US", "USDT", "AAA", "XXX", "XAU", "XTS", "ü1", "$$$"] {
            assert_eq!(Currency::parse(code), None, "{code:?}");
        }
    }
}
