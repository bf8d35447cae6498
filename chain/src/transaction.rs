//! Signed transactions: their form and the checks that need no state.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::codec::{self, Bounded};
use crate::crypto::{Domain, Hasher, PublicKey, Signature, Signer, Verifier};
use crate::evidence::Evidence;
use crate::governance::GovernanceAction;
use crate::namespace::{self, MAX_NAME_BYTES, NamespaceAction};
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
    /// Writes `value` only if the key is as expected now.
    CompareAndSwap {
        key: Vec<u8>,
        expected: Expected,
        value: Vec<u8>,
    },
    Namespace(NamespaceAction),
    /// Gives the account another key, which signs for it from the next transaction on.
    RotateKey {
        new_key: PublicKey,
        /// Of the new key, over [`key_rotation_digest`]: whoever is named holds it.
        possession: Signature,
    },
    Governance(GovernanceAction),
}

impl Body {
    /// The key of the key-value store that it is about.
    pub fn key(&self) -> Option<&[u8]> {
        match self {
            Self::Put { key, .. } | Self::Delete { key } | Self::CompareAndSwap { key, .. } => {
                Some(key)
            }
            _ => None,
        }
    }
}

/// What a key must be like for a value to be written.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// It does not exist.
    Absent,
    Value(Vec<u8>),
    /// It exists and was written so many times.
    Version(u64),
}

/// What the new key of an account signs.
pub fn key_rotation_digest(chain_id: &Digest, account: &Address) -> Digest {
    Hasher::on_chain(Domain::KeyRotation, chain_id).bytes(&account.0).finish()
}

/// What the sender signs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Payload {
    /// Hash of the genesis: a transaction is worth nothing on another chain.
    pub chain_id: Digest,
    /// The account that acts, where it is not the signing key's own: after a rotation of its key.
    pub account: Option<Address>,
    /// The key that signs.
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
    #[error("it names the account that its key has anyway")]
    RedundantAccount,
    #[error("a namespace's name is 1 to {max} letters, digits, '-', '_' or '.'", max = MAX_NAME_BYTES)]
    NamespaceName,
    #[error("a rule names {0} accounts where at most {max} are allowed", max = Access::MAX_ACCOUNTS)]
    TooManyAccounts(usize),
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

    /// The [signing digest](Payload::signing_digest) of the transaction with this encoding: the signature
    /// stands at its end.
    pub(crate) fn signing_digest_of(encoded: &[u8]) -> Digest {
        let payload = &encoded[..encoded.len() - size_of::<Signature>()];
        Hasher::new(Domain::TransactionSignature).bytes(payload).finish()
    }

    /// The account that sends. Whether the signing key may act for it is in the state.
    pub fn sender(&self) -> Address {
        self.payload.account.unwrap_or_else(|| self.payload.sender.address())
    }

    /// The checks that cost next to nothing: chain and sizes, not the signature.
    ///
    /// # Errors
    /// [`MalformedTransaction`] with what is wrong.
    pub fn check_form(&self, chain_id: &Digest) -> Result<(), MalformedTransaction> {
        if self.payload.chain_id != *chain_id {
            return Err(MalformedTransaction::OtherChain(self.payload.chain_id));
        }
        if self.payload.account.is_some_and(|account| account == self.payload.sender.address()) {
            return Err(MalformedTransaction::RedundantAccount);
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
                let expected_len = match expected {
                    Expected::Value(expected) => expected.len(),
                    Expected::Absent | Expected::Version(_) => 0,
                };
                within("expected value", expected_len, MAX_VALUE_BYTES)?;
                within("value", value.len(), MAX_VALUE_BYTES)
            }
            Body::Namespace(action) => namespace_form(action),
            Body::RotateKey { .. } | Body::Governance(_) => Ok(()),
        }
    }

    /// The expensive check.
    pub fn verify_signature(&self, verifier: &dyn Verifier) -> bool {
        verifier.verify(&self.payload.sender, &self.payload.signing_digest(), &self.signature)
    }
}

fn namespace_form(action: &NamespaceAction) -> Result<(), MalformedTransaction> {
    if !namespace::is_name(action.name()) {
        return Err(MalformedTransaction::NamespaceName);
    }
    let rules = match action {
        NamespaceAction::Create { rules, .. } | NamespaceAction::SetRules { rules, .. } => rules,
        NamespaceAction::Transfer { .. } => return Ok(()),
    };
    for access in [&rules.writers, &rules.readers] {
        match access {
            Access::Accounts(accounts) if accounts.len() > Access::MAX_ACCOUNTS => {
                return Err(MalformedTransaction::TooManyAccounts(accounts.len()));
            }
            _ => {}
        }
    }
    Ok(())
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
