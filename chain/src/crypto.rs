//! Ed25519 keys and signatures, SHA-256 with domain separation.
//!
//! Keys and signing come from ed25519-dalek. **Every verification, single or batch, follows the
//! ZIP-215 rule of ed25519-zebra**, so two nodes can never disagree about a signature and a batch
//! accepts exactly what its members accept one by one.

use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};

use crate::codec;
use crate::types::ParseError;
use crate::types::{Address, Digest, hex_bytes};
use bincode::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

hex_bytes!(
    /// An Ed25519 public key.
    PublicKey, 32
);
hex_bytes!(
    /// An Ed25519 signature.
    Signature, 64
);

impl PublicKey {
    /// The account that this key owns.
    pub fn address(&self) -> Address {
        let digest = Hasher::new(Domain::Address).bytes(&self.0).finish();
        let mut bytes = [0; 20];
        bytes.copy_from_slice(&digest.0[..20]);
        Address(bytes)
    }
}

/// What a hash or a signature is about. The tag keeps one kind of statement from passing for
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    Address,
    Genesis,
    TransactionSignature,
    TransactionHash,
    KeyRotation,
    BlockHash,
    Proposal,
    Vote,
    ViewAck,
    ViewChange,
    NewView,
    Suspect,
    ValidatorSet,
    Justification,
    StateLeaf,
    StateBranch,
    StateKey,
    StateValue,
    TransactionsRoot,
    ReceiptsRoot,
    Receipt,
    Evidence,
    Handshake,
    ReadToken,
    Snapshot,
}

impl Domain {
    const fn tag(self) -> &'static [u8] {
        match self {
            Self::Address => b"catamaran/address/1",
            Self::Genesis => b"catamaran/genesis/1",
            Self::TransactionSignature => b"catamaran/transaction-signature/1",
            Self::TransactionHash => b"catamaran/transaction-hash/1",
            Self::KeyRotation => b"catamaran/key-rotation/1",
            Self::BlockHash => b"catamaran/block-hash/1",
            Self::Proposal => b"catamaran/proposal/1",
            Self::Vote => b"catamaran/vote/1",
            Self::ViewAck => b"catamaran/view-ack/1",
            Self::ViewChange => b"catamaran/view-change/1",
            Self::NewView => b"catamaran/new-view/1",
            Self::Suspect => b"catamaran/suspect/1",
            Self::ValidatorSet => b"catamaran/validator-set/1",
            Self::Justification => b"catamaran/justification/1",
            Self::StateLeaf => b"catamaran/state-leaf/1",
            Self::StateBranch => b"catamaran/state-branch/1",
            Self::StateKey => b"catamaran/state-key/1",
            Self::StateValue => b"catamaran/state-value/1",
            Self::TransactionsRoot => b"catamaran/transactions-root/1",
            Self::ReceiptsRoot => b"catamaran/receipts-root/1",
            Self::Receipt => b"catamaran/receipt/1",
            Self::Evidence => b"catamaran/evidence/1",
            Self::Handshake => b"catamaran/handshake/1",
            Self::ReadToken => b"catamaran/read-token/1",
            Self::Snapshot => b"catamaran/snapshot/1",
        }
    }
}

/// SHA-256 over a length-framed domain tag and what follows.
#[derive(Clone, Debug)]
pub struct Hasher(Sha256);

impl Hasher {
    pub fn new(domain: Domain) -> Self {
        let tag = domain.tag();
        let mut sha = Sha256::new();
        sha.update([tag.len() as u8]);
        sha.update(tag);
        Self(sha)
    }

    /// A hasher whose result also binds the chain (the hash of its genesis).
    pub fn on_chain(domain: Domain, chain_id: &Digest) -> Self {
        Self::new(domain).bytes(&chain_id.0)
    }

    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    /// Adds the canonical encoding of a value, without making it in memory.
    #[must_use]
    pub fn value<T: bincode::Encode>(mut self, value: &T) -> Self {
        codec::encode_into(value, &mut self);
        self
    }

    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl bincode::enc::write::Writer for Hasher {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.0.update(bytes);
        Ok(())
    }
}

/// A signing key. Its secret is wiped when it is dropped and never printed.
pub struct Keypair(ed25519_dalek::SigningKey);

impl Keypair {
    /// The key that grows from 32 secret bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The same key once more, for another part of a node that signs. Both are wiped when they are
    /// dropped; a way over the [seed](Self::seed) would leave a copy behind. Not `Clone`: a copy of a key
    /// is never made by the way.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    /// The secret bytes, for a key store to encrypt or write.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keypair({:?}, secret hidden)", self.public())
    }
}

/// Signs digests. Deterministic: the same digest gives the same signature.
pub trait Signer: Send + Sync {
    fn public(&self) -> PublicKey;
    fn sign(&self, digest: &Digest) -> Signature;
}

impl Signer for Keypair {
    fn public(&self) -> PublicKey {
        Keypair::public(self)
    }

    fn sign(&self, digest: &Digest) -> Signature {
        Signature(self.0.sign(&digest.0).to_bytes())
    }
}

/// The signature rule of a chain. Production uses [`Ed25519`]; the simulator may use a cheap one.
pub trait Verifier: Send + Sync {
    fn verify(&self, key: &PublicKey, digest: &Digest, signature: &Signature) -> bool;

    /// Whether a key is one that a holder can sign with, and nobody else. True for every key of a
    /// scheme that has no others.
    fn is_usable(&self, _key: &PublicKey) -> bool {
        true
    }

    /// Verifies many: `result[i]` is what [`verify`](Self::verify) says of `items[i]`.
    fn verify_batch(&self, items: &[SignatureItem<'_>]) -> Vec<bool> {
        items.iter().map(|(key, digest, signature)| self.verify(key, digest, signature)).collect()
    }

    /// Whether [`verify`](Self::verify) accepts every one. Does not look for the culprit, so a bad
    /// batch costs no more than a good one.
    fn verify_all(&self, items: &[SignatureItem<'_>]) -> bool {
        items.iter().all(|(key, digest, signature)| self.verify(key, digest, signature))
    }
}

/// Ed25519 by the ZIP-215 rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ed25519;

impl Verifier for Ed25519 {
    fn verify(&self, key: &PublicKey, digest: &Digest, signature: &Signature) -> bool {
        let Ok(key) = ed25519_zebra::VerificationKey::try_from(key.0) else {
            return false;
        };
        key.verify(&ed25519_zebra::Signature::from(signature.0), &digest.0).is_ok()
    }

    /// A point of the curve, and none of small order: everybody can sign for those.
    fn is_usable(&self, key: &PublicKey) -> bool {
        ed25519_dalek::VerifyingKey::from_bytes(&key.0).is_ok_and(|key| !key.is_weak())
    }

    fn verify_batch(&self, items: &[SignatureItem<'_>]) -> Vec<bool> {
        verify_batch(items)
    }

    fn verify_all(&self, items: &[SignatureItem<'_>]) -> bool {
        let mut rng = batch_randomness(items);
        verify_together(&prepare(items), &mut rng)
    }
}

/// One signature to check: who says what, and the proof.
pub type SignatureItem<'a> = (&'a PublicKey, &'a Digest, &'a Signature);

/// Verifies many Ed25519 signatures together; `result[i]` is exactly what
/// [`Ed25519::verify`](Verifier::verify) says of `items[i]`.
///
/// A batch with bad members is halved until they are found. A flood of bad ones is no use against
/// that: once the failed attempts have covered every member [`MAX_WASTE`] times, the rest is
/// checked one by one.
pub fn verify_batch(items: &[SignatureItem<'_>]) -> Vec<bool> {
    let mut verdicts = vec![false; items.len()];
    let mut search =
        Search { rng: batch_randomness(items), patience: items.len().saturating_mul(MAX_WASTE) };
    search.halve(&prepare(items), &mut verdicts);
    verdicts
}

/// How often failed batches may cover a member, on average, before batching is given up.
const MAX_WASTE: usize = 3;

/// Below this size a batch saves nothing over its members one by one.
const MIN_BATCH: usize = 4;

fn prepare(items: &[SignatureItem<'_>]) -> Vec<ed25519_zebra::batch::Item> {
    items
        .iter()
        .map(|(key, digest, signature)| {
            let key = ed25519_zebra::VerificationKeyBytes::from(key.0);
            let signature = ed25519_zebra::Signature::from(signature.0);
            ed25519_zebra::batch::Item::from((key, signature, &digest.0))
        })
        .collect()
}

/// The coefficients of a batch are drawn from a hash of all its members, so a signer who could aim
/// a forgery at them would have to break the hash.
fn batch_randomness(items: &[SignatureItem<'_>]) -> rand_chacha::ChaCha20Rng {
    let mut transcript = Sha256::new();
    for (key, digest, signature) in items {
        transcript.update(key.0);
        transcript.update(digest.0);
        transcript.update(signature.0);
    }
    <rand_chacha::ChaCha20Rng as rand_chacha::rand_core::SeedableRng>::from_seed(
        transcript.finalize().into(),
    )
}

fn verify_together(
    items: &[ed25519_zebra::batch::Item],
    rng: &mut rand_chacha::ChaCha20Rng,
) -> bool {
    let mut batch = ed25519_zebra::batch::Verifier::new();
    for item in items {
        batch.queue(item.clone());
    }
    batch.verify(rng).is_ok()
}

/// The search for the bad members of a batch.
struct Search {
    rng: rand_chacha::ChaCha20Rng,
    /// How many members failed attempts may still cover.
    patience: usize,
}

impl Search {
    fn halve(&mut self, items: &[ed25519_zebra::batch::Item], verdicts: &mut [bool]) {
        if items.len() < MIN_BATCH || self.patience < items.len() {
            for (item, verdict) in items.iter().zip(verdicts) {
                *verdict = item.clone().verify_single().is_ok();
            }
        } else if verify_together(items, &mut self.rng) {
            verdicts.fill(true);
        } else {
            self.patience -= items.len();
            let middle = items.len() / 2;
            self.halve(&items[..middle], &mut verdicts[..middle]);
            self.halve(&items[middle..], &mut verdicts[middle..]);
        }
    }
}
