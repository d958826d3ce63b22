//! Codes: the public identifiers in links and coupons.

/// Hex digits of a generated code; 25 of them hold 100 random bits.
pub const GENERATED_LENGTH: usize = 25;
/// Random bytes that a generated code is made from; the last half byte is not used.
pub const RANDOM_BYTES: usize = GENERATED_LENGTH.div_ceil(2);

const VANITY_LENGTH: std::ops::RangeInclusive<usize> = 3..=64;

/// The generated form of a code: lowercase hex of random bytes.
pub fn from_random(bytes: &[u8; RANDOM_BYTES]) -> String {
    let mut code: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    code.truncate(GENERATED_LENGTH);
    code
}

/// A code as a caller wrote it, without the blanks around it; `None` if it is not 3 to 64
/// ASCII letters, digits, `-` or `_`.
pub fn parse(input: &str) -> Option<&str> {
    let code = input.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (VANITY_LENGTH.contains(&code.len()) && code.chars().all(allowed)).then_some(code)
}

/// Where the code goes in a base that has a place for it.
const PLACE: &str = "{code}";

/// A link: the base, exactly one slash, the code; or the base with the code in its place.
pub fn link(base: &str, code: &str) -> String {
    if base.contains(PLACE) {
        return base.replace(PLACE, code);
    }
    format!("{}/{}", base.trim_end_matches('/'), code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn generated_codes_are_25_lowercase_hex_digits() {
        assert_eq!(
            from_random(&[0xAB; RANDOM_BYTES]),
            "ababababababababababababa"
        );
        assert_eq!(from_random(&[0; RANDOM_BYTES]).len(), GENERATED_LENGTH);
    }

    #[test]
    fn vanity_codes_are_letters_digits_dash_and_underscore() {
        assert_eq!(parse("  Summer_24-x "), Some("Summer_24-x"));
        for bad in ["", "ab", "a b", "naïve", "x/y", &"x".repeat(65)] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn one_slash_stands_between_base_and_code() {
        for base in [
            "https://a.example/ref",
            "https://a.example/ref/",
            "https://a.example/ref//",
        ] {
            assert_eq!(link(base, "abc"), "https://a.example/ref/abc");
        }
    }

    proptest! {
        #[test]
        fn every_generated_code_is_a_well_formed_code(bytes: [u8; RANDOM_BYTES]) {
            let code = from_random(&bytes);
            prop_assert_eq!(parse(&code), Some(code.as_str()));
        }
    }
}
