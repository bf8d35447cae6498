//! The program in an environment of its own, and a network that ends with the test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longer than any command takes, on any machine.
const LIMIT_SECONDS: &str = "600";
/// How long what a test waits for may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// One network at a time: two would be each other's load.
static MACHINE: Mutex<()> = Mutex::new(());

/// A home directory of its own for everything that is run.
pub(crate) struct Testnet {
    home: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// What a run ended in.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Testnet {
    /// No network yet.
    pub(crate) fn new() -> Self {
        let alone = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        Self { home: tempfile::tempdir().expect("a temporary directory"), _alone: alone }
    }

    /// Four validators that make blocks.
    pub(crate) fn up() -> Self {
        let testnet = Self::new();
        testnet.run(&["up", "--detach"]).assert_succeeds();
        testnet
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.home.path().join(".catamaran/testnet")
    }

    /// A program of this workspace: all lie beside each other.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let path = Path::new(env!("CARGO_BIN_EXE_testnet")).with_file_name(program);
        assert!(path.exists(), "{} is not built: run `make build`", path.display());
        // Kills what hangs, and ends by a signal itself.
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", LIMIT_SECONDS]).arg(path).args(arguments);
        command.env_clear().env("HOME", self.home.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        finish(&mut self.command("testnet", arguments))
    }

    /// Starts a command that goes on meanwhile.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command("testnet", arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    }

    /// Another program of this workspace.
    pub(crate) fn program(&self, program: &str, arguments: &[&str]) -> Run {
        finish(&mut self.command(program, arguments))
    }

    /// Starts another program that goes on meanwhile, and says nothing.
    pub(crate) fn spawn_program(&self, program: &str, arguments: &[&str]) -> Child {
        let mut command = self.command(program, arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
    }

    /// The wallet, as the owner of the funded account with this number.
    pub(crate) fn wallet(&self, account: usize, arguments: &[&str]) -> Run {
        let key = self.dir().join(format!("accounts/account{account}.json"));
        let mut all = arguments.to_vec();
        all.extend(["--json", "--key-file", key.to_str().expect("text")]);
        finish(&mut self.command("wallet-cli", &all))
    }

    /// Address of a funded account.
    pub(crate) fn address(&self, account: usize) -> String {
        let path = self.dir().join(format!("accounts/account{account}.json"));
        let text = std::fs::read_to_string(path).expect("an account");
        let account: Value = serde_json::from_str(&text).expect("JSON");
        account["address"].as_str().expect("an address").to_owned()
    }

    pub(crate) fn status(&self) -> Value {
        self.run(&["status", "--json"]).json()
    }

    /// Asks for the status again and again until `wanted` holds of it.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if wanted(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}: {status:#}");
        }
    }

    /// Waits until all validators stand at one height with one state.
    pub(crate) fn wait_until_equal(&self) -> Value {
        self.wait_for("equal validators", |status| {
            let nodes = nodes(status);
            let state = |node: &Value| (node["height_final"].clone(), node["state_root"].clone());
            nodes
                .iter()
                .all(|node| node["height_final"].is_u64() && state(node) == state(&nodes[0]))
        })
    }
}

impl Drop for Testnet {
    fn drop(&mut self) {
        if self.dir().join("testnet.json").exists() {
            let down = self.run(&["down"]);
            if !std::thread::panicking() {
                down.assert_succeeds();
            }
        }
    }
}

/// The validators of a status.
pub(crate) fn nodes(status: &Value) -> &Vec<Value> {
    status["nodes"].as_array().expect("a list")
}

pub(crate) fn finish(command: &mut Command) -> Run {
    ended(command.output().expect("it starts"), command)
}

fn ended(output: Output, command: &Command) -> Run {
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    let Some(code) = output.status.code() else {
        panic!("{command:?} did not end within {LIMIT_SECONDS} s: {stdout:?}, {stderr:?}");
    };
    Run { code, stdout, stderr }
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
