//! Proof that a block is final, with nothing in it that is not checked.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::encoded;
use crate::block::Header;
use crate::certificate::{Certificate, Finality};
use crate::codec::Bounded;
use crate::crypto::Verifier;
use crate::finality::{FinalityProof, follow};
use crate::types::{Digest, Epoch};
use crate::validator::ValidatorSet;

/// A final certificate, and the headers from the certified block (first) down to the block that is
/// to be final (not included). A [`FinalityProof`] without the proposers' signatures, which prove
/// nothing here and so could be changed unnoticed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct FinalityPath {
    #[serde(with = "encoded")]
    pub certificate: Certificate,
    #[serde(with = "encoded::list")]
    pub headers: Vec<Header>,
}

impl Bounded for FinalityPath {
    const MAX_BYTES: usize = FinalityProof::MAX_BYTES;
}

impl From<FinalityProof> for FinalityPath {
    fn from(proof: FinalityProof) -> Self {
        let headers = proof.headers.into_iter().map(|signed| signed.header).collect();
        Self { certificate: proof.certificate, headers }
    }
}

/// Why a block is not proven final.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("{len} headers where at most {max} are allowed", max = FinalityProof::MAX_HEADERS)]
    TooLong { len: usize },
    #[error("the certificate is of epoch {found} where epoch {expected} votes")]
    OtherEpoch { found: Epoch, expected: Epoch },
    #[error("{signed} validators signed the certificate where {needed} must")]
    BelowQuorum { signed: usize, needed: usize },
    #[error("the certificate's votes make nothing final")]
    NotFinal,
    #[error("a signature of the certificate does not match")]
    Signature,
    #[error("header {index} is not the one that the header or certificate before it names")]
    BrokenPath { index: usize },
    #[error("the certificate is for another block")]
    OtherBlock,
}

impl FinalityPath {
    /// Checks that this proves `block` final under `set`, the set of its epoch.
    ///
    /// # Errors
    /// [`PathError`] with the first part that is wrong.
    pub fn verify(
        &self,
        block: &Digest,
        chain_id: &Digest,
        set: &ValidatorSet,
        verifier: &dyn Verifier,
    ) -> Result<(), PathError> {
        if self.headers.len() > FinalityProof::MAX_HEADERS {
            return Err(PathError::TooLong { len: self.headers.len() });
        }
        self.check_links(block, chain_id)?;
        self.check_certificate(chain_id, set, verifier)
    }

    fn check_links(&self, block: &Digest, chain_id: &Digest) -> Result<(), PathError> {
        let bottom = follow(self.certificate.ballot.block, &self.headers, chain_id)
            .map_err(|index| PathError::BrokenPath { index })?;
        if bottom == *block { Ok(()) } else { Err(PathError::OtherBlock) }
    }

    fn check_certificate(
        &self,
        chain_id: &Digest,
        set: &ValidatorSet,
        verifier: &dyn Verifier,
    ) -> Result<(), PathError> {
        let certificate = &self.certificate;
        let found = certificate.ballot.position.epoch;
        if found != set.epoch {
            return Err(PathError::OtherEpoch { found, expected: set.epoch });
        }
        let (signed, needed) = (certificate.signatures.count(), set.quorums().quorum);
        if signed < needed {
            return Err(PathError::BelowQuorum { signed, needed });
        }
        if certificate.finality(set) != Finality::Final {
            return Err(PathError::NotFinal);
        }
        if certificate.verify(chain_id, set, verifier) { Ok(()) } else { Err(PathError::Signature) }
    }
}
