//! What became of a transaction that a block contains.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec::Bounded;
use crate::crypto::{Domain, Hasher};
use crate::types::{Amount, Digest};

/// The result of one transaction of a block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Receipt {
    /// Hash of the transaction.
    pub transaction: Digest,
    pub outcome: Outcome,
}

impl Bounded for Receipt {
    const MAX_BYTES: usize = 128;
}

impl Receipt {
    /// The leaf of the receipt in its block's receipts root.
    pub fn hash(&self) -> Digest {
        Hasher::new(Domain::Receipt).value(self).finish()
    }
}

/// Whether a transaction did what it asked for. Either way its nonce is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Success,
    Failed(FailureReason),
}

impl Outcome {
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Success)
    }
}

/// Why a transaction changed nothing but its sender's nonce.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, thiserror::Error,
)]
#[serde(rename_all = "snake_case", tag = "code")]
pub enum FailureReason {
    #[error("balance {balance} is below {amount}")]
    InsufficientBalance { balance: Amount, amount: Amount },
    #[error("the key does not exist")]
    KeyNotFound,
    #[error("the key does not hold the expected value")]
    CompareMismatch,
    #[error("governance is not enabled on this chain")]
    GovernanceDisabled,
}

impl FailureReason {
    /// Names the reason for programs. These names never change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InsufficientBalance { .. } => "insufficient_balance",
            Self::KeyNotFound => "key_not_found",
            Self::CompareMismatch => "compare_mismatch",
            Self::GovernanceDisabled => "governance_disabled",
        }
    }
}
