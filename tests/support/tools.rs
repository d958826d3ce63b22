//! PostgreSQL's client programs, run against a [`Cluster`].

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::cluster::{Cluster, bindir};

/// `program` with the connection parameters of the superuser of `cluster`.
pub fn client_program(cluster: &Cluster, program: &str) -> Command {
    let mut command = Command::new(bindir().join(program));
    command
        .env("PGHOST", cluster.dir())
        .env("PGPORT", cluster.port().to_string())
        .env("PGUSER", "postgres")
        .env_remove("PGDATABASE")
        .env_remove("PGOPTIONS")
        .stdin(Stdio::null());
    command
}

/// Runs a command that must succeed silently: a warning of pg_dump or pg_restore is a failure.
pub fn run_quietly(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(
        status.success() && stderr.is_empty(),
        "{command:?}: {status}\n{stderr}"
    );
    String::from_utf8(stdout).expect("UTF-8 output")
}

/// Runs an SQL script with psql, stopping at its first error.
pub fn psql_file(cluster: &Cluster, database: &str, file: &Path) {
    run_quietly(
        client_program(cluster, "psql")
            .args([
                "--no-psqlrc",
                "--quiet",
                "--set=ON_ERROR_STOP=1",
                "--output=/dev/null",
            ])
            .arg("--dbname")
            .arg(database)
            .arg("--file")
            .arg(file),
    );
}

/// `pg_dump` with further arguments; returns what it prints.
pub fn pg_dump(cluster: &Cluster, database: &str, arguments: &[&str]) -> String {
    run_quietly(
        client_program(cluster, "pg_dump")
            .args(arguments)
            .arg(database),
    )
}

/// `pg_restore` of an archive into an existing database.
pub fn pg_restore(cluster: &Cluster, database: &str, archive: &Path, arguments: &[&str]) {
    run_quietly(
        client_program(cluster, "pg_restore")
            .args(["--exit-on-error", "--dbname", database])
            .args(arguments)
            .arg(archive),
    );
}

/// A database as a script that can be compared. The key that newer versions of pg_dump wrap a
/// script in is random, so that it is left out; so are the numbers that the catalog of a
/// database gives to its tables and columns.
pub fn comparable_dump(cluster: &Cluster, database: &str) -> String {
    const NUMBERS: &[&str] = &["table_oid", "attnums", "paid_when_attnums"];
    let mut numbered: Vec<usize> = Vec::new();
    let mut script = String::new();
    for line in pg_dump(cluster, database, &[]).lines() {
        if line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ") {
            continue;
        }
        if let Some((_, columns)) = line
            .strip_prefix("COPY affiliate.")
            .and_then(|l| l.split_once('('))
        {
            let columns = columns.split(')').next().unwrap_or_default().split(", ");
            let found = columns
                .enumerate()
                .filter(|(_, name)| NUMBERS.contains(name));
            numbered = found.map(|(at, _)| at).collect();
            script.push_str(line);
        } else if line == "\\." || numbered.is_empty() {
            numbered.clear();
            script.push_str(line);
        } else {
            let values = line.split('\t').enumerate();
            let kept = values
                .filter(|(at, _)| !numbered.contains(at))
                .map(|(_, value)| value);
            script.push_str(&kept.collect::<Vec<_>>().join("\t"));
        }
        script.push('\n');
    }
    script
}

/// Fails with the first lines that differ.
pub fn assert_same_text(what: &str, left: &str, right: &str) {
    let mut pairs = left.lines().zip(right.lines()).enumerate();
    if let Some((number, (a, b))) = pairs.find(|(_, (a, b))| a != b) {
        panic!("{what} differ in line {}:\n{a}\n{b}", number + 1);
    }
    assert_eq!(
        left.lines().count(),
        right.lines().count(),
        "{what} differ in length"
    );
}
