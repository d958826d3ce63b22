//! A crash, a leak or an internal error in a server's log fails the test that used the server,
//! whatever else the test asserts, unless the test has announced it there.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use postgres::Client;
use support::Cluster;

const INTERNAL_ERROR: &str = "DO $$ BEGIN RAISE 'broken' USING ERRCODE = 'XX000'; END $$";

fn announce(client: &mut Client, pattern: &str) {
    client
        .batch_execute(&format!(
            "DO $$ BEGIN RAISE LOG 'expected in the log: {pattern}'; END $$"
        ))
        .expect("a line in the log");
}

/// Kills the session's own backend as the kernel would, out of memory.
fn kill_backend(cluster: &Cluster, client: &mut Client) {
    let pid: i32 = client
        .query_one("SELECT pg_backend_pid()", &[])
        .expect("a backend")
        .get(0);
    let killed = Command::new("kill")
        .args(["-s", "KILL", &pid.to_string()])
        .status()
        .expect("kill");
    assert!(killed.success());
    while !cluster.log().contains("was terminated by signal 9") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
#[should_panic(expected = "was terminated by signal 9")]
fn a_crash_fails_the_test() {
    let cluster = Cluster::start();
    kill_backend(&cluster, &mut cluster.connect());
}

#[test]
#[should_panic(expected = "ERROR:  broken")]
fn an_internal_error_fails_the_test_though_it_was_caught() {
    let cluster = Cluster::start();
    assert!(cluster.connect().batch_execute(INTERNAL_ERROR).is_err());
}

#[test]
fn what_is_announced_does_not() {
    let cluster = Cluster::start();
    let mut client = cluster.connect();
    announce(&mut client, "^ERROR:  broken$");
    announce(&mut client, "by signal 9");
    assert!(client.batch_execute(INTERNAL_ERROR).is_err());
    kill_backend(&cluster, &mut client);
}

fn complains(name: &str, lines: &str) -> bool {
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&log, lines).expect("a log");
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/check-log"))
        .arg(&log)
        .output()
        .expect(".ci/check-log");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.is_empty(), output.status.success(), "{said}");
    !output.status.success()
}

#[test]
fn crashes_leaks_and_misused_memory_are_found_behind_any_prefix() {
    for prefix in [
        "2026-01-02 03:04:05.678 UTC [9] ",
        "[2026-01-02 03:04:05.678 UTC] [9] [6b0.4]: 00000 TMSG: ",
    ] {
        for message in [
            "PANIC:  could not locate a valid checkpoint record",
            "LOG:  server process (PID 7) was terminated by signal 11: Segmentation fault",
            "LOG:  background worker \"x\" (PID 7) was terminated by signal 6: Aborted",
            "WARNING:  relcache reference leak: relation \"entry\" not closed",
            "WARNING:  resource was not closed: relation \"entry\"",
            "WARNING:  TupleDesc reference leak: TupleDesc 0x1 (1,-1) still referenced",
            "WARNING:  buffer refcount leak: [001] (rel=base/1/2, blockNum=0, flags=0x0)",
            "WARNING:  transaction left non-empty SPI stack",
            "WARNING:  problem in alloc set SPI Proc: detected write past chunk end in block 0x1",
            "WARNING:  you don't own a lock of type RowExclusiveLock",
        ] {
            assert!(
                complains("message", &format!("{prefix}{message}\n")),
                "{message}"
            );
        }
    }
    for raw in [
        "TRAP: FailedAssertion(\"x\", File: \"y.c\", Line: 1, PID: 2)",
        "==12== Conditional jump or move depends on uninitialised value(s)",
        "**12** Invalid read of size 8",
        "free(): invalid pointer",
        "thread '<unnamed>' panicked at src/lib.rs:1:1:",
        "fatal runtime error: stack overflow",
    ] {
        assert!(complains("raw", &format!("{raw}\n")), "{raw}");
    }
}

#[test]
fn what_merely_speaks_of_crashes_is_none() {
    let log = "\
        2026-01-02 03:04:05.678 UTC [9] 42601 ERROR:  syntax error at or near \"PANIC\"\n\
        2026-01-02 03:04:05.678 UTC [9] 42601 STATEMENT:  SELECT 'PANIC:  at the disco',\n\
        \t'LOG:  server process (PID 7) was terminated by signal 11'\n\
        \tTRAP: x\n\
        2026-01-02 03:04:05.678 UTC [9] 01000 WARNING:  3 payments were not posted\n\
        2026-01-02 03:04:05.678 UTC [9] 57P01 FATAL:  terminating connection due to administrator command\n";
    assert!(!complains("harmless", log));
}
