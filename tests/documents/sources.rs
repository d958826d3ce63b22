//! What the documents say of errors, reasons and the layout, compared with the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::markdown::{document, documents, first_cells, names_in, read, root, table};
use crate::support::{Cluster, refusal};

/// The string literals that a match of a source maps its variants to.
fn literals_of_variants(source: &str) -> BTreeSet<String> {
    source
        .lines()
        .filter_map(|line| {
            let literal = line.trim().strip_prefix("Self::")?.split_once("=> \"")?.1;
            Some(literal.split('"').next()?.to_owned())
        })
        .collect()
}

#[test]
fn every_error_is_in_its_table() {
    let cluster = Cluster::start();
    let mut client = cluster.connect();
    let mut raised = BTreeSet::new();
    let errors = read("src/server/error.rs");
    for error in errors.split("Code::ERRCODE_").skip(1) {
        let (condition, rest) = error.split_once(',').expect("a message");
        let message = rest.split('"').nth(1).expect("a message");
        let message = message.replace('{', "<").replace('}', ">");
        let condition = condition.to_lowercase();
        // the prefixes of classes 39 and 40 are no part of the names that PL/pgSQL knows
        let condition = condition.trim_start_matches("e_r_i_e_");
        let condition = condition.trim_start_matches("t_r_");
        let sql = format!("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{condition}'; END $$");
        let state = refusal(condition, client.batch_execute(&sql)).sqlstate;
        raised.insert(format!("{state} {message}"));
    }
    assert!(raised.len() > 40, "error.rs is read wrongly: {raised:?}");
    let documented: BTreeSet<String> = table(
        document("docs/reference.md").section("## Errors"),
        "SQLSTATE",
    )
    .iter()
    .map(|row| format!("{} {}", row[0], row[1]))
    .collect();
    assert_eq!(documented, raised);
}

#[test]
fn every_reason_is_in_its_table() {
    let proof = document("docs/proof.md");
    let faults = literals_of_variants(&read("src/rules/fault.rs"));
    assert!(faults.len() > 10, "fault.rs is read wrongly: {faults:?}");
    assert_eq!(
        first_cells(proof.section("## Quarantine"), "reason"),
        faults,
        "reasons of quarantine"
    );

    let (rows, explain) = (
        read("src/rules/eligibility.rs"),
        read("src/proof/explain.rs"),
    );
    let (_, nothing) = rows
        .split_once("Display for Nothing")
        .expect("the reasons of a row");
    let documented = first_cells(proof.section("## affiliate_explain"), "reason");
    for reason in literals_of_variants(nothing) {
        assert!(documented.contains(&reason), "{reason:?} is missing");
    }
    for reason in documented {
        let source = reason.trim_end_matches('…');
        let is_there = [&rows, &explain].iter().any(|text| text.contains(source));
        assert!(is_there, "nothing says {reason:?}");
    }
}

#[test]
fn the_layout_is_that_of_the_sources() {
    let architecture = document("docs/architecture.md");
    let layout = architecture.section("## Layout");
    for (head, directory) in [("src", "src"), ("sql", "sql")] {
        assert_eq!(
            first_cells(layout, head),
            names_in(directory),
            "{directory}"
        );
    }
    // a paragraph for each folder, in the order in which one may use another
    let (_, rooms) = read(".ci/rooms")
        .split_once("ROOMS = [")
        .map(|(before, after)| (before.to_owned(), after.to_owned()))
        .expect("the rooms");
    let rooms = rooms.split(']').next().expect("the rooms");
    let rooms: Vec<&str> = rooms.split('"').skip(1).step_by(2).collect();
    let described: Vec<&str> = layout
        .lines()
        .filter_map(|line| line.strip_prefix("### `src/")?.strip_suffix('`'))
        .collect();
    assert_eq!(described, rooms);
    let in_table = table(layout, "src").into_iter().map(|row| row[0].clone());
    let in_table: Vec<String> = in_table
        .filter(|name| rooms.contains(&name.as_str()))
        .collect();
    assert_eq!(in_table, rooms);
}

/// The paths of the sources below a directory.
fn sources(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push(path.to_str().expect("a UTF-8 path").to_owned());
        }
    }
    found
}

/// Whoever reads about an object in SQL knows where its code is.
#[test]
fn every_topic_of_sql_has_a_folder_or_a_file() {
    let root = root().join("src");
    let sources = sources(&root);
    let within = |path: &str| path.strip_prefix(root.to_str()?).map(str::to_owned);
    let sources: Vec<String> = sources.iter().filter_map(|path| within(path)).collect();
    let has_code = |topic: &str| {
        let (folder, file) = (format!("/{topic}/"), format!("/{topic}.rs"));
        sources
            .iter()
            .any(|path| path.contains(&folder) || path.ends_with(&file))
    };
    let parts = names_in("sql");
    assert!(parts.len() > 10, "{parts:?}");
    for part in parts {
        let topic = part.trim_end_matches(".sql").split_once('_');
        let (_, topic) = topic.expect("a number and a topic");
        assert!(has_code(topic), "{topic}");
    }
    assert!(!has_code("weather"));
}

/// Files are named by their path from the root or, in `src/`, by their name alone.
#[test]
fn every_file_that_is_named_exists() {
    const DIRECTORIES: [&str; 5] = ["src/", "sql/", "tests/", "docs/", ".ci/"];
    let sources = sources(&root().join("src"));
    for document in documents() {
        for name in document.quoted() {
            let is_pattern = name.contains(['<', '…', '*', ' ']);
            let is_path = DIRECTORIES.iter().any(|room| name.starts_with(room));
            if !is_pattern && is_path {
                assert!(root().join(name).exists(), "{}: no {name}", document.path);
            } else if !is_pattern && name.ends_with(".rs") {
                let is_there = sources
                    .iter()
                    .any(|path| path.ends_with(&format!("/{name}")));
                assert!(is_there, "{}: no {name}", document.path);
            }
        }
    }
}

#[test]
fn every_target_of_make_exists() {
    let makefile = read("Makefile");
    let rules = makefile.lines().filter_map(|line| line.split_once(':'));
    let targets: BTreeSet<&str> = rules.flat_map(|(names, _)| names.split(' ')).collect();
    let mut named = 0;
    for document in documents() {
        let commands = document
            .blocks()
            .into_iter()
            .filter(|block| block.info == "sh");
        let commands: String = commands.map(|block| block.body).collect();
        for command in document.quoted().chain(commands.lines()) {
            let Some(words) = command.strip_prefix("make ") else {
                continue;
            };
            // without settings, and what is said of it
            let words = words
                .split(" #")
                .next()
                .unwrap_or_default()
                .split_whitespace();
            for target in words.filter(|word| !word.contains('=')) {
                named += 1;
                assert!(
                    targets.contains(target),
                    "{}: no make {target}",
                    document.path
                );
            }
        }
    }
    assert!(named > 10, "the targets are not found");
}
