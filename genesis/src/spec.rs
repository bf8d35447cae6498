//! The genesis file: its fields, its text form and its hash.

use std::path::Path;

use bincode::Encode;
use chain::access::{AccessMode, Role};
use chain::block::Block;
use chain::crypto::{Domain, Hasher, PublicKey};
use chain::governance::Parameters;
use chain::quorum::Quorums;
use chain::types::{Address, Amount, Digest};
use consensus::engine::FaultModel;
use consensus::registry::EngineName;
use serde::{Deserialize, Serialize};

use crate::files::{self, FileError};

/// Everything that the validators of a chain must agree on before its first block.
///
/// Its JSON text may be formatted, and defaults may be left out, at will: [`Genesis::hash`] is
/// over the values.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// [`Genesis::FORMAT_VERSION`].
    pub format_version: u16,
    /// Name of the chain, for people.
    pub chain: String,
    /// Unix milliseconds; the first block is later.
    pub time_ms: u64,
    /// The protocol that orders blocks.
    pub engine: EngineName,
    #[serde(default)]
    pub consensus: ConsensusParameters,
    #[serde(default)]
    pub limits: Limits,
    /// Whether everybody may submit and connect, or those with a role alone.
    #[serde(default)]
    pub access: AccessMode,
    #[serde(default)]
    pub governance: GovernanceParameters,
    /// In the order of their index.
    pub validators: Vec<GenesisValidator>,
    /// Who owns what at the start, in any order.
    #[serde(default)]
    pub balances: Vec<GenesisBalance>,
    /// Who has which roles at the start, in any order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<GenesisRoles>,
}

/// Rules of governance at the start.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GovernanceParameters {
    /// Blocks for which a proposal stays open.
    pub proposal_lifetime: u32,
}

impl Default for GovernanceParameters {
    fn default() -> Self {
        Self { proposal_lifetime: Parameters::default().proposal_lifetime }
    }
}

/// The roles of an address at the start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisRoles {
    /// Of an account, or of the network key of an observer's node.
    pub address: Address,
    pub roles: Vec<Role>,
}

/// Settings of the engine that every validator shares.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsensusParameters {
    /// Byzantine validators tolerated; left out: as many as the engine and the number of
    /// validators allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_faulty: Option<u16>,
    /// Smallest view timeout, in milliseconds.
    pub timeout_min_ms: u64,
    /// Largest view timeout, in milliseconds: the cap of every back-off.
    pub timeout_max_ms: u64,
    /// Pause between two signs of life of an idle leader, in milliseconds.
    pub heartbeat_ms: u64,
    /// How long a block with a quorum waits for the fast quorum, in milliseconds.
    pub grace_ms: u64,
    /// Shortest time between two proposals while blocks are in flight, in milliseconds.
    pub block_interval_ms: u64,
    /// Waiting transactions that are worth a block before the block interval is over.
    pub batch: u32,
    /// Most blocks above the highest certificate.
    pub pipeline: u32,
}

impl Default for ConsensusParameters {
    fn default() -> Self {
        Self {
            max_faulty: None,
            timeout_min_ms: 500,
            timeout_max_ms: 8_000,
            heartbeat_ms: 100,
            grace_ms: 10,
            block_interval_ms: 5,
            batch: 256,
            pipeline: 8,
        }
    }
}

/// How large the blocks are that a leader builds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Most transactions in one block.
    pub block_transactions: u32,
    /// Most bytes of transactions in one block.
    pub block_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            block_transactions: Block::MAX_TRANSACTIONS as u32,
            block_bytes: Block::MAX_TRANSACTION_BYTES as u32,
        }
    }
}

/// A validator of the first epoch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisValidator {
    /// For people.
    pub name: String,
    /// Signs proposals, votes and view changes.
    pub consensus_key: PublicKey,
    /// Identity of its node on the network.
    pub network_key: PublicKey,
    /// Signs its approvals of governance changes.
    pub governance_key: PublicKey,
}

/// What an account owns at the start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisBalance {
    pub address: Address,
    /// Of the smallest unit, as a decimal text.
    pub amount: Amount,
}

/// A genesis file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("not a genesis file: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Genesis {
    /// The version of the file format that this program reads and writes.
    pub const FORMAT_VERSION: u16 = 2;
    /// Largest genesis file, in bytes.
    pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

    /// Reads a genesis from its JSON text. Says nothing of whether it makes sense: see
    /// [`Genesis::validate`].
    ///
    /// # Errors
    /// [`GenesisError::Malformed`] with line and column.
    pub fn from_json(text: &[u8]) -> Result<Self, GenesisError> {
        Ok(serde_json::from_slice(text)?)
    }

    /// The readable text of the file.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("a genesis has only text, numbers and lists, which JSON can always hold");
        text.push('\n');
        text
    }

    /// Reads a genesis file. Says nothing of whether it makes sense: see [`Genesis::validate`].
    ///
    /// # Errors
    /// [`GenesisError`] where it is missing, too large or malformed.
    pub fn read(path: &Path) -> Result<Self, GenesisError> {
        Self::from_json(&files::read(path, Self::MAX_FILE_BYTES)?)
    }

    /// The chain id, and the hash of block 0.
    ///
    /// Over the canonical encoding of the values, with defaults filled in and balances in the
    /// order of their addresses. So texts that mean the same chain have the same hash.
    pub fn hash(&self) -> Digest {
        let mut canonical = self.clone();
        canonical.consensus.max_faulty = Some(self.max_faulty());
        canonical.balances.sort();
        canonical.roles.sort();
        for entry in &mut canonical.roles {
            entry.roles.sort_unstable();
        }
        Hasher::new(Domain::Genesis).value(&canonical).finish()
    }

    /// The rules that governance may change, as they are at the start.
    pub fn parameters(&self) -> Parameters {
        Parameters {
            crash_only: self.engine.fault_model() == FaultModel::Crash,
            access: self.access,
            proposal_lifetime: self.governance.proposal_lifetime,
            block_transactions: self.limits.block_transactions,
            block_bytes: self.limits.block_bytes,
        }
    }

    /// How many Byzantine validators the chain is to tolerate.
    pub fn max_faulty(&self) -> u16 {
        self.consensus.max_faulty.unwrap_or_else(|| match self.engine.fault_model() {
            FaultModel::Crash => 0,
            FaultModel::Byzantine => {
                let most = Quorums::default_max_faulty(self.validators.len());
                u16::try_from(most).unwrap_or(u16::MAX)
            }
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
