//! Signatures for simulation: a cheap keyed mix for most seeds, real Ed25519 for a share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use chain::crypto::{Ed25519, Keypair, PublicKey, Signature, SignatureItem, Signer, Verifier};
use chain::types::Digest;
use serde::{Deserialize, Serialize};

/// Which rule a simulated chain signs by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureRule {
    /// [`CheapSigner`]: whoever knows the public key could forge, and nobody in a simulation does.
    Cheap,
    Ed25519,
}

impl SignatureRule {
    pub fn verifier(self) -> Arc<dyn Verifier> {
        match self {
            Self::Cheap => Arc::new(CheapVerifier),
            Self::Ed25519 => Arc::new(Ed25519),
        }
    }

    /// The key that grows from a seed.
    pub fn signer(self, seed: [u8; 32]) -> Box<dyn Signer + Send> {
        match self {
            Self::Cheap => Box::new(CheapSigner(PublicKey(seed))),
            Self::Ed25519 => Box::new(Keypair::from_seed(&seed)),
        }
    }
}

/// How many signatures were made and checked through it. A copy counts on.
#[derive(Clone, Debug, Default)]
pub struct SignatureCounts(Arc<(AtomicU64, AtomicU64)>);

impl SignatureCounts {
    pub fn made(&self) -> u64 {
        self.0.0.load(Relaxed)
    }

    pub fn checked(&self) -> u64 {
        self.0.1.load(Relaxed)
    }

    /// The same signer, counted.
    pub fn signer(&self, inner: Box<dyn Signer + Send>) -> Box<dyn Signer + Send> {
        Box::new(CountedSigner { inner, counts: self.clone() })
    }

    /// The same verifier, counted.
    pub fn verifier(&self, inner: Arc<dyn Verifier>) -> Arc<dyn Verifier> {
        Arc::new(CountedVerifier { inner, counts: self.clone() })
    }
}

struct CountedSigner {
    inner: Box<dyn Signer + Send>,
    counts: SignatureCounts,
}

impl Signer for CountedSigner {
    fn public(&self) -> PublicKey {
        self.inner.public()
    }

    fn sign(&self, digest: &Digest) -> Signature {
        self.counts.0.0.fetch_add(1, Relaxed);
        self.inner.sign(digest)
    }
}

struct CountedVerifier {
    inner: Arc<dyn Verifier>,
    counts: SignatureCounts,
}

impl CountedVerifier {
    fn count(&self, signatures: usize) {
        self.counts.0.1.fetch_add(signatures as u64, Relaxed);
    }
}

impl Verifier for CountedVerifier {
    fn verify(&self, key: &PublicKey, digest: &Digest, signature: &Signature) -> bool {
        self.count(1);
        self.inner.verify(key, digest, signature)
    }

    fn verify_batch(&self, items: &[SignatureItem<'_>]) -> Vec<bool> {
        self.count(items.len());
        self.inner.verify_batch(items)
    }

    fn verify_all(&self, items: &[SignatureItem<'_>]) -> bool {
        self.count(items.len());
        self.inner.verify_all(items)
    }
}

/// Signs with a mix of its public key and the digest.
#[derive(Clone, Copy, Debug)]
pub struct CheapSigner(PublicKey);

impl Signer for CheapSigner {
    fn public(&self) -> PublicKey {
        self.0
    }

    fn sign(&self, digest: &Digest) -> Signature {
        mix(&self.0, digest)
    }
}

/// Accepts what the [`CheapSigner`] of the key makes, and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheapVerifier;

impl Verifier for CheapVerifier {
    fn verify(&self, key: &PublicKey, digest: &Digest, signature: &Signature) -> bool {
        mix(key, digest) == *signature
    }
}

/// A 64-bit fold over key and digest (the finalizer of SplitMix64 per word), spread over the
/// signature's length. Some ten nanoseconds.
fn mix(key: &PublicKey, digest: &Digest) -> Signature {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = [0; 64];
    for word in key.0.chunks_exact(8).chain(digest.0.chunks_exact(8)) {
        let word = u64::from_le_bytes(word.try_into().expect("chunks of eight"));
        state = splitmix(state ^ word);
    }
    for chunk in bytes.chunks_exact_mut(8) {
        state = splitmix(state);
        chunk.copy_from_slice(&state.to_le_bytes());
    }
    Signature(bytes)
}

fn splitmix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_rules_accept_their_own_and_refuse_the_rest() {
        for rule in [SignatureRule::Cheap, SignatureRule::Ed25519] {
            let (one, other) = (rule.signer([1; 32]), rule.signer([2; 32]));
            let verifier = rule.verifier();
            let signature = one.sign(&Digest([7; 32]));
            assert!(verifier.verify(&one.public(), &Digest([7; 32]), &signature));
            assert!(!verifier.verify(&other.public(), &Digest([7; 32]), &signature));
            assert!(!verifier.verify(&one.public(), &Digest([8; 32]), &signature));
        }
    }
}
