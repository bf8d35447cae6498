//! Proof that a block is final, for whoever has the validator set of its epoch.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::block::{Header, SignedHeader};
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
        let headers = self.headers.iter().map(|signed| &signed.header);
        follow(self.certificate.ballot.block, headers, chain_id) == Ok(*block)
    }
}

/// The block under a path of headers, newest first, that begins with the block `top`; `top` itself
/// where there are none.
///
/// # Errors
/// The place of the first header that the one before it does not name.
pub(crate) fn follow<'a>(
    top: Digest,
    headers: impl IntoIterator<Item = &'a Header>,
    chain_id: &Digest,
) -> Result<Digest, usize> {
    headers.into_iter().enumerate().try_fold(top, |expected, (index, header)| {
        if header.hash(chain_id) == expected { Ok(header.parent) } else { Err(index) }
    })
}
