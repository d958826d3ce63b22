//! The processes of a server, and the directory they live in.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const PREFIX: &str = "affiliate-test-";

/// Who runs the servers: the caller, or, since PostgreSQL refuses root, another account.
pub struct Account(Option<(u32, u32)>);

impl Account {
    pub fn for_servers() -> Account {
        let me = fs::metadata("/proc/self").expect("/proc").uid();
        if me != 0 {
            return Account(None);
        }
        let name =
            std::env::var("AFFILIATE_TEST_OS_USER").unwrap_or_else(|_| String::from("postgres"));
        let (uid, gid) = (id("-u", &name), id("-g", &name));
        Account(Some((uid, gid)))
    }

    pub fn command(&self, program: &Path) -> Command {
        let mut command = match &self.0 {
            None => Command::new(program),
            Some((uid, gid)) => {
                // setpriv replaces itself by the program, so the child's id is the postmaster's.
                let mut command = Command::new("setpriv");
                command
                    .arg(format!("--reuid={uid}"))
                    .arg(format!("--regid={gid}"))
                    .args(["--clear-groups", "--pdeathsig=INT", "--"])
                    .arg(program)
                    .current_dir("/");
                command
            }
        };
        // No server in use has it; it puts backtraces into the errors' details.
        command.env_remove("RUST_BACKTRACE");
        command
    }
}

fn id(what: &str, name: &str) -> u32 {
    let output = Command::new("id").arg(what).arg(name).output().expect("id");
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap_or_else(|_| panic!("no account {name}: set AFFILIATE_TEST_OS_USER"))
}

/// A new directory that the account may write to.
pub fn scratch_dir(account: &Account) -> PathBuf {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("{PREFIX}{}-{number}", std::process::id()));
    fs::create_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    // Everybody may reach the socket: the client programs run as the caller.
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("permissions");
    if let Some((uid, gid)) = &account.0 {
        chown(&dir, Some(*uid), Some(*gid)).expect("a directory for the server's account");
    }
    dir
}

/// Directories of test runs that were killed before they could clean up.
pub fn remove_left_overs() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
        if owner.is_some_and(|pid| !is_alive(pid)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A port of the loopback interface that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Sends a signal by its name; a process that is gone already is what the caller wants.
pub fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

/// Parent and state of a process, from `/proc/PID/stat`; the name in it may contain anything.
fn parent_and_state(pid: u32) -> Option<(u32, char)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((fields.next()?.parse().ok()?, state))
}

/// A zombie holds neither memory nor locks; nobody may ever reap it in a container.
pub fn is_alive(pid: u32) -> bool {
    parent_and_state(pid).is_some_and(|(_, state)| !matches!(state, 'Z' | 'X'))
}

/// The processes that a process has started.
pub fn children_of(parent: u32) -> Vec<u32> {
    fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| parent_and_state(*pid).is_some_and(|(ppid, _)| ppid == parent))
        .collect()
}
