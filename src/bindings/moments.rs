//! Constants that stand for the moment at which they are read, such as `date 'today'`.
//!
//! The parser reads them once, so a condition would go by the day on which a session first used
//! it. It leaves no trace of what was written, so the two are looked for apart: words that mean a
//! moment in the texts of the statement, and constants of a type that has moments in what the
//! parser has made of it.

use std::ffi::CStr;

use pgrx::pg_sys;

const WORDS: &[&str] = &["now", "today", "tomorrow", "yesterday"];

/// Types of dates and times, and arrays and ranges of them.
const TYPES: &[pg_sys::Oid] = &[
    pg_sys::DATEOID,
    pg_sys::TIMEOID,
    pg_sys::TIMETZOID,
    pg_sys::TIMESTAMPOID,
    pg_sys::TIMESTAMPTZOID,
    pg_sys::DATEARRAYOID,
    pg_sys::TIMEARRAYOID,
    pg_sys::TIMETZARRAYOID,
    pg_sys::TIMESTAMPARRAYOID,
    pg_sys::TIMESTAMPTZARRAYOID,
    pg_sys::DATERANGEOID,
    pg_sys::TSRANGEOID,
    pg_sys::TSTZRANGEOID,
    pg_sys::DATERANGEARRAYOID,
    pg_sys::TSRANGEARRAYOID,
    pg_sys::TSTZRANGEARRAYOID,
    pg_sys::DATEMULTIRANGEOID,
    pg_sys::TSMULTIRANGEOID,
    pg_sys::TSTZMULTIRANGEOID,
    pg_sys::DATEMULTIRANGEARRAYOID,
    pg_sys::TSMULTIRANGEARRAYOID,
    pg_sys::TSTZMULTIRANGEARRAYOID,
];

/// The word in a text of an expression, as it was written, that may stand for a moment. Parsing
/// changes the tree: this is to be asked before.
///
/// # Safety
/// The expression must be a tree of the grammar.
pub unsafe fn word(written: *mut pg_sys::Node) -> Option<String> {
    // SAFETY: as the caller promises
    let printed = unsafe { print(written) };
    texts(&printed).find_map(moment)
}

/// Whether an expression has a constant that may have been a moment.
///
/// # Safety
/// The expression must be a tree of the parser.
pub unsafe fn has_times(parsed: *mut pg_sys::Node) -> bool {
    // SAFETY: as the caller promises
    let printed = unsafe { print(parsed) };
    constants(&printed).any(|oid| TYPES.contains(&oid))
}

unsafe fn print(node: *mut pg_sys::Node) -> String {
    // SAFETY: the node is one of the parser's, and its print a C string
    let printed = unsafe { CStr::from_ptr(pg_sys::nodeToString(node.cast())) };
    printed.to_string_lossy().into_owned()
}

/// The constants in a printed tree as it was written. Blanks in them are escaped.
fn texts(printed: &str) -> impl Iterator<Item = &str> {
    let from = printed.split("{A_CONST :val \"").skip(1);
    from.map(|rest| rest.split("\" :location").next().unwrap_or(rest))
}

/// The types of the constants in a printed tree that was parsed.
fn constants(printed: &str) -> impl Iterator<Item = pg_sys::Oid> {
    let from = printed.split("{CONST :consttype ").skip(1);
    from.filter_map(|rest| rest.split(' ').next()?.parse::<u32>().ok())
        .map(pg_sys::Oid::from)
}

fn moment(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_alphabetic())
        .map(str::to_ascii_lowercase)
        .find(|word| WORDS.contains(&word.as_str()))
}
