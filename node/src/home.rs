//! The home directory of a node: where its files are, and making one.
//!
//! ```text
//! config.toml           settings of this node
//! genesis.json          what all validators agreed on
//! keys/validator.json   signs proposals and votes     (mode 0600)
//! keys/network.json     identity among the peers      (mode 0600)
//! keys/governance.json  signs approvals; never read by the node, may be kept elsewhere
//! keys/next-….json      waits for the chain to name it
//! keys/old-….json       replaced
//! data/                 the database
//! ```

use std::path::{Path, PathBuf};

use chain::crypto::Keypair;
use chain::governance::KeyKind;
use genesis::Genesis;
use genesis::config::NodeConfig;
use genesis::files::{self, FileError};
use genesis::keyfile::{self, KeyFileError};
use genesis::spec::GenesisError;
use genesis::validate::Problems;

use crate::config::{self, ConfigError, Overrides};

/// A home directory. Says nothing of whether it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

/// The secrets of a node.
#[derive(Debug)]
pub struct Keys {
    /// Signs proposals and votes.
    pub validator: Keypair,
    /// Identity among the peers.
    pub network: Keypair,
}

/// A home that cannot be used, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    #[error("{0} is the home of a node already: choose another directory")]
    Exists(PathBuf),
    #[error("{0} is not the home of a node: make one with `node init --home {0}`")]
    Missing(PathBuf),
    #[error("{0} is missing: put the genesis file of your chain there")]
    NoGenesis(PathBuf),
    #[error("{path}: {error}")]
    Genesis { path: PathBuf, error: GenesisError },
    #[error("{path} makes no chain that can run: {problems}")]
    Problems { path: PathBuf, problems: Problems },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Key(#[from] KeyFileError),
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Home {
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    pub fn directory(&self) -> &Path {
        &self.0
    }

    pub fn config_path(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    pub fn genesis_path(&self) -> PathBuf {
        self.0.join("genesis.json")
    }

    pub fn validator_key_path(&self) -> PathBuf {
        self.0.join("keys").join("validator.json")
    }

    pub fn network_key_path(&self) -> PathBuf {
        self.0.join("keys").join("network.json")
    }

    /// The key in force.
    pub fn key_path(&self, kind: KeyKind) -> PathBuf {
        match kind {
            KeyKind::Consensus => self.validator_key_path(),
            KeyKind::Network => self.network_key_path(),
            KeyKind::Governance => self.0.join("keys").join("governance.json"),
        }
    }

    /// The key that is to replace it once the chain names it.
    pub fn next_key_path(&self, kind: KeyKind) -> PathBuf {
        self.0.join("keys").join(format!("next-{}.json", key_name(kind)))
    }

    /// Where a replaced key is kept.
    pub(crate) fn old_key_path(&self, kind: KeyKind, mark: &str) -> PathBuf {
        self.0.join("keys").join(format!("old-{}-{mark}.json", key_name(kind)))
    }

    pub fn data_path(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Makes a home with new keys and commented settings. What an interrupted attempt left behind
    /// is kept and completed: no key is ever replaced.
    ///
    /// # Errors
    /// [`HomeError::Exists`] where there is a complete one, and what the system said.
    pub fn create(&self, moniker: &str, genesis: Option<&Genesis>) -> Result<Keys, HomeError> {
        if self.config_path().exists() {
            return Err(HomeError::Exists(self.0.clone()));
        }
        files::create_private_directory(&self.0)?;
        files::create_private_directory(&self.0.join("keys"))?;
        files::create_private_directory(&self.data_path())?;
        let keys = Keys {
            validator: key_at(&self.validator_key_path())?,
            network: key_at(&self.network_key_path())?,
        };
        key_at(&self.key_path(KeyKind::Governance))?;
        if let Some(genesis) = genesis {
            self.add_genesis(genesis)?;
        }
        // Last: where it is, the rest is complete.
        let text = NodeConfig::new(moniker).to_commented_toml();
        files::create(&self.config_path(), text.as_bytes(), files::PUBLIC)?;
        Ok(keys)
    }

    fn add_genesis(&self, genesis: &Genesis) -> Result<(), HomeError> {
        let path = self.genesis_path();
        if path.exists() && read_genesis(&path)?.hash() == genesis.hash() {
            return Ok(());
        }
        Ok(files::create(&path, genesis.to_json().as_bytes(), files::PUBLIC)?)
    }

    /// The settings, with this process's environment and these flags over the file.
    ///
    /// # Errors
    /// [`HomeError::Missing`] where there is no home, [`HomeError::Config`] where a setting is
    /// wrong.
    pub fn config(&self, flags: &Overrides) -> Result<NodeConfig, HomeError> {
        if !self.config_path().exists() {
            return Err(HomeError::Missing(self.0.clone()));
        }
        Ok(config::load(&self.config_path(), environment(), flags)?)
    }

    /// The genesis, checked.
    ///
    /// # Errors
    /// [`HomeError`] where it is missing, malformed or makes no chain.
    pub fn genesis(&self) -> Result<Genesis, HomeError> {
        let path = self.genesis_path();
        if !path.exists() {
            return Err(HomeError::NoGenesis(path));
        }
        read_genesis(&path)
    }

    /// The secrets.
    ///
    /// # Errors
    /// [`HomeError::Key`] where a file is missing, damaged, or may be read by others.
    pub fn keys(&self) -> Result<Keys, HomeError> {
        Ok(Keys {
            validator: keyfile::read(&self.validator_key_path())?,
            network: keyfile::read(&self.network_key_path())?,
        })
    }
}

/// What the files of a key are called after.
const fn key_name(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Consensus => "validator",
        KeyKind::Network => "network",
        KeyKind::Governance => "governance",
    }
}

/// Reads a genesis file and checks that it makes a chain.
///
/// # Errors
/// [`HomeError::Genesis`] or [`HomeError::Problems`].
pub fn read_genesis(path: &Path) -> Result<Genesis, HomeError> {
    let genesis =
        Genesis::read(path).map_err(|error| HomeError::Genesis { path: path.to_owned(), error })?;
    genesis
        .validate()
        .map_err(|problems| HomeError::Problems { path: path.to_owned(), problems })?;
    Ok(genesis)
}

/// The key in a file; makes it where there is none.
///
/// # Errors
/// [`HomeError::Key`] where it cannot be read or written.
pub fn key_at(path: &Path) -> Result<Keypair, HomeError> {
    if path.exists() {
        return Ok(keyfile::read(path)?);
    }
    let key = keyfile::generate()?;
    keyfile::write(path, &key)?;
    Ok(key)
}

/// This process's environment, as far as it is text.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

#[cfg(test)]
mod tests;
