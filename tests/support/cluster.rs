//! A throw-away PostgreSQL cluster.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::error::SqlState;
use postgres::{Client, Config, NoTls};

use super::process::{
    Account, children_of, free_port, is_alive, remove_left_overs, scratch_dir, signal,
};

/// How long a server may take to come up or go down before the test fails; recovery of a busy
/// machine included.
const PATIENCE: Duration = Duration::from_secs(120);

/// The `bindir` of the installation under test.
pub fn bindir() -> &'static Path {
    static BINDIR: OnceLock<PathBuf> = OnceLock::new();
    BINDIR.get_or_init(|| {
        let pg_config = std::env::var_os("PG_CONFIG").map_or_else(newest_pg_config, PathBuf::from);
        let output = Command::new(&pg_config)
            .arg("--bindir")
            .output()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", pg_config.display()));
        assert!(
            output.status.success(),
            "{} --bindir failed",
            pg_config.display()
        );
        PathBuf::from(
            String::from_utf8(output.stdout)
                .expect("a UTF-8 path")
                .trim(),
        )
    })
}

/// Debian keeps every major version side by side; 15 is the one the extension supports first.
fn newest_pg_config() -> PathBuf {
    let mut majors: Vec<u32> = fs::read_dir("/usr/lib/postgresql")
        .expect("no /usr/lib/postgresql: install PostgreSQL or set PG_CONFIG")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|major| pg_config_of(*major).exists())
        .collect();
    majors.sort_by_key(|major| (*major == 15, *major));
    pg_config_of(
        *majors
            .last()
            .expect("no pg_config below /usr/lib/postgresql: set PG_CONFIG"),
    )
}

fn pg_config_of(major: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/postgresql/{major}/bin/pg_config"))
}

/// Settings of a cluster to be started.
#[derive(Default)]
pub struct Builder {
    settings: Vec<(String, String)>,
    loopback: bool,
}

impl Builder {
    /// Adds a line to `postgresql.conf`.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Listens on 127.0.0.1 besides the private socket, on a port that was free a moment ago.
    pub fn loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    /// Creates the cluster and starts its server.
    pub fn start(self) -> Cluster {
        remove_left_overs();
        let account = Account::for_servers();
        let dir = scratch_dir(&account);
        // Without TCP the port is only a part of the socket's name.
        let port = if self.loopback { free_port() } else { 5432 };
        let mut cluster = Cluster {
            dir,
            port,
            account,
            postmaster: None,
        };
        cluster.init(&self);
        cluster.restart();
        cluster
    }
}

/// A running (or killed) server with its data directory.
///
/// Start it in the test's own thread: when root starts a server, the server is told to stop when
/// the thread that started it ends, so that an aborted test run leaves none behind.
pub struct Cluster {
    dir: PathBuf,
    port: u16,
    account: Account,
    postmaster: Option<Child>,
}

impl Cluster {
    /// A server with the settings of [`Builder::default`].
    pub fn start() -> Cluster {
        Builder::default().start()
    }

    pub fn builder() -> Builder {
        Builder::default()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of the private socket; the data directory is below it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Connects as the superuser to `postgres`.
    pub fn connect(&self) -> Client {
        self.connect_as("postgres", "postgres")
    }

    pub fn connect_to(&self, database: &str) -> Client {
        self.connect_as("postgres", database)
    }

    pub fn connect_as(&self, role: &str, database: &str) -> Client {
        self.config(role, database)
            .connect(NoTls)
            .unwrap_or_else(|error| panic!("cannot connect as {role} to {database}: {error:?}"))
    }

    /// Connection parameters, for tests that add a notice callback or expect a refusal.
    pub fn config(&self, role: &str, database: &str) -> Config {
        let mut config = Config::new();
        config
            .host_path(&self.dir)
            .port(self.port)
            .user(role)
            .dbname(database)
            .application_name("affiliate test")
            .connect_timeout(Duration::from_secs(20));
        config
    }

    /// Makes a database with the extension in it and connects to it as the superuser.
    pub fn database_with_affiliate(&self, name: &str) -> Client {
        self.connect()
            .batch_execute(&format!("CREATE DATABASE \"{name}\""))
            .expect("a new database");
        let mut client = self.connect_to(name);
        client
            .batch_execute("CREATE EXTENSION affiliate")
            .unwrap_or_else(|error| {
                panic!(
                    "is the extension installed in {}? {error:?}",
                    bindir().display()
                )
            });
        client
    }

    /// `kill -9` of the postmaster and everything it started: no checkpoint, no clean-up.
    pub fn kill(&mut self) {
        let mut postmaster = self.postmaster.take().expect("a running server");
        // Backends outlive their postmaster until they next wait for something, so they are killed
        // too. A stopped postmaster starts no new ones while they are listed, and once it is dead
        // they are nobody's children.
        signal(postmaster.id(), "STOP");
        let backends = children_of(postmaster.id());
        postmaster.kill().expect("SIGKILL to the postmaster");
        postmaster.wait().expect("a dead postmaster");
        for pid in &backends {
            signal(*pid, "KILL");
        }
        let deadline = Instant::now() + PATIENCE;
        while backends.iter().any(|pid| is_alive(*pid)) {
            assert!(Instant::now() < deadline, "backends survive SIGKILL");
            sleep(Duration::from_millis(5));
        }
    }

    /// Starts the server on its data directory and waits until it takes connections.
    pub fn restart(&mut self) {
        assert!(self.postmaster.is_none(), "the server is running already");
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.postmaster = Some(self.spawn());
            match self.wait_until_ready(deadline) {
                Ok(()) => return,
                // The kernel may need a moment to drop the shared memory of killed backends.
                Err(log) if log.contains("pre-existing shared memory") => {
                    sleep(Duration::from_millis(50));
                }
                Err(log) => panic!("the server did not start:\n{log}"),
            }
        }
    }

    /// Stops the server in good order, with a checkpoint.
    pub fn stop(&mut self) {
        self.shut_down("INT");
    }

    /// The next OID that the server will give out. The server must be stopped.
    pub fn next_oid(&self) -> u32 {
        let text = self.offline("pg_controldata", &[]);
        let line = text
            .lines()
            .find(|line| line.contains("NextOID"))
            .expect("NextOID");
        line.rsplit(':')
            .next()
            .and_then(|oid| oid.trim().parse().ok())
            .expect("an OID")
    }

    /// Makes the server give out OIDs from this one on. The server must be stopped.
    pub fn set_next_oid(&self, oid: u32) {
        self.offline("pg_resetwal", &["--next-oid", &oid.to_string()]);
    }

    /// Runs a program that works on the data directory of a stopped server.
    fn offline(&self, program: &str, arguments: &[&str]) -> String {
        assert!(self.postmaster.is_none(), "the server is running");
        let output = self
            .account
            .command(&bindir().join(program))
            .args(arguments)
            .arg("-D")
            .arg(self.dir.join("data"))
            .env("LC_ALL", "C")
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {stderr}");
        String::from_utf8(output.stdout).expect("UTF-8 output")
    }

    /// Everything the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn init(&self, builder: &Builder) {
        let data = self.dir.join("data");
        let output = self
            .account
            .command(&bindir().join("initdb"))
            .arg("--pgdata")
            .arg(&data)
            .args(["--username=postgres", "--auth=trust", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C"])
            .output()
            .expect("initdb");
        assert!(
            output.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut conf = OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.conf"))
            .expect("postgresql.conf");
        let listen = if builder.loopback { "127.0.0.1" } else { "" };
        writeln!(
            conf,
            "port = {}\nlisten_addresses = '{listen}'\nunix_socket_directories = '{}'",
            self.port,
            self.dir.display()
        )
        .expect("postgresql.conf");
        // The machine survives these tests, so nothing is lost without fsync. A test that hangs
        // fails instead, long after any statement here should have ended.
        conf.write_all(
            b"fsync = off\nshared_buffers = '64MB'\nmax_connections = 60\n\
              timezone = 'UTC'\nstatement_timeout = '5min'\n\
              lc_messages = 'C'\nlog_line_prefix = '%m [%p] %e '\n",
        )
        .expect("postgresql.conf");
        for (name, value) in &builder.settings {
            writeln!(conf, "{name} = '{}'", value.replace('\'', "''")).expect("postgresql.conf");
        }
    }

    fn spawn(&self) -> Child {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("log"))
            .expect("a log file");
        self.account
            .command(&bindir().join("postgres"))
            .arg("-D")
            .arg(self.dir.join("data"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log)
            .spawn()
            .expect("postgres")
    }

    fn wait_until_ready(&mut self, deadline: Instant) -> Result<(), String> {
        let logged = self.log().len();
        loop {
            let child = self.postmaster.as_mut().expect("a spawned postmaster");
            if child
                .try_wait()
                .expect("the state of the postmaster")
                .is_some()
            {
                self.postmaster = None;
                return Err(self.log().split_off(logged));
            }
            match self.config("postgres", "postgres").connect(NoTls) {
                Ok(_) => return Ok(()),
                Err(error) => match error.code() {
                    None | Some(&SqlState::CANNOT_CONNECT_NOW) => {}
                    Some(_) => return Err(format!("{error:?}")),
                },
            }
            if Instant::now() > deadline {
                return Err(self.log().split_off(logged));
            }
            sleep(Duration::from_millis(20));
        }
    }

    fn shut_down(&mut self, how: &str) {
        let Some(mut postmaster) = self.postmaster.take() else {
            return;
        };
        signal(postmaster.id(), how);
        let deadline = Instant::now() + PATIENCE;
        while let Ok(None) = postmaster.try_wait() {
            if Instant::now() > deadline {
                self.postmaster = Some(postmaster);
                self.kill();
                return;
            }
            sleep(Duration::from_millis(10));
        }
    }
}

/// What the log tells of crashes, leaks and internal errors that no test has announced there.
fn complaints(log: &Path) -> String {
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/check-log");
    let output = Command::new(&check)
        .arg(log)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", check.display()));
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        return String::new();
    }
    format!("the server's log has\n{complaints}")
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if failed {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(40)..];
            eprintln!(
                "--- last lines of the server's log ---\n{}\n---",
                tail.join("\n")
            );
        }
        // Sessions that end in good order tell what goes wrong at their end.
        self.shut_down(if failed { "QUIT" } else { "INT" });
        let complaints = complaints(&self.dir.join("log"));
        let _ = fs::remove_dir_all(&self.dir);
        if failed {
            eprintln!("{complaints}");
        } else {
            assert!(complaints.is_empty(), "{complaints}");
        }
    }
}
