//! Words: closed sets of texts that callers write and tables hold, such as the states of a payout.

use std::fmt::Display;

/// An enum whose values are words.
pub trait Word: Copy + Display + 'static {
    const ALL: &'static [Self];

    fn as_str(self) -> &'static str;

    fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|known| known.as_str() == word)
            .copied()
    }

    /// As a sentence lists them: `'a', 'b'`.
    fn list(words: &[Self]) -> String {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        quoted.join(", ")
    }
}

/// Declares an enum of words.
macro_rules! words {
    ($(#[$attribute:meta])* pub enum $name:ident { $($(#[$note:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$note])* $variant),+
        }

        impl $crate::rules::words::Word for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::rules::words::Word::as_str(*self))
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    words! {
        pub enum Color {
            Red = "red",
            DarkBlue = "dark_blue",
        }
    }

    #[test]
    fn a_word_is_read_as_it_is_written() {
        for color in Color::ALL {
            assert_eq!(Color::parse(color.as_str()), Some(*color));
        }
        for other in ["", "Red", " red", "red ", "dark", "dark_blue_"] {
            assert_eq!(Color::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn words_are_listed_in_quotes() {
        assert_eq!(Color::list(Color::ALL), "'red', 'dark_blue'");
        assert_eq!(Color::list(&[]), "");
    }
}
