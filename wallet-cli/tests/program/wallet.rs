//! The program in an environment of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use chain::crypto::Keypair;
use serde_json::Value;
use tempfile::TempDir;

/// Longer than any command takes, on any machine.
const LIMIT_SECONDS: &str = "60";

/// A home directory, and the program run in it.
pub(crate) struct Wallet {
    home: TempDir,
    rpc: Option<String>,
}

/// What a run ended in.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Wallet {
    pub(crate) fn new(rpc: Option<&str>) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        Self { home, rpc: rpc.map(str::to_owned) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    /// A development key file, and its path.
    pub(crate) fn plain_key(&self, seed: u8) -> PathBuf {
        let path = self.path().join(format!("dev{seed}.json"));
        if !path.exists() {
            genesis::keyfile::write_unsafe_account(&path, &Keypair::from_seed(&[seed; 32]))
                .expect("written");
        }
        path
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_within(&[], arguments)
    }

    /// With another program, and its arguments, around it.
    pub(crate) fn command_within(&self, wrapper: &[&str], arguments: &[&str]) -> Command {
        // Kills what hangs, and ends by a signal itself.
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", LIMIT_SECONDS]).args(wrapper);
        command.arg(env!("CARGO_BIN_EXE_wallet-cli")).args(arguments);
        command.env_clear().env("HOME", self.path()).stdin(Stdio::null());
        if let Some(rpc) = &self.rpc {
            command.env("WALLET_RPC", rpc);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        finish(&mut self.command(arguments))
    }

    /// As the development account of `seed`.
    pub(crate) fn run_as(&self, seed: u8, arguments: &[&str]) -> Run {
        let key = self.plain_key(seed);
        let mut all = arguments.to_vec();
        all.extend(["--key-file", key.to_str().expect("text")]);
        self.run(&all)
    }
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

impl Run {
    /// The one object on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "one object on one line: {self:?}");
        serde_json::from_str(&self.stdout).expect("JSON")
    }

    /// Checks for one line on stderr, nothing on stdout but what came before, and the exit code.
    #[track_caller]
    pub(crate) fn assert_fails(&self, code: i32, expected: &str) {
        assert_eq!(self.code, code, "{self:?}");
        let mut errors = self.stderr.lines().filter(|line| line.starts_with("error: "));
        let error = errors.next().unwrap_or_else(|| panic!("no error line: {self:?}"));
        assert!(errors.next().is_none(), "one line: {self:?}");
        assert!(error.contains(expected), "{expected}: {self:?}");
        assert!(self.stderr.lines().all(|line| line.starts_with("error: ")), "{self:?}");
    }

    #[track_caller]
    pub(crate) fn assert_succeeds(&self) -> &Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}
