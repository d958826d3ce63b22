//! What the lints of the crate can't see: what panics without an operator, and that the lints are
//! on.

use std::fs;
use std::path::{Path, PathBuf};

/// What may stand nowhere but in tests: it panics, or throws away that something failed.
const FORBIDDEN: [&str; 16] = [
    ".unwrap()",
    ".expect(",
    "panic!(",
    "todo!(",
    "unimplemented!(",
    "assert!(",
    "assert_eq!(",
    "assert_ne!(",
    ".set_scale(",
    "from_utf8_unchecked_mut(",
    "let _ = ",
    "allow(clippy::arithmetic",
    "allow(clippy::unwrap",
    "allow(clippy::expect",
    "allow(clippy::panic",
    "allow(clippy::string_slice",
];

/// Decimals are added up by `money::sum()`; these are the types that may be summed up.
const SUMMED: [&str; 2] = [".sum::<i64>()", ".sum::<usize>()"];

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("pg_tests") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The code of a file without its comments and its tests, which stand at its end.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate();
    lines
        .take_while(|(_, line)| *line != "mod tests {")
        .map(|(n, line)| (n + 1, line.split("//").next().unwrap_or_default()))
}

fn is_forbidden(line: &str) -> bool {
    let is_debug_or_const = line.contains("debug_assert") || line.contains("const { assert!");
    let sums = [".sum(", ".sum::<", ".product("];
    let is_sum = sums.iter().any(|sum| line.contains(sum))
        && !SUMMED.iter().any(|allowed| line.contains(allowed));
    is_sum || !is_debug_or_const && FORBIDDEN.iter().any(|what| line.contains(what))
}

#[test]
fn nothing_outside_of_tests_panics() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for path in sources(&src) {
        if path.ends_with("no_panics.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        let lines = code(&text).filter(|(_, line)| is_forbidden(line));
        found.extend(lines.map(|(n, line)| format!("{}:{n}: {}", path.display(), line.trim())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_panics_is_found() {
    let text = "let a = b.unwrap();\nlet total: Decimal = all.sum();\nlet n = all.sum::<i64>();\n// panic!()\n";
    let found: Vec<usize> = code(text)
        .filter(|(_, line)| is_forbidden(line))
        .map(|(n, _)| n)
        .collect();
    assert_eq!(found, [1, 2]);
}
