//! `testnet.json`: what commands need to know to find a testnet again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chain::types::Digest;
use consensus::policy::Policy;
use consensus::registry::EngineName;
use serde::{Deserialize, Serialize};

use super::process::ProcessId;

const FILE: &str = "testnet.json";
const VERSION: u32 = 1;

/// A testnet as its directory records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of this file's format.
    pub version: u32,
    pub engine: EngineName,
    /// How leaders choose their mode, in an engine that has two.
    #[serde(default)]
    pub policy: Policy,
    /// Hash of the genesis.
    pub chain_id: Digest,
    /// The developer accounts, relative to the directory.
    pub accounts: PathBuf,
    pub nodes: Vec<NodeEntry>,
    /// The groups that the network is cut into, as ordered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Vec<Vec<usize>>>,
    /// The dashboard's server that runs or ran last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboard: Option<DashboardEntry>,
}

/// A server of the dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DashboardEntry {
    pub port: u16,
    /// The process that serves.
    pub process: ProcessId,
    /// Whether it is a process of its own, which ends with the testnet.
    pub detached: bool,
}

impl DashboardEntry {
    /// Where a browser finds the page.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// One validator of a testnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeEntry {
    pub id: usize,
    /// Relative to the testnet's directory.
    pub home: PathBuf,
    pub rpc_port: u16,
    pub p2p_port: u16,
    /// The process that runs it or ran it last.
    pub process: Option<ProcessId>,
}

impl NodeEntry {
    /// Base address of its JSON-RPC.
    pub fn rpc(&self) -> String {
        format!("http://127.0.0.1:{}", self.rpc_port)
    }

    pub fn is_alive(&self) -> bool {
        self.process.is_some_and(ProcessId::is_alive)
    }

    /// Whether it runs and is not paused.
    pub fn is_responsive(&self) -> bool {
        self.process.is_some_and(|process| process.is_alive() && !process.is_paused())
    }
}

impl Manifest {
    pub fn new(
        engine: EngineName,
        chain_id: Digest,
        accounts: PathBuf,
        nodes: Vec<NodeEntry>,
    ) -> Self {
        let (policy, partition, dashboard) = (Policy::default(), None, None);
        Self { version: VERSION, engine, policy, chain_id, accounts, nodes, partition, dashboard }
    }

    /// Whether `dir` holds a testnet.
    pub fn exists(dir: &Path) -> bool {
        dir.join(FILE).exists()
    }

    /// # Errors
    /// Where the file is missing, damaged or of another version.
    pub fn load(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(FILE);
        let text = fs::read_to_string(&path).with_context(|| {
            format!("no testnet in {}: start one with `testnet up`", dir.display())
        })?;
        let manifest: Self = serde_json::from_str(&text).with_context(|| {
            format!("{} is damaged: remove {} and start anew", path.display(), dir.display())
        })?;
        if manifest.version != VERSION {
            bail!(
                "{} was written by another version of testnet: remove {} and start anew",
                path.display(),
                dir.display()
            );
        }
        Ok(manifest)
    }

    /// Replaces the file, never leaving half of one.
    ///
    /// # Errors
    /// Where the directory cannot be written.
    pub fn save(&self, dir: &Path) -> anyhow::Result<()> {
        write_whole(&dir.join(FILE), &serde_json::to_vec_pretty(self)?)
    }
}

/// The directory that commands use when they are not told one.
pub mod last {
    use super::*;

    fn state_dir() -> anyhow::Result<PathBuf> {
        if let Some(state) = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty()) {
            return Ok(PathBuf::from(state).join("catamaran"));
        }
        match std::env::var_os("HOME").filter(|path| !path.is_empty()) {
            Some(home) => Ok(PathBuf::from(home).join(".catamaran")),
            None => bail!("neither XDG_STATE_HOME nor HOME is set: give --dir"),
        }
    }

    /// Where `testnet up` puts a testnet by default.
    ///
    /// # Errors
    /// Where there is no home directory.
    pub fn default_dir() -> anyhow::Result<PathBuf> {
        Ok(state_dir()?.join("testnet"))
    }

    /// Makes `dir` the one that later commands mean.
    ///
    /// # Errors
    /// Where the state directory cannot be written.
    pub fn remember(dir: &Path) -> anyhow::Result<()> {
        let state = state_dir()?;
        fs::create_dir_all(&state)
            .with_context(|| format!("cannot make the directory {}", state.display()))?;
        write_whole(&state.join("last-testnet"), dir.as_os_str().as_encoded_bytes())
    }

    /// `dir`, or else the testnet started last.
    ///
    /// # Errors
    /// Where none was ever started.
    pub fn resolve(dir: Option<PathBuf>) -> anyhow::Result<PathBuf> {
        if let Some(dir) = dir {
            return Ok(dir);
        }
        let path = state_dir()?.join("last-testnet");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(PathBuf::from(text)),
            Err(_) => bail!("no testnet was started yet: start one with `testnet up`"),
        }
    }
}

/// Replaces a file, never leaving half of one.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let write = || -> std::io::Result<()> {
        fs::File::create(&temporary)?.write_all(bytes)?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Manifest {
        let node = NodeEntry {
            id: 0,
            home: "node0".into(),
            rpc_port: 20_000,
            p2p_port: 20_001,
            process: Some(ProcessId { pid: 7, started: 9 }),
        };
        Manifest::new(EngineName::Hybrid, Digest([7; 32]), "accounts.json".into(), vec![node])
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        assert!(!Manifest::exists(dir.path()));
        example().save(dir.path()).expect("saved");
        assert_eq!(Manifest::load(dir.path()).expect("loaded"), example());
    }

    #[test]
    fn a_missing_testnet_tells_what_to_do() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let error = Manifest::load(dir.path()).expect_err("there is none").to_string();
        assert!(error.contains("testnet up"), "{error}");
    }

    #[test]
    fn another_version_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Manifest { version: VERSION + 1, ..example() }.save(dir.path()).expect("saved");
        let error = Manifest::load(dir.path()).expect_err("refused").to_string();
        assert!(error.contains("another version"), "{error}");
    }
}
