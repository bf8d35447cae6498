//! What the validators decide together: the forms of proposals and approvals.
//!
//! `execute::governance` says what they do.

use std::fmt;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::access::{AccessMode, Role};
use crate::block::Block;
use crate::certificate::Signers;
use crate::crypto::PublicKey;
use crate::transaction::MAX_VALUE_BYTES;
use crate::types::{Address, Digest, Height};

/// Number of a proposal: 1 for the first of a chain.
pub type ProposalId = u64;

/// A transaction of governance. The first three are sent by the account of a current validator's
/// governance key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum GovernanceAction {
    /// Puts a change up for approval, and approves it.
    Propose {
        change: Change,
    },
    Approve {
        proposal: ProposalId,
    },
    /// By the validator that proposed it.
    Withdraw {
        proposal: ProposalId,
    },
    /// By the account of the consensus key that an approved proposal admits: its node holds the
    /// chain up to this final block, and takes part from the next epoch on.
    Ready {
        proposal: ProposalId,
        height: Height,
        block: Digest,
    },
}

/// What is to change. Validators are named by their consensus key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    AddValidator {
        candidate: Candidate,
    },
    RemoveValidator {
        validator: PublicKey,
    },
    RotateKey {
        validator: PublicKey,
        key: KeyKind,
        new_key: PublicKey,
    },
    /// It leads no view until it is pardoned; its votes still count.
    Jail {
        validator: PublicKey,
    },
    /// Takes back a jail sentence; evidence from before it does not count any more.
    Pardon {
        validator: PublicKey,
    },
    SetParameter {
        parameter: Parameter,
    },
    Grant {
        account: Address,
        role: Role,
    },
    Revoke {
        account: Address,
        role: Role,
    },
}

impl Change {
    /// The consensus key that is admitted by this, with its own `Ready`.
    pub const fn joiner(&self) -> Option<&PublicKey> {
        match self {
            Self::AddValidator { candidate } => Some(&candidate.consensus_key),
            Self::RotateKey { key: KeyKind::Consensus, new_key, .. } => Some(new_key),
            _ => None,
        }
    }
}

/// Who wants to become a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Candidate {
    pub consensus_key: PublicKey,
    pub network_key: PublicKey,
    pub governance_key: PublicKey,
}

/// Which key of a validator.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// The new key counts as a joiner: it is admitted with its own `Ready`.
    Consensus,
    Network,
    Governance,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Consensus => "consensus",
            Self::Network => "network",
            Self::Governance => "governance",
        })
    }
}

/// A rule of the chain that governance may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name", content = "value")]
pub enum Parameter {
    Access(AccessMode),
    /// Blocks for which a proposal stays open.
    ProposalLifetime(u32),
    /// Most transactions that a leader puts into a block.
    BlockTransactions(u32),
    /// Most bytes of transactions that a leader puts into a block.
    BlockBytes(u32),
}

/// The rules of a chain. [`Parameter`] names those that governance may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Parameters {
    /// Whether the engine tolerates crashes and nothing worse, for ever: no set claims to tolerate
    /// Byzantine validators then, and no certificate tells who takes part.
    pub crash_only: bool,
    pub access: AccessMode,
    pub proposal_lifetime: u32,
    pub block_transactions: u32,
    pub block_bytes: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            crash_only: false,
            access: AccessMode::Open,
            proposal_lifetime: 10_000,
            block_transactions: Block::MAX_TRANSACTIONS as u32,
            block_bytes: Block::MAX_TRANSACTION_BYTES as u32,
        }
    }
}

impl Parameters {
    /// Fewest bytes that a block may be limited to: room for the largest transaction, or it would
    /// wait for ever.
    pub const MIN_BLOCK_BYTES: u32 = 2 * MAX_VALUE_BYTES as u32 + 1024;
    /// Longest life of a proposal, in blocks.
    pub const MAX_PROPOSAL_LIFETIME: u32 = 10_000_000;

    /// Every value that is outside of what is allowed, one line each.
    pub fn problems(&self) -> Vec<String> {
        let rows = [
            ("proposal_lifetime", self.proposal_lifetime, 1, Self::MAX_PROPOSAL_LIFETIME),
            ("block_transactions", self.block_transactions, 1, Block::MAX_TRANSACTIONS as u32),
            (
                "block_bytes",
                self.block_bytes,
                Self::MIN_BLOCK_BYTES,
                Block::MAX_TRANSACTION_BYTES as u32,
            ),
        ];
        let outside =
            rows.iter().filter(|(_, value, least, most)| !(least..=most).contains(&value));
        outside
            .map(|(name, value, least, most)| format!("{name} is {value}, not {least} to {most}"))
            .collect()
    }

    /// These with one of them changed.
    #[must_use]
    pub const fn with(mut self, parameter: Parameter) -> Self {
        match parameter {
            Parameter::Access(access) => self.access = access,
            Parameter::ProposalLifetime(blocks) => self.proposal_lifetime = blocks,
            Parameter::BlockTransactions(most) => self.block_transactions = most,
            Parameter::BlockBytes(most) => self.block_bytes = most,
        }
        self
    }
}

/// A proposal as the state keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Proposal {
    pub id: ProposalId,
    pub change: Change,
    /// Consensus key of the validator that proposed it.
    pub proposer: PublicKey,
    pub proposed_at: Height,
    /// Last height at which it may be approved.
    pub expires: Height,
    /// Consensus keys of those who approved, the proposer's first.
    pub approvals: Vec<PublicKey>,
    pub status: ProposalStatus,
}

impl Proposal {
    /// Whether it may still pass at this height.
    pub fn is_open(&self, height: Height) -> bool {
        self.status.is_open() && height <= self.expires
    }
}

/// What became of a proposal. One that is open past its expiry has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum ProposalStatus {
    Open,
    /// A quorum approved; the joiner's `Ready` is missing.
    AwaitsReady,
    Executed {
        height: Height,
    },
    /// By its proposer, or because its proposer is no validator any more.
    Withdrawn {
        height: Height,
    },
}

impl ProposalStatus {
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::AwaitsReady)
    }
}

/// Where governance stands: which proposals have a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct GovernanceRecord {
    /// Number of the newest proposal; 0: there was none.
    pub newest: ProposalId,
    /// Those that may still pass, and expired ones that nobody swept up yet. Ascending; at most
    /// one of each validator.
    pub open: Vec<ProposalId>,
    /// The last [`CLOSED_PROPOSALS`] others, in the order in which they were closed.
    pub closed: Vec<ProposalId>,
}

/// How many proposals keep their record after they were closed.
pub const CLOSED_PROPOSALS: usize = 64;

/// What the state remembers of one of the last blocks: proof for joiners that they are at the tip,
/// and who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct RecentBlock {
    pub height: Height,
    pub hash: Digest,
    /// Who signed the certificate that the block carries, if it carries one.
    pub signers: Option<Signers>,
}

/// How many of the last blocks the state remembers.
pub const RECENT_BLOCKS: u64 = 64;
