//! The greatest height that this wallet has seen proven, for each chain.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chain::types::{Digest, Height};
use genesis::files;

use crate::failure::{Failure, Outcome};

/// More than a wallet of many chains needs.
const MAX_BYTES: u64 = 64 * 1024;

/// A small file in the wallet's directory.
#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    chain: Digest,
}

impl Memory {
    pub(super) fn below(home: &Path, chain: Digest) -> Self {
        Self { path: home.join("verified.json"), chain }
    }

    /// What was seen; 0 where nothing was.
    pub(super) fn highest(&self) -> Outcome<Height> {
        Ok(self.read()?.get(&self.chain.to_string()).copied().unwrap_or_default())
    }

    /// Takes note of a proven height. Two wallets at one time may forget the greater of two: both
    /// were proven.
    pub(super) fn remember(&self, height: Height) -> Outcome<()> {
        let mut all = self.read()?;
        let seen = all.entry(self.chain.to_string()).or_default();
        if height <= *seen {
            return Ok(());
        }
        *seen = height;
        self.write(&all).map_err(|error| {
            Failure::bad_arguments(format!("cannot write {}: {error}", self.path.display()))
        })
    }

    fn read(&self) -> Outcome<BTreeMap<String, Height>> {
        if !self.path.exists() {
            return Ok(BTreeMap::new());
        }
        let bytes = files::read(&self.path, MAX_BYTES).map_err(Failure::bad_arguments)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let path = self.path.display();
            Failure::bad_arguments(format!(
                "{path} is damaged ({error}): without it, answers may be older than what you saw; \
                 delete it to begin anew"
            ))
        })
    }

    /// All or nothing: under another name first.
    fn write(&self, all: &BTreeMap<String, Height>) -> std::io::Result<()> {
        if let Some(directory) = self.path.parent() {
            files::create_private_directory(directory).map_err(std::io::Error::other)?;
        }
        let temporary = self.path.with_extension(format!("{}.tmp", std::process::id()));
        std::fs::write(&temporary, serde_json::to_string(all)?)?;
        std::fs::rename(&temporary, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_only_grow_and_chains_are_apart() {
        let home = tempfile::tempdir().unwrap();
        let one = Memory::below(&home.path().join("wallet"), Digest([1; 32]));
        let other = Memory::below(&home.path().join("wallet"), Digest([2; 32]));
        assert_eq!(one.highest().unwrap(), Height::new(0));
        for (height, highest) in [(5, 5), (3, 5), (9, 9)] {
            one.remember(Height::new(height)).unwrap();
            assert_eq!(one.highest().unwrap(), Height::new(highest));
        }
        assert_eq!(other.highest().unwrap(), Height::new(0));
        other.remember(Height::new(2)).unwrap();
        assert_eq!(one.highest().unwrap(), Height::new(9));
    }

    #[test]
    fn a_damaged_memory_is_told_and_not_replaced() {
        let home = tempfile::tempdir().unwrap();
        let memory = Memory::below(home.path(), Digest([1; 32]));
        std::fs::write(home.path().join("verified.json"), "{").unwrap();
        assert!(memory.highest().unwrap_err().message.contains("damaged"));
        assert!(memory.remember(Height::new(1)).is_err());
    }
}
