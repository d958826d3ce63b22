//! What the documents say of functions, tables, checks and rights, compared with the catalog.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;

use crate::DATABASE;
use crate::markdown::{document, documents, first_cells, table};
use crate::support::Cluster;
use crate::support::check::{run, value};

fn texts(client: &mut Client, sql: &str) -> BTreeSet<String> {
    let rows = client
        .query(sql, &[])
        .unwrap_or_else(|error| panic!("{sql}\n{error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
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
    let reference = document("docs/reference.md");
    let entries = reference.section("## Functions").split("\n### `").skip(1);
    entries
        .map(|entry| {
            let (name, text) = entry.split_once('`').expect("a name");
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
fn the_reference_is_the_catalog() {
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

    let reference = document("docs/reference.md");
    let internal =
        format!("SELECT DISTINCT 'affiliate.' || f.name FROM ({FUNCTIONS}) f WHERE f.is_internal");
    assert_eq!(
        first_cells(reference.section("## Internal functions"), "function"),
        texts(&mut client, &internal),
        "internal functions"
    );
    assert_eq!(
        first_cells(reference.section("## Tables and views"), "name"),
        texts(
            &mut client,
            "SELECT 'affiliate.' || relname FROM pg_class
             WHERE relnamespace = 'affiliate'::regnamespace AND relkind IN ('r', 'v', 'p', 'm')"
        ),
        "tables and views"
    );

    // "its row of `affiliate.affiliate`: `id, …`"
    for text in reference.section("## Functions").split("row of `").skip(1) {
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
fn checks_and_rights_are_those_of_the_server() {
    let cluster = Cluster::start();
    let mut client = cluster.database_with_affiliate(DATABASE);
    assert_eq!(
        first_cells(document("docs/reference.md").section("## Checks"), "check"),
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
    let operating = document("docs/operating.md");
    let documented = table(operating.section("## Privileges"), "function");
    let documented: Vec<String> = documented.iter().map(|row| row.join(",")).collect();
    let granted = texts(&mut client, &granted);
    assert_eq!(documented.len(), granted.len(), "a function is there twice");
    assert_eq!(
        documented.into_iter().collect::<BTreeSet<_>>(),
        granted,
        "rights"
    );
}

#[test]
fn options_figures_and_columns_are_all_there() {
    let cluster = Cluster::start();
    let mut client = cluster.database_with_affiliate(DATABASE);
    const OPTIONS: &str = "
        SELECT unnest(p.proargnames) FROM pg_proc p
        WHERE p.proname = 'affiliate_attach_payments' EXCEPT SELECT 'payments'";
    let attaching = document("docs/attaching.md");
    // "on_delete => 'keep'" says which value to give
    let options = first_cells(attaching.section("## Options"), "option");
    let names = options
        .iter()
        .map(|option| option.split(" =>").next().expect("a name"));
    assert_eq!(
        names.map(str::to_owned).collect::<BTreeSet<_>>(),
        texts(&mut client, OPTIONS)
    );

    let watched = table(&document("docs/monitoring.md").text, "figure");
    // "one, with another or a third"
    let cells = watched.iter().flat_map(|row| row[0].split([' ', ',']));
    let names = cells.filter(|word| word.contains('_') || *word == "quarantined");
    assert_eq!(
        names.map(str::to_owned).collect::<BTreeSet<_>>(),
        columns_of(&mut client, "affiliate.operations")
    );

    let entries = first_cells(
        document("docs/reading.md").section("## The ledger"),
        "column",
    );
    let names = entries.iter().flat_map(|cell| cell.split(", "));
    assert_eq!(
        names.map(str::to_owned).collect::<BTreeSet<_>>(),
        columns_of(&mut client, "affiliate.commission")
    );
}

fn columns_of(client: &mut Client, relation: &str) -> BTreeSet<String> {
    let sql = format!(
        "SELECT attname::text FROM pg_attribute
         WHERE attrelid = '{relation}'::regclass AND attnum > 0 AND NOT attisdropped"
    );
    texts(client, &sql)
}

/// Names of files, which only look like relations.
const NO_OBJECTS: [&str; 2] = ["affiliate.control", "affiliate.so"];

#[test]
fn what_the_documents_name_exists() {
    let cluster = Cluster::start();
    let mut client = cluster.database_with_affiliate(DATABASE);
    // which defines its settings
    run(&mut client, "LOAD 'affiliate'");
    let known = texts(
        &mut client,
        &format!(
            "SELECT f.name || '(' FROM ({FUNCTIONS}) f WHERE NOT f.is_internal
             UNION SELECT 'affiliate.' || f.name FROM ({FUNCTIONS}) f WHERE f.is_internal
             UNION SELECT 'affiliate.' || c.relname FROM pg_class c WHERE c.relnamespace = 'affiliate'::regnamespace
             UNION SELECT name FROM pg_settings WHERE name LIKE 'affiliate.%'"
        ),
    );
    let is_of_name = |c: char| c.is_ascii_lowercase() || c == '_';
    for document in documents() {
        let to_come = "## What is not there yet";
        let text = match document.path.as_str() {
            "README.md" => document.text.replace(document.section(to_come), ""),
            _ => document.text,
        };
        for (prefix, end) in [("affiliate_", "("), ("affiliate.", "")] {
            for rest in text.split(prefix).skip(1) {
                let name = rest.split(|c| !is_of_name(c)).next().expect("a name");
                let whole = format!("{prefix}{name}{end}");
                let is_one = !name.is_empty() && rest[name.len()..].starts_with(end);
                let is_known = known.contains(&whole) || NO_OBJECTS.contains(&whole.as_str());
                assert!(
                    is_known || !is_one,
                    "{}: there is no {whole}",
                    document.path
                );
            }
        }
    }
}
