//! Signed transactions: their form and the checks that need no state.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec::{self, Bounded};
use crate::crypto::{Domain, Hasher, PublicKey, Signature, Signer, Verifier};
use crate::evidence::Evidence;
use crate::types::{Address, Amount, Digest, Height};

/// Longest key of the key-value store, in bytes.
pub const MAX_KEY_BYTES: usize = 256;
/// Longest value of the key-value store, in bytes.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;
/// Longest memo of a transfer, in bytes.
pub const MAX_MEMO_BYTES: usize = 256;

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Body {
    Transfer {
        to: Address,
        amount: Amount,
        memo: Vec<u8>,
    },
    Put {
        key: Vec<u8>,
        value: Vec<u8>,
    },
    Delete {
        key: Vec<u8>,
    },
    /// Writes `value` only if the key holds `expected` now (`None`: does not exist).
    CompareAndSwap {
        key: Vec<u8>,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    },
    /// A governance action. Carried by the format; refused by this version's execution.
    Governance {
        action: Vec<u8>,
    },
}

/// What the sender signs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Payload {
    /// Hash of the genesis: a transaction is worth nothing on another chain.
    pub chain_id: Digest,
    pub sender: PublicKey,
    /// Number of transactions of this sender that were executed before.
    pub nonce: u64,
    /// Last height at which it may be executed.
    pub expiry: Height,
    pub body: Body,
}

impl Payload {
    /// What the sender signs. The chain id is inside the payload.
    pub fn signing_digest(&self) -> Digest {
        Hasher::new(Domain::TransactionSignature).value(self).finish()
    }

    pub fn sign(self, signer: &dyn Signer) -> SignedTransaction {
        let signature = signer.sign(&self.signing_digest());
        SignedTransaction { payload: self, signature }
    }
}

/// A transaction of an account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct SignedTransaction {
    pub payload: Payload,
    pub signature: Signature,
}

impl Bounded for SignedTransaction {
    const MAX_BYTES: usize = 2 * MAX_VALUE_BYTES + 1024;
}

/// A transaction that no state could make acceptable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedTransaction {
    #[error("made for another chain ({0})")]
    OtherChain(Digest),
    #[error("the {what} has {len} bytes where at most {max} are allowed")]
    TooLong { what: &'static str, len: usize, max: usize },
    #[error("the key is empty")]
    EmptyKey,
    #[error("the signature does not match")]
    BadSignature,
}

impl SignedTransaction {
    /// Identifies the transaction: the hash of all its bytes, signature included.
    pub fn hash(&self) -> Digest {
        Self::hash_of(&codec::encode(self))
    }

    /// The hash of the transaction with this encoding.
    pub(crate) fn hash_of(encoded: &[u8]) -> Digest {
        Hasher::new(Domain::TransactionHash).bytes(encoded).finish()
    }

    /// The account that sends.
    pub fn sender(&self) -> Address {
        self.payload.sender.address()
    }

    /// The checks that cost next to nothing: chain and sizes, not the signature.
    ///
    /// # Errors
    /// [`MalformedTransaction`] with what is wrong.
    pub fn check_form(&self, chain_id: &Digest) -> Result<(), MalformedTransaction> {
        if self.payload.chain_id != *chain_id {
            return Err(MalformedTransaction::OtherChain(self.payload.chain_id));
        }
        let within = |what, len: usize, max| {
            if len > max { Err(MalformedTransaction::TooLong { what, len, max }) } else { Ok(()) }
        };
        let key_form = |key: &[u8]| {
            if key.is_empty() {
                return Err(MalformedTransaction::EmptyKey);
            }
            within("key", key.len(), MAX_KEY_BYTES)
        };
        match &self.payload.body {
            Body::Transfer { memo, .. } => within("memo", memo.len(), MAX_MEMO_BYTES),
            Body::Put { key, value } => {
                key_form(key)?;
                within("value", value.len(), MAX_VALUE_BYTES)
            }
            Body::Delete { key } => key_form(key),
            Body::CompareAndSwap { key, expected, value } => {
                key_form(key)?;
                within("expected value", expected.as_ref().map_or(0, Vec::len), MAX_VALUE_BYTES)?;
                within("value", value.len(), MAX_VALUE_BYTES)
            }
            Body::Governance { action } => {
                within("governance action", action.len(), MAX_VALUE_BYTES)
            }
        }
    }

    /// The expensive check.
    pub fn verify_signature(&self, verifier: &dyn Verifier) -> bool {
        verifier.verify(&self.payload.sender, &self.payload.signing_digest(), &self.signature)
    }
}

/// What a block carries.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "nearly all are signed: a box each would only cost")]
pub enum Transaction {
    /// From an account.
    Signed(SignedTransaction),
    /// From the system: proof that a validator equivocated. Makes its block a barrier.
    Evidence(Box<Evidence>),
}

impl Bounded for Transaction {
    const MAX_BYTES: usize = SignedTransaction::MAX_BYTES + 4;
}

impl Transaction {
    /// Identifies the transaction on its chain.
    pub fn hash(&self, chain_id: &Digest) -> Digest {
        match self {
            Self::Signed(transaction) => transaction.hash(),
            Self::Evidence(evidence) => evidence.hash(chain_id),
        }
    }

    /// Length of the encoding in bytes.
    pub fn encoded_len(&self) -> usize {
        codec::encode(self).len()
    }
}
