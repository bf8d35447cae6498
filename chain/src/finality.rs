//! Proof that a block is final, for whoever has the validator set of its epoch.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::block::SignedHeader;
use crate::certificate::{Certificate, Finality};
use crate::codec::Bounded;
use crate::crypto::Verifier;
use crate::types::Digest;
use crate::validator::ValidatorSet;

/// Proof that a block is final: a final certificate on it, or on a descendant together with the
/// headers between (newest first, the certified block's header first, the block itself not
/// included).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct FinalityProof {
    pub certificate: Certificate,
    pub headers: Vec<SignedHeader>,
}

impl Bounded for FinalityProof {
    const MAX_BYTES: usize = 64 * 1024;
}

impl FinalityProof {
    /// Longest path between a certified block and the block it proves final.
    pub const MAX_HEADERS: usize = 64;

    /// Whether this proves `block` final under the set of its epoch.
    pub fn verify(
        &self,
        block: &Digest,
        chain_id: &Digest,
        set: &ValidatorSet,
        verifier: &dyn Verifier,
    ) -> bool {
        self.headers.len() <= Self::MAX_HEADERS
            && self.certificate.finality(set) == Finality::Final
            && self.links(block, chain_id)
            && self.certificate.verify(chain_id, set, verifier)
    }

    /// Whether the headers lead from the certified block down to `block`.
    fn links(&self, block: &Digest, chain_id: &Digest) -> bool {
        let mut expected = self.certificate.ballot.block;
        for signed in &self.headers {
            if signed.header.hash(chain_id) != expected {
                return false;
            }
            expected = signed.header.parent;
        }
        expected == *block
    }
}
