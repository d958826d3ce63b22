//! The documents, read as far as the tests need it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// A document, by its path from the root of the repository.
pub struct Document {
    pub path: String,
    pub text: String,
}

/// A fenced block.
pub struct Block {
    pub line: usize,
    pub info: String,
    pub body: String,
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The names in a directory below the root, in order.
pub fn names_in(directory: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(directory)).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .map(|name| name.into_string().expect("a UTF-8 name"))
        .collect()
}

/// Every document of the repository: those at its root, and the guides.
pub fn documents() -> Vec<Document> {
    let mut documents = Vec::new();
    for directory in ["", "docs/"] {
        let names = names_in(directory).into_iter();
        for name in names.filter(|name| name.ends_with(".md")) {
            documents.push(document(&format!("{directory}{name}")));
        }
    }
    assert!(documents.len() > 10, "the documents are not found");
    documents
}

pub fn document(path: &str) -> Document {
    Document {
        path: path.to_owned(),
        text: read(path),
    }
}

/// A file of the repository.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

impl Document {
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut open = false;
        for (number, line) in self.text.lines().enumerate() {
            match line.strip_prefix("```") {
                Some(info) if !open => {
                    open = true;
                    blocks.push(Block {
                        line: number + 1,
                        info: info.to_owned(),
                        body: String::new(),
                    });
                }
                Some(_) => open = false,
                None if open => {
                    let block = blocks.last_mut().expect("an open block");
                    block.body += line;
                    block.body.push('\n');
                }
                None => {}
            }
        }
        assert!(!open, "{}: a block is not closed", self.path);
        blocks
    }

    /// A part from its heading to the next one of the same or a higher level.
    pub fn section(&self, heading: &str) -> &str {
        let level = heading.chars().take_while(|c| *c == '#').count();
        let start = self
            .text
            .find(&format!("\n{heading}\n"))
            .unwrap_or_else(|| panic!("{}: no heading {heading:?}", self.path))
            + 1;
        let rest = &self.text[start + heading.len()..];
        let end = (1..=level)
            .filter_map(|n| rest.find(&format!("\n{} ", "#".repeat(n))))
            .min();
        &rest[..end.unwrap_or(rest.len())]
    }

    /// What a link may name after `#`, as GitHub makes it of the headings.
    pub fn anchors(&self) -> BTreeSet<String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut anchors = BTreeSet::new();
        let headings = self.text.lines().filter(|line| line.starts_with('#'));
        for heading in headings.filter_map(|line| line.trim_start_matches('#').strip_prefix(' ')) {
            let anchor: String = heading
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect();
            let count = seen.entry(anchor.clone()).or_default();
            anchors.insert(match *count {
                0 => anchor,
                n => format!("{anchor}-{n}"),
            });
            *count += 1;
        }
        anchors
    }

    /// Where its links lead.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        let links = self.text.split("](").skip(1);
        links.map(|link| link.split(')').next().expect("a target"))
    }

    /// What stands in backquotes within a line.
    pub fn quoted(&self) -> impl Iterator<Item = &str> {
        let lines = self.text.lines().filter(|line| !line.starts_with("```"));
        lines.flat_map(|line| line.split('`').skip(1).step_by(2))
    }

    /// The document or file that a link of this one names, by its path from the root.
    pub fn target(&self, file: &str) -> String {
        match (self.path.rsplit_once('/'), file.strip_prefix("../")) {
            (_, None) if file.is_empty() => self.path.clone(),
            (Some(_), Some(above)) => above.to_owned(),
            (Some((directory, _)), None) => format!("{directory}/{file}"),
            (None, _) => file.to_owned(),
        }
    }
}

/// The rows of the tables of a part whose heads begin with this cell, with backquotes removed.
pub fn table(part: &str, head: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut inside = false;
    for line in part.lines() {
        let Some(cells) = line.strip_prefix('|') else {
            inside = false;
            continue;
        };
        let cells: Vec<String> = cells
            .trim_end_matches('|')
            .split('|')
            .map(|cell| cell.trim().replace('`', ""))
            .collect();
        if cells[0] == head {
            inside = true;
        } else if inside && !cells[0].starts_with("---") {
            rows.push(cells);
        }
    }
    rows
}

/// The first cells of such rows, none of them twice.
pub fn first_cells(part: &str, head: &str) -> BTreeSet<String> {
    let mut cells = BTreeSet::new();
    for mut row in table(part, head) {
        let cell = row.remove(0);
        assert!(cells.insert(cell.clone()), "{cell:?} is there twice");
    }
    cells
}
