//! The words of the rules, against those that the tables take.

use pgrx::prelude::*;

#[pg_schema]
mod tests {
    use pgrx::prelude::*;

    use crate::rules::words::Word;
    use crate::rules::{affiliate, attribution, deletion, refund, truncation, unit};
    use crate::server::spi::{self, Sees};

    /// The words of a check constraint, each once, in its order.
    fn words_of(constraint: &str) -> Vec<String> {
        let sql = format!(
            "SELECT m.word[1] AS word
             FROM pg_constraint c, regexp_matches(pg_get_constraintdef(c.oid), '''([^'']*)''', 'g') AS m (word)
             WHERE c.connamespace = 'affiliate'::regnamespace AND c.conname = '{constraint}'"
        );
        spi::connect(|connection| {
            let rows = connection.run_once(&sql, Sees::Now, &[]);
            let mut words: Vec<String> = Vec::new();
            for word in rows.values("word") {
                if !words.contains(&word) {
                    words.push(word);
                }
            }
            words
        })
    }

    fn words<W: Word>() -> Vec<String> {
        W::ALL.iter().map(|word| word.as_str().to_owned()).collect()
    }

    #[pg_test]
    fn tables_hold_the_words_of_the_rules() {
        assert_eq!(words_of("affiliate_status"), words::<affiliate::Status>());
        assert_eq!(words_of("refund_kind"), words::<refund::Kind>());
        assert_eq!(words_of("binding_on_delete"), words::<deletion::OnDelete>());
        assert_eq!(
            words_of("binding_on_truncate"),
            words::<truncation::OnTruncate>()
        );
        assert_eq!(
            words_of("binding_minor_units_of"),
            words::<unit::MinorUnits>()
        );
        assert_eq!(words_of("referral_source"), words::<attribution::Means>());
        assert_eq!(
            words_of("program_attribution"),
            words::<attribution::Attribution>()
        );
        assert_eq!(
            words_of("program_self_referral"),
            words::<attribution::SelfReferral>()
        );
    }
}
