//! README.md says what the extension does: its SQL is run and the output compared, and its
//! tables are compared with the catalog and with the sources they describe.
//!
//! A ```` ```sql ```` block is run by psql, all of them in order in one database, and prints the
//! ```` ```text ```` block that follows it, if one does. ```` ```sql-example ```` is not run.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::process::Stdio;

use postgres::Client;
use serde_json::Value;
use support::check::{run, value};
use support::tools::client_program;
use support::{Cluster, refusal};

const README: &str = include_str!("../README.md");
const ERRORS: &str = include_str!("../src/server/error.rs");
const FAULTS: &str = include_str!("../src/rules/fault.rs");
const ROWS: &str = include_str!("../src/posting/row.rs");
const EXPLAIN: &str = include_str!("../src/proof/explain.rs");

const DATABASE: &str = "shop";

/// A fenced block.
struct Block {
    line: usize,
    info: &'static str,
    body: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in README.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(info) if !open => {
                open = true;
                blocks.push(Block {
                    line: number + 1,
                    info,
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
    assert!(!open, "a block is not closed");
    blocks
}

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

/// A part of the README from its heading to the next one of the same or a higher level.
fn section(heading: &str) -> &'static str {
    let level = heading.chars().take_while(|c| *c == '#').count();
    let start = README
        .find(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("no heading {heading:?}"))
        + 1;
    let rest = &README[start + heading.len()..];
    let end = (1..=level)
        .filter_map(|n| rest.find(&format!("\n{} ", "#".repeat(n))))
        .min();
    &rest[..end.unwrap_or(rest.len())]
}

/// The rows of the tables of a part whose heads begin with this cell, with backquotes removed.
fn table(part: &str, head: &str) -> Vec<Vec<String>> {
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

fn first_cells(part: &str, head: &str) -> BTreeSet<String> {
    table(part, head)
        .into_iter()
        .map(|mut row| row.remove(0))
        .collect()
}

fn texts(client: &mut Client, sql: &str) -> BTreeSet<String> {
    let rows = client
        .query(sql, &[])
        .unwrap_or_else(|error| panic!("{sql}\n{error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

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
fn its_sql_prints_what_it_says() {
    let cluster = Cluster::start();
    run(
        &mut cluster.connect(),
        &format!("CREATE DATABASE {DATABASE}"),
    );
    let blocks = blocks();
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
            let (line, sql) = (block.line, &block.body);
            differences.push(format!(
                "line {line}:\n{sql}--- says\n{expected}\n--- prints\n{printed}\n"
            ));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));

    // the example of affiliate_explain() is of this very database
    let mut client = cluster.connect_to(DATABASE);
    let explained = value(&mut client, "affiliate_explain('payments', 1)");
    let example = blocks.iter().find(|block| block.info == "json");
    let example = &example.expect("a json block").body;
    assert_eq!(first_entry(example), first_entry(&explained));
}

/// An answer of affiliate_explain() with its first entry alone, and without the time of that.
fn first_entry(answer: &str) -> Value {
    let mut answer: Value = serde_json::from_str(answer).expect("well-formed json");
    let entries = answer["entries"].as_array_mut().expect("entries");
    entries.truncate(1);
    assert!(entries[0]["posted_at"].take().is_string(), "posted_at");
    answer
}

/// A parameter or a column of a result: name, types, default.
type Described = (String, BTreeSet<String>, String);

fn types(list: &str) -> BTreeSet<String> {
    list.replace("timestamp with time zone", "timestamptz")
        .split(", ")
        .map(str::to_owned)
        .collect()
}

const FUNCTIONS: &str = "
    SELECT p.oid, p.proname::text AS name, n.nspname = 'affiliate' AS is_internal
    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        JOIN pg_proc p ON p.oid = d.objid JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass
        AND d.deptype = 'e' AND e.extname = 'affiliate'";

/// Parameters (mode `i`) or result columns (mode `t`) of the functions in the catalog, those of
/// one name put together.
fn in_catalog(client: &mut Client, mode: &str) -> BTreeMap<String, Vec<Described>> {
    let sql = format!(
        "SELECT f.name, a.name,
            string_agg(DISTINCT format_type(a.type, NULL), ', '),
            string_agg(DISTINCT coalesce(regexp_replace(
                pg_get_function_arg_default(f.oid, a.n::int), '::[][a-z ]+$', ''), 'required'), ', ')
         FROM ({FUNCTIONS}) f
            JOIN pg_proc p ON p.oid = f.oid
            LEFT JOIN LATERAL unnest(p.proargnames,
                coalesce(p.proallargtypes, p.proargtypes::oid[]),
                coalesce(p.proargmodes, array_fill('i'::\"char\", ARRAY[coalesce(cardinality(p.proargnames), 0)])))
                WITH ORDINALITY AS a (name, type, mode, n) ON a.mode = '{mode}'
         WHERE NOT f.is_internal
         GROUP BY f.name, a.name ORDER BY f.name, min(a.n)"
    );
    let mut functions: BTreeMap<String, Vec<Described>> = BTreeMap::new();
    for row in client.query(&sql, &[]).expect("the catalog") {
        let described = functions.entry(row.get(0)).or_default();
        if let Some(name) = row.get::<_, Option<String>>(1) {
            let default = if mode == "i" { row.get(3) } else { "" };
            described.push((name, types(row.get(2)), default.to_owned()));
        }
    }
    functions
}

/// The same as the reference has it.
fn in_reference(head: &str) -> BTreeMap<String, Vec<Described>> {
    let entries = section("## Reference").split("\n### `").skip(1);
    entries
        .map(|entry| {
            let (name, text) = entry.split_once('`').expect("a name");
            // what comes after the functions has a plain heading
            let text = text.split("\n### ").next().unwrap_or(text);
            let described = table(text, head)
                .into_iter()
                .map(|row| {
                    let default = if head == "parameter" { &row[2] } else { "" };
                    (row[0].clone(), types(&row[1]), default.to_owned())
                })
                .collect();
            (name.to_owned(), described)
        })
        .collect()
}

#[test]
fn its_reference_is_the_catalog() {
    let cluster = Cluster::start();
    let mut client = cluster.database_with_affiliate(DATABASE);
    assert_eq!(
        in_reference("parameter"),
        in_catalog(&mut client, "i"),
        "parameters"
    );
    assert_eq!(
        in_reference("column"),
        in_catalog(&mut client, "t"),
        "results"
    );

    let internal =
        format!("SELECT DISTINCT 'affiliate.' || f.name FROM ({FUNCTIONS}) f WHERE f.is_internal");
    assert_eq!(
        first_cells(section("### Internal functions"), "function"),
        texts(&mut client, &internal),
        "internal functions"
    );
    assert_eq!(
        first_cells(section("### Tables and views"), "name"),
        texts(
            &mut client,
            "SELECT 'affiliate.' || relname FROM pg_class
             WHERE relnamespace = 'affiliate'::regnamespace AND relkind IN ('r', 'v', 'p', 'm')"
        ),
        "tables and views"
    );

    // "its row of `affiliate.affiliate`: `id, …`"
    for text in section("## Reference").split("row of `").skip(1) {
        let Some((relation, columns)) = text.split_once("`: `") else {
            continue;
        };
        if relation.contains('`') {
            continue;
        }
        let columns = columns.split('`').next().expect("columns");
        let sql = format!(
            "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
             WHERE attrelid = '{relation}'::regclass AND attnum > 0 AND NOT attisdropped"
        );
        assert_eq!(columns, value(&mut client, &sql), "{relation}");
    }
}

#[test]
fn its_checks_and_rights_are_those_of_the_server() {
    let cluster = Cluster::start();
    let mut client = cluster.database_with_affiliate(DATABASE);
    assert_eq!(
        first_cells(section("## Proof"), "check"),
        texts(&mut client, "SELECT check_name FROM affiliate_verify()"),
        "checks"
    );

    const KINDS: [&str; 4] = ["app", "reader", "operator", "admin"];
    for kind in KINDS {
        run(
            &mut client,
            &format!("CREATE ROLE {kind}; SELECT affiliate_grant('{kind}', '{kind}')"),
        );
    }
    let may: Vec<String> = KINDS
        .iter()
        .map(|kind| {
            // no function of a name may be forgotten
            format!(
                "CASE WHEN bool_and(has_function_privilege('{kind}', f.oid, 'EXECUTE')) THEN 'yes'
                     WHEN bool_or(has_function_privilege('{kind}', f.oid, 'EXECUTE')) THEN 'some'
                     ELSE '' END"
            )
        })
        .collect();
    let granted = format!(
        "SELECT concat_ws(',', f.name, {}) FROM ({FUNCTIONS}) f WHERE NOT f.is_internal GROUP BY f.name",
        may.join(", ")
    );
    let documented = table(section("## Privileges"), "function");
    assert_eq!(
        documented
            .iter()
            .map(|row| row.join(","))
            .collect::<BTreeSet<_>>(),
        texts(&mut client, &granted),
        "rights"
    );
}

#[test]
fn every_error_is_in_its_table() {
    let cluster = Cluster::start();
    let mut client = cluster.connect();
    let mut raised = BTreeSet::new();
    for error in ERRORS.split("Code::ERRCODE_").skip(1) {
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
    let documented: BTreeSet<String> = table(section("## Errors"), "SQLSTATE")
        .iter()
        .map(|row| format!("{} {}", row[0], row[1]))
        .collect();
    assert_eq!(documented, raised);
}

#[test]
fn every_reason_is_in_its_table() {
    let faults = literals_of_variants(FAULTS);
    assert!(faults.len() > 10, "fault.rs is read wrongly: {faults:?}");
    assert_eq!(
        first_cells(section("### Quarantine"), "reason"),
        faults,
        "reasons of quarantine"
    );

    let (_, nothing) = ROWS
        .split_once("Display for Nothing")
        .expect("the reasons of a row");
    let documented = first_cells(section("### affiliate_explain"), "reason");
    for reason in literals_of_variants(nothing) {
        assert!(documented.contains(&reason), "{reason:?} is missing");
    }
    for reason in documented {
        let source = reason.trim_end_matches('…');
        let is_there = [ROWS, EXPLAIN].iter().any(|text| text.contains(source));
        assert!(is_there, "nothing says {reason:?}");
    }
}

#[test]
fn its_links_lead_somewhere() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    let headings = README.lines().filter(|line| line.starts_with('#'));
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
    for link in README.split("](").skip(1) {
        let target = link.split(')').next().expect("a target");
        match target.strip_prefix('#') {
            Some(anchor) => assert!(anchors.contains(anchor), "no heading for #{anchor}"),
            None => {
                let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(target);
                assert!(path.exists(), "no file {target}");
            }
        }
    }
    // the sources that the money rules name
    for source in README.split("`src/").skip(1) {
        let name = source.split('`').next().expect("a path");
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src")
            .join(name);
        assert!(path.exists(), "no file src/{name}");
    }
}
