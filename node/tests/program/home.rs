//! The home of the only validator of a chain, and the program run on it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use chain::access::AccessMode;
use chain::types::{Amount, Digest};
use consensus::registry::EngineName;
use genesis::network::{DerivedAccounts, Plan, Ports};
use genesis::spec::{ConsensusParameters, Limits};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Longer than any command takes, on any machine.
const LIMIT_SECONDS: &str = "120";
/// How long what a test waits for may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Phrase of the funded account.
pub(crate) const SEED: &str = "program";

pub(crate) struct Home {
    directory: TempDir,
    pub(crate) chain_id: Digest,
}

/// What a run ended in.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A command of the program without a home.
pub(crate) fn command(arguments: &[&str]) -> Command {
    // Kills what hangs, and ends by a signal itself.
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", LIMIT_SECONDS, env!("CARGO_BIN_EXE_node")]).args(arguments);
    command.env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn finish(command: &mut Command) -> Run {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (stdout, stderr) = (text(stdout), text(stderr));
    let Some(code) = status.code() else {
        panic!("{command:?} did not end within {LIMIT_SECONDS} s: {stdout:?}, {stderr:?}");
    };
    Run { code, stdout, stderr }
}

impl Home {
    /// Complete, and nothing ran on it yet.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let plan = Plan {
            chain: "program".into(),
            engine: EngineName::Hybrid,
            time_ms: 1_700_000_000_000,
            consensus: ConsensusParameters::default(),
            limits: Limits::default(),
            access: AccessMode::Open,
            // Not used: the flags of a run ask for free ones.
            ports: vec![Ports { p2p: 1, rpc: 2 }],
            accounts: 0,
            derived: Some(DerivedAccounts { dev_seed: SEED.into(), count: 1 }),
            balance: Amount::new(1_000_000),
        };
        let network = genesis::network::create(&plan, &directory.path().join("net"));
        Self { directory, chain_id: network.expect("a network").chain_id }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("net/node0")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// A command of the program on this home.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command.env("NODE_HOME", self.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        finish(&mut self.command(arguments))
    }

    /// `node run` on ports that are free.
    pub(crate) fn node(&self) -> Command {
        let listen = ["--p2p-listen", "/ip4/127.0.0.1/tcp/0", "--rpc-listen", "127.0.0.1:0"];
        let mut command = self.command(&["run"]);
        command.args(listen);
        command
    }

    /// Starts the node; it may still be busy with that.
    pub(crate) fn spawn(&self) -> Running {
        let mut child = self.node().stderr(Stdio::piped()).spawn().expect("it starts");
        let log = BufReader::new(child.stderr.take().expect("piped"));
        let mut running = Running { child, log, pid: Pid::from_raw(0), said: String::new() };
        let lock = self.file("data/node.lock");
        let deadline = Instant::now() + PATIENCE;
        while running.pid.as_raw() == 0 {
            running.pid = Pid::from_raw(read_pid(&lock).unwrap_or(0));
            assert!(Instant::now() < deadline, "no process id in {}", lock.display());
            std::thread::sleep(Duration::from_millis(1));
        }
        running
    }
}

/// The process id in a lock file of a process that runs.
fn read_pid(lock: &Path) -> Option<i32> {
    // It is written with its line end at once.
    let pid = fs::read_to_string(lock).ok()?.strip_suffix('\n')?.parse().ok()?;
    kill(Pid::from_raw(pid), None).is_ok().then_some(pid)
}

/// A node that was started.
#[derive(Debug)]
pub(crate) struct Running {
    /// The watch over it.
    child: Child,
    log: BufReader<ChildStderr>,
    pub(crate) pid: Pid,
    /// The log so far.
    said: String,
}

impl Running {
    /// Waits until clients can connect; answers where.
    pub(crate) fn rpc_url(&mut self) -> String {
        loop {
            let start = self.said.len();
            let read = self.log.read_line(&mut self.said).expect("text");
            assert_ne!(read, 0, "it ended: {}", self.said);
            let line = &self.said[start..];
            if let Some((_, rest)) = line.split_once(" rpc ") {
                let address = rest.split(',').next().expect("an address");
                return format!("http://{address}");
            }
        }
    }

    /// Sends a signal and waits for the end; answers the exit code and the log.
    pub(crate) fn end(mut self, signal: Signal) -> (i32, String) {
        kill(self.pid, signal).expect("it runs");
        self.log.read_to_string(&mut self.said).expect("text");
        let status = self.child.wait().expect("it can be waited for");
        (status.code().expect("ended in time"), std::mem::take(&mut self.said))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed leaves no process behind; one that succeeded has none any more.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

impl Run {
    #[track_caller]
    pub(crate) fn assert_succeeds(&self) -> &Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    /// Checks for one line `error: …` that says this, and the exit code.
    #[track_caller]
    pub(crate) fn assert_fails(&self, code: i32, expected: &str) {
        assert_eq!(self.code, code, "{self:#?}");
        let mut errors = self.stderr.lines().filter(|line| line.starts_with("error: "));
        let error = errors.next().unwrap_or_else(|| panic!("no error line: {self:#?}"));
        assert!(errors.next().is_none() && error.contains(expected), "{expected}: {self:#?}");
    }

    /// The one object on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "one object on one line: {self:#?}");
        serde_json::from_str(&self.stdout).expect("JSON")
    }
}
