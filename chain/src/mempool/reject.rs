//! Why the pool does not take a transaction.

use crate::transaction::MalformedTransaction;
use crate::types::{Amount, Height};

/// What to tell whoever submitted it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RejectReason {
    #[error(transparent)]
    Malformed(#[from] MalformedTransaction),
    #[error("it expired at height {expiry}, the chain is at {height}")]
    Expired { expiry: Height, height: Height },
    #[error("it expires at height {expiry}, more than {max} above the last final one ({height})")]
    ExpiryTooFar { expiry: Height, height: Height, max: u64 },
    #[error("it is waiting already")]
    Duplicate,
    #[error("nonce {nonce} was already used (next is {next})")]
    NonceUsed { nonce: u64, next: u64 },
    #[error("nonce {nonce} is too far ahead (next is {next}, at most {max} may wait)")]
    NonceGap { nonce: u64, next: u64, max: u64 },
    #[error("another transaction with nonce {nonce} is waiting")]
    NonceWaiting { nonce: u64 },
    #[error("it is not signed with the key of its account")]
    WrongKey,
    #[error("its sender has not the role of a member, which this chain asks for")]
    NotAMember,
    #[error("balance {balance} is below {amount}")]
    InsufficientBalance { balance: Amount, amount: Amount },
    #[error("{max} transactions of this sender are waiting already")]
    SenderFull { max: usize },
    #[error("the pool is full")]
    PoolFull,
}

impl RejectReason {
    /// Names the reason for programs. These names never change.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(MalformedTransaction::OtherChain(_)) => "other_chain",
            Self::Malformed(MalformedTransaction::TooLong { .. }) => "too_long",
            Self::Malformed(MalformedTransaction::EmptyKey) => "empty_key",
            Self::Malformed(MalformedTransaction::BadSignature) => "bad_signature",
            Self::Malformed(MalformedTransaction::RedundantAccount) => "redundant_account",
            Self::Malformed(MalformedTransaction::NamespaceName) => "namespace_name",
            Self::Malformed(MalformedTransaction::TooManyAccounts(_)) => "too_many_accounts",
            Self::Expired { .. } => "expired",
            Self::ExpiryTooFar { .. } => "expiry_too_far",
            Self::Duplicate => "duplicate",
            Self::NonceUsed { .. } => "nonce_used",
            Self::NonceGap { .. } => "nonce_gap",
            Self::NonceWaiting { .. } => "nonce_waiting",
            Self::WrongKey => "wrong_key",
            Self::NotAMember => "not_a_member",
            Self::InsufficientBalance { .. } => "insufficient_balance",
            Self::SenderFull { .. } => "sender_full",
            Self::PoolFull => "pool_full",
        }
    }
}
