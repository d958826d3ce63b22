//! Spellings of a payment key. The ledger knows a payment by the text of its key as the row has
//! it. Others may write the same key in another way: `001` or ` 1` for the integer 1, a uuid in
//! upper case, 1.1 for 1.10, another case where the column's equality ignores it. And the text of
//! the row itself may change, with the type of the column or by an update; the payment stays the
//! same one.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;

use crate::bindings::columns::Column;
use crate::bindings::host_table::by_column;
use crate::server::names::{equality, type_name};
use crate::server::rights::as_table_owner;
use crate::server::spi::{self, Sees};
use crate::server::subtransaction::in_subtransaction;
use crate::server::text::{ToText, as_bigint};

/// The texts by which columns would hold these values; `None` if they are no values of the types.
pub fn canonical(table: pg_sys::Oid, columns: &[Column], texts: &[String]) -> Option<Vec<String>> {
    if columns.len() != texts.len() {
        return None;
    }
    if columns
        .iter()
        .zip(texts)
        .all(|(c, text)| is_canonical(c, text))
    {
        return Some(texts.to_vec());
    }
    canonical_many(table, columns, &[texts.to_vec()]).pop()?
}

/// The same for many keys at once. Their types' input functions run as the owner of the table.
pub fn canonical_many(
    table: pg_sys::Oid,
    columns: &[Column],
    keys: &[Vec<String>],
) -> Vec<Option<Vec<String>>> {
    let is_plain = |key: &Vec<String>| columns.iter().zip(key).all(|(c, t)| is_canonical(c, t));
    if keys.iter().all(is_plain) {
        return keys.iter().cloned().map(Some).collect();
    }
    convert_many(table, columns, None, keys)
}

/// The texts that columns hold after their types have changed from these, as ALTER TABLE casts
/// what is not to be converted in another way; `None` where the text of a value that it had is none
/// of the new type, nor does a cast make it one.
pub fn after_change_of_types(
    table: pg_sys::Oid,
    columns: &[Column],
    types_before: &[String],
    keys: &[Vec<String>],
) -> Vec<Option<Vec<String>>> {
    let mut now = canonical_many(table, columns, keys);
    if types_before.len() != columns.len() {
        return now;
    }
    let (others, missing): (Vec<_>, Vec<Vec<String>>) = now
        .iter_mut()
        .zip(keys)
        .filter(|(now, _)| now.is_none())
        .map(|(now, key)| (now, key.clone()))
        .unzip();
    let cast = convert_many(table, columns, Some(types_before), &missing);
    for (now, cast) in others.into_iter().zip(cast) {
        *now = cast;
    }
    now
}

fn convert_many(
    table: pg_sys::Oid,
    columns: &[Column],
    types_before: Option<&[String]>,
    keys: &[Vec<String>],
) -> Vec<Option<Vec<String>>> {
    if keys.is_empty() {
        return Vec::new();
    }
    let convert = |keys: &[Vec<String>]| {
        in_subtransaction(|| as_table_owner(table, || convert(columns, types_before, keys)))
    };
    match convert(keys) {
        Ok(converted) => converted.into_iter().map(Some).collect(),
        // one of them is no value: find out which
        Err(_) if keys.len() > 1 => keys
            .iter()
            .map(|key| convert(std::slice::from_ref(key)).ok()?.pop())
            .collect(),
        Err(_) => vec![None],
    }
}

/// Reads the texts as values of the types that the columns had, if these are given, and of those
/// that they have.
fn convert(
    columns: &[Column],
    types_before: Option<&[String]>,
    keys: &[Vec<String>],
) -> Vec<Vec<String>> {
    let numbered = |form: &dyn Fn(usize) -> String| -> String {
        let all: Vec<String> = (0..columns.len()).map(form).collect();
        all.join(", ")
    };
    let text = |(n, column): (usize, &Column)| {
        let before = types_before.and_then(|types| types.get(n));
        let through = before.map_or(String::new(), |before| format!("::{before}"));
        column.text_sql(&format!("u.k{n}{through}::{}", column.type_sql()))
    };
    let texts = columns.iter().enumerate().map(text);
    let names: Vec<String> = (0..columns.len()).map(|n| format!("k{n}")).collect();
    let texts: Vec<String> = texts
        .zip(&names)
        .map(|(text, name)| format!("{text} AS {name}"))
        .collect();
    let texts = texts.join(", ");
    let arrays = numbered(&|n| format!("${}::text[]", n + 1));
    let aliases = numbered(&|n| format!("k{n}"));
    let sql = format!(
        "SELECT {texts} FROM unnest({arrays}) WITH ORDINALITY AS u ({aliases}, n) ORDER BY u.n"
    );
    let args = by_column(keys);
    spi::connect(|connection| {
        let rows = connection.run(&sql, Sees::Now, &args);
        let read: Vec<_> = names
            .iter()
            .map(|name| rows.column::<String>(name))
            .collect();
        rows.iter()
            .map(|row| read.iter().map(|column| row.at(column)).collect())
            .collect()
    })
}

/// Which of many keys the columns' equality takes for the same as one.
pub fn same_as(
    table: pg_sys::Oid,
    columns: &[Column],
    key: &[String],
    others: &[Vec<String>],
) -> Vec<bool> {
    let is_same = |other: &Vec<String>| {
        let pairs: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(n, column)| {
                let (a, b) = (2 * n + 1, 2 * n + 2);
                let (equals, bare) = (equality(column.type_oid), type_name(column.type_oid));
                let collation = column.collation_sql();
                format!("${a}::{bare}{collation} {equals} ${b}::{bare}")
            })
            .collect();
        let sql = format!("SELECT {} AS is_same", pairs.join(" AND "));
        let args: Vec<DatumWithOid> = key
            .iter()
            .zip(other)
            .flat_map(|(a, b)| [a.as_str().into(), b.as_str().into()])
            .collect();
        let ask = || spi::connect(|c| c.run(&sql, Sees::Now, &args).only().get("is_same"));
        let answer = in_subtransaction(|| as_table_owner(table, ask));
        // what can't be compared, or is neither the same nor another one to an operator of the
        // host's, is not the same
        matches!(answer, Ok(Some(true)))
    };
    others.iter().map(is_same).collect()
}

/// Whether a text is certainly how the column would write it.
fn is_canonical(column: &Column, text: &str) -> bool {
    match column.to_text {
        ToText::Text => true,
        ToText::Padded => !text.ends_with(' '),
        ToText::Int2 => in_range(text, i16::MIN.into(), i16::MAX.into()),
        ToText::Int4 => in_range(text, i32::MIN.into(), i32::MAX.into()),
        ToText::Int8 => as_bigint(text.as_bytes()).is_some(),
        ToText::Output(_) if column.type_oid == pg_sys::UUIDOID => is_uuid(text),
        ToText::Output(_) | ToText::Foreign(..) => false,
    }
}

fn in_range(text: &str, min: i64, max: i64) -> bool {
    as_bigint(text.as_bytes()).is_some_and(|number| (min..=max).contains(&number))
}

/// Whether a text is a uuid as PostgreSQL writes it.
fn is_uuid(text: &str) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| {
            if HYPHENS.contains(&at) {
                byte == b'-'
            } else {
                matches!(byte, b'0'..=b'9' | b'a'..=b'f')
            }
        })
}

#[cfg(test)]
mod tests {
    use super::is_uuid;

    #[test]
    fn a_uuid_is_canonical_in_lower_case_with_hyphens_alone() {
        assert!(is_uuid("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"));
        for other in [
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
        ] {
            assert!(!is_uuid(other), "{other}");
        }
    }
}
