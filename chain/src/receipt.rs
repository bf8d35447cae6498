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
    /// Success: the key of the key-value store has this version now.
    Written {
        version: u64,
    },
}

impl Outcome {
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Success | Self::Written { .. })
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
    #[error("the namespace does not exist")]
    NamespaceNotFound,
    #[error("the namespace is taken, or keys below its name exist")]
    NamespaceTaken,
    #[error("only the owner of the namespace may change it")]
    NotNamespaceOwner,
    #[error("the rules of the namespace do not let this account write")]
    NotNamespaceWriter,
    #[error("the new key has not signed for this account")]
    KeyNotProven,
    #[error("the key belongs to another account")]
    KeyInUse,
    #[error(transparent)]
    Governance(#[from] GovernanceRefusal),
}

/// Why a transaction of governance changed nothing.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, thiserror::Error,
)]
#[serde(rename_all = "snake_case", tag = "refusal")]
pub enum GovernanceRefusal {
    #[error("the sender is not the governance key of a current validator")]
    NotAGovernor,
    #[error("there is no such proposal, or it is not open any more")]
    NoSuchProposal,
    #[error("the proposal expired")]
    Expired,
    #[error("this validator approved it already")]
    AlreadyApproved,
    #[error("this validator has an open proposal already: withdraw it first")]
    ProposalOpen,
    #[error("only the validator that proposed it may withdraw it")]
    NotTheProposer,
    #[error("no validator has this key")]
    UnknownValidator,
    #[error("a key is in use, or is no usable key")]
    BadKey,
    #[error("nothing would change")]
    NoChange,
    #[error("the set would have no validator, or more than are supported")]
    SetSize,
    #[error(
        "of {members} validators only {active} took part lately, and {needed} are needed: a change now would leave no slack"
    )]
    NoSlack { members: u16, active: u16, needed: u16 },
    #[error("another change of the validators is in flight: wait for its epoch")]
    ChangeInFlight,
    #[error("the proposal does not wait for this key, or has no quorum yet")]
    NotAwaited,
    #[error("the block that the joiner names is not one of the last {0}")]
    NotAtTip(u64),
    #[error("at most {0} validators may be jailed at a time")]
    TooManyJailed(u16),
    #[error("the value is outside of what is allowed")]
    BadParameter,
}

impl FailureReason {
    /// Names the reason for programs. These names never change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InsufficientBalance { .. } => "insufficient_balance",
            Self::KeyNotFound => "key_not_found",
            Self::CompareMismatch => "compare_mismatch",
            Self::NamespaceNotFound => "namespace_not_found",
            Self::NamespaceTaken => "namespace_taken",
            Self::NotNamespaceOwner => "not_namespace_owner",
            Self::NotNamespaceWriter => "not_namespace_writer",
            Self::KeyNotProven => "key_not_proven",
            Self::KeyInUse => "key_in_use",
            Self::Governance(refusal) => refusal.code(),
        }
    }
}

impl GovernanceRefusal {
    /// Names the reason for programs. These names never change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAGovernor => "not_a_governor",
            Self::NoSuchProposal => "no_such_proposal",
            Self::Expired => "proposal_expired",
            Self::AlreadyApproved => "already_approved",
            Self::ProposalOpen => "proposal_open",
            Self::NotTheProposer => "not_the_proposer",
            Self::UnknownValidator => "unknown_validator",
            Self::BadKey => "bad_key",
            Self::NoChange => "no_change",
            Self::SetSize => "set_size",
            Self::NoSlack { .. } => "no_slack",
            Self::ChangeInFlight => "change_in_flight",
            Self::NotAwaited => "not_awaited",
            Self::NotAtTip(_) => "not_at_tip",
            Self::TooManyJailed(_) => "too_many_jailed",
            Self::BadParameter => "bad_parameter",
        }
    }
}
