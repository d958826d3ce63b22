//! Money as exact integers in minor units, and the commission rule.
//!
//! Written from the rules alone, so that an error in the extension's arithmetic cannot hide here.

/// 30%, in millionths, the rate of the `default` program.
pub const DEFAULT_RATE: i128 = 300_000;

/// Decimals of the currencies that the tests use.
pub fn digits(currency: &str) -> usize {
    match currency {
        "JPY" => 0,
        "EUR" | "GBP" | "USD" => 2,
        "KWD" => 3,
        other => panic!("the tests do not know {other}"),
    }
}

/// Whole units of a currency in minor units.
pub fn whole(units: i128, currency: &str) -> i128 {
    (0..digits(currency)).fold(units, |units, _| units * 10)
}

/// Reads a decimal number, exactly: digits beyond the currency's minor unit must be zeros.
pub fn minor(text: &str, currency: &str) -> i128 {
    let (negative, digits_text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits_text.split_once('.').unwrap_or((digits_text, ""));
    let scale = digits(currency);
    let (kept, rest) = fraction.split_at(fraction.len().min(scale));
    assert!(
        rest.bytes().all(|byte| byte == b'0'),
        "{text} {currency} is finer than its currency"
    );
    let value: i128 = format!("{whole}{kept:0<scale$}")
        .parse()
        .unwrap_or_else(|error| panic!("{text} is no amount: {error}"));
    if negative { -value } else { value }
}

/// The decimal number of an amount in minor units.
pub fn decimal(minor: i128, currency: &str) -> String {
    scaled(minor, digits(currency))
}

/// `millionths` as a fraction: 300000 is `0.300000`.
pub fn rate_text(millionths: i128) -> String {
    scaled(millionths, 6)
}

fn scaled(value: i128, scale: usize) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let text = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = text.split_at(text.len() - scale);
    if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// `round(rate × net)`, half away from zero, for a net amount that is not negative.
pub fn commission(rate_millionths: i128, net: i128) -> i128 {
    assert!(net >= 0, "a payment's net is never negative");
    (rate_millionths * net * 2 + 1_000_000) / 2_000_000
}
