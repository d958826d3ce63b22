//! The documents say what the extension does: their SQL is run and the output compared, and their
//! tables are compared with the catalog and with the sources they describe.
//!
//! Each document has a server of its own. A ```` ```sql ```` block is run by psql, all of a document
//! in order in one database, and prints the ```` ```text ```` block that follows it, if one does.
//! ```` ```sql-example ```` is not run.

#[path = "documents/catalog.rs"]
mod catalog;
#[path = "documents/markdown.rs"]
mod markdown;
#[path = "documents/sources.rs"]
mod sources;
mod support;

use std::io::{Read, Write};
use std::process::Stdio;

use markdown::{Document, document, documents, root};
use serde_json::Value;
use support::check::{run, value};
use support::tools::{client_program, psql_file};
use support::{Cluster, assert_verified};

const DATABASE: &str = "shop";

/// The documents whose SQL is run; one that loses all of it must not pass unnoticed.
const RUN: [&str; 9] = [
    "README.md",
    "docs/attaching.md",
    "docs/monitoring.md",
    "docs/operating.md",
    "docs/payouts.md",
    "docs/proof.md",
    "docs/reading.md",
    "docs/refunds.md",
    "docs/rules.md",
];

/// Blocks of these kinds are run, compared, or neither.
const INFOS: [&str; 5] = ["sql", "text", "sql-example", "sh", "json"];

/// README.md is what everybody reads; the rest is in guides.
const MOST_LINES: usize = 250;

/// Beginnings of words.
const BRITISH: [&str; 23] = [
    "programme",
    "behaviour",
    "colour",
    "favour",
    "honour",
    "catalogue",
    "centre",
    "cancelled",
    "cancelling",
    "labelled",
    "modelled",
    "licence",
    "enrols",
    "judgement",
    "recognis",
    "organis",
    "normalis",
    "initialis",
    "authoris",
    "serialis",
    "whilst",
    "grey",
    "towards",
];

/// What psql prints, errors included, in its order; without the blanks at the ends of lines.
fn psql(cluster: &Cluster, script: &str) -> String {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = client_program(cluster, "psql");
    command
        .args(["--no-psqlrc", "--quiet", "--dbname", DATABASE])
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(writer.try_clone().expect("a second end of the pipe"))
        .stderr(writer);
    let mut child = command.spawn().expect("psql");
    // the command holds ends of the pipe, which would never be at its end
    drop(command);
    let mut input = child.stdin.take().expect("the input of psql");
    input.write_all(script.as_bytes()).expect("a script");
    drop(input);
    let mut output = String::new();
    reader.read_to_string(&mut output).expect("UTF-8 output");
    child.wait().expect("the end of psql");
    without_trailing_blanks(&output)
}

fn without_trailing_blanks(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned()
}

#[test]
fn every_document_prints_what_it_says() {
    let mut differences = Vec::new();
    let mut run = Vec::new();
    for document in documents() {
        if document.blocks().iter().any(|block| block.info == "sql") {
            differences.extend(differences_of(&document));
            run.push(document.path);
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    run.sort();
    assert_eq!(run, RUN);
}

fn differences_of(document: &Document) -> Vec<String> {
    let cluster = Cluster::start();
    run(
        &mut cluster.connect(),
        &format!("CREATE DATABASE {DATABASE}"),
    );
    let blocks = document.blocks();
    let mut differences = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        if block.info != "sql" {
            continue;
        }
        let printed = psql(&cluster, &block.body);
        let expected = blocks
            .get(number + 1)
            .filter(|next| next.info == "text")
            .map(|next| without_trailing_blanks(&next.body));
        let is_wrong = match &expected {
            Some(expected) => *expected != printed,
            None => printed.contains("ERROR:"),
        };
        if is_wrong {
            let expected = expected.unwrap_or_else(|| "no error".to_owned());
            let (path, line, sql) = (&document.path, block.line, &block.body);
            differences.push(format!(
                "{path}, line {line}:\n{sql}--- says\n{expected}\n--- prints\n{printed}\n"
            ));
        }
    }

    // the example of affiliate_explain() is of this very database
    if let Some(example) = blocks.iter().find(|block| block.info == "json") {
        let mut client = cluster.connect_to(DATABASE);
        let explained = value(&mut client, "affiliate_explain('payments', 1)");
        assert_eq!(first_entry(&example.body), first_entry(&explained));
    }
    differences
}

#[test]
fn the_demo_plays_to_a_clean_end() {
    let cluster = Cluster::start();
    run(
        &mut cluster.connect(),
        &format!("CREATE DATABASE {DATABASE}"),
    );
    psql_file(&cluster, DATABASE, &root().join("docs/demo.sql"));
    assert_verified(&mut cluster.connect_to(DATABASE));
}

/// An answer of affiliate_explain() with its first entry alone, and without the time of that.
fn first_entry(answer: &str) -> Value {
    let mut answer: Value = serde_json::from_str(answer).expect("well-formed json");
    let entries = answer["entries"].as_array_mut().expect("entries");
    entries.truncate(1);
    assert!(entries[0]["posted_at"].take().is_string(), "posted_at");
    answer
}

#[test]
fn no_block_is_overlooked() {
    for document in documents() {
        let blocks = document.blocks();
        for (number, block) in blocks.iter().enumerate() {
            let at = format!("{}, line {}", document.path, block.line);
            assert!(INFOS.contains(&block.info.as_str()), "{at}: {}", block.info);
            let follows_sql = number > 0 && blocks[number - 1].info == "sql";
            assert!(
                block.info != "text" || follows_sql,
                "{at}: compared with nothing"
            );
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    for document in documents() {
        let path = &document.path;
        for link in document.links().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = document.target(file);
            assert!(root().join(&target).exists(), "{path}: no file {file}");
            if !anchor.is_empty() {
                let anchors = self::document(&target).anchors();
                assert!(anchors.contains(anchor), "{path}: no heading for {link}");
            }
        }
    }
}

#[test]
fn the_readme_is_short_and_leads_to_every_guide() {
    let readme = document("README.md");
    let lines = readme.text.lines().count();
    assert!(lines <= MOST_LINES, "README.md has {lines} lines");
    for guide in documents() {
        let is_linked = readme.links().any(|link| link == guide.path);
        assert!(
            is_linked || guide.path == "README.md",
            "README.md leads to no {}",
            guide.path
        );
    }
}

#[test]
fn the_spelling_is_american() {
    for document in documents() {
        let text = document.text.to_lowercase();
        for word in text.split(|c: char| !c.is_alphabetic()) {
            let british = BRITISH.iter().find(|british| word.starts_with(**british));
            assert_eq!(british, None, "{}: {word}", document.path);
        }
    }
}
