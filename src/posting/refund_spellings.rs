//! The ways in which refunds of an attached table spell the keys of payments, where the equality of
//! its columns does not find them.

use std::collections::HashSet;

use crate::bindings::binding::{Binding, forget_everywhere};
use crate::server::spi::{self, Sees};

/// The ways in which refunds of an attached table spell the key of a payment, that of its row
/// first.
pub fn spellings(binding: &Binding, key_columns: Vec<String>) -> Vec<Vec<String>> {
    const SPELLINGS: &str = "
        SELECT s.spelling FROM affiliate.refund_spelling s WHERE s.binding_id = $1 AND s.payment_key = $2";
    let mut spellings = Vec::new();
    if binding.has_spellings.get() {
        let key = binding.key_text(key_columns.clone());
        spi::connect(|connection| {
            let args = [binding.id.into(), key.as_str().into()];
            let rows = connection.run(SPELLINGS, Sees::Latest, &args);
            let texts = rows.values::<String>("spelling");
            spellings.extend(texts.filter_map(|text| binding.key_columns(&text)));
        });
    }
    spellings.insert(0, key_columns);
    spellings
}

/// Remembers that refunds of an attached table spell the key of a payment in a way that its
/// equality does not find.
pub fn remember_spelling(binding: &Binding, payment_key: &str, spelling: &str) {
    const REMEMBER: &str = "
        INSERT INTO affiliate.refund_spelling (binding_id, payment_key, spelling) VALUES ($1, $2, $3)
        ON CONFLICT (binding_id, spelling) DO UPDATE SET payment_key = excluded.payment_key
        WHERE refund_spelling.payment_key <> excluded.payment_key";
    spi::connect(|connection| {
        let args = [binding.id.into(), payment_key.into(), spelling.into()];
        connection.run(REMEMBER, Sees::Now, &args);
    });
    if !binding.has_spellings.replace(true) {
        forget_everywhere();
    }
}

/// The same when it is the text of the row that has changed.
pub fn respell(binding: &Binding, from: &str, to: &str) {
    const RESPELL: &str = "UPDATE affiliate.refund_spelling SET payment_key = $3 WHERE binding_id = $1 AND payment_key = $2";
    if binding.has_spellings.get() {
        spi::connect(|connection| {
            let args = [binding.id.into(), from.into(), to.into()];
            connection.run(RESPELL, Sees::Now, &args);
        });
    }
    let key = &binding.columns.key;
    if binding
        .refunds_table
        .as_ref()
        .is_some_and(|table| !table.spells_like(key))
    {
        remember_spelling(binding, to, from);
    }
}

/// Which of many payments the attached table has refunds of under another spelling, by their
/// places.
pub fn respelled_among(binding: &Binding, keys: &[Vec<String>]) -> Vec<usize> {
    const RESPELLED: &str = "
        SELECT k.n FROM unnest($2::text[]) WITH ORDINALITY AS k (payment_key, n)
        WHERE EXISTS (SELECT FROM affiliate.refund_spelling s
            WHERE s.binding_id = $1 AND s.payment_key = k.payment_key)";
    if !binding.has_spellings.get() || keys.is_empty() {
        return Vec::new();
    }
    let texts: Vec<String> = keys
        .iter()
        .map(|key| binding.key_text(key.clone()))
        .collect();
    spi::connect(|connection| {
        let rows = connection.run(RESPELLED, Sees::Latest, &[binding.id.into(), texts.into()]);
        rows.places("n").collect()
    })
}

/// Those of some spellings that are not remembered yet.
pub fn unknown_spellings(binding: &Binding, spellings: Vec<Vec<String>>) -> Vec<Vec<String>> {
    const KNOWN: &str = "
        SELECT s.spelling FROM affiliate.refund_spelling s
        WHERE s.binding_id = $1 AND s.spelling = ANY ($2)";
    if spellings.is_empty() {
        return spellings;
    }
    let text = |key: &Vec<String>| binding.key_text(key.clone());
    let texts: Vec<String> = spellings.iter().map(text).collect();
    let known: HashSet<String> = spi::connect(|connection| {
        let rows = connection.run(KNOWN, Sees::Latest, &[binding.id.into(), texts.into()]);
        rows.values("spelling").collect()
    });
    let is_unknown = |key: &Vec<String>| !known.contains(&text(key));
    spellings.into_iter().filter(is_unknown).collect()
}
