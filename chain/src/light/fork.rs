//! Two final blocks at one height: what more liars than a set bears can do, and who they are.

use super::{FinalBlock, ProofError};
use crate::crypto::Verifier;
use crate::types::{Digest, ValidatorIndex};
use crate::validator::ValidatorSet;

/// Checks that both blocks are final under `set`, at one height, and not one and the same. They stand
/// in the order of their hashes.
pub(super) fn verify(
    first: &FinalBlock,
    second: &FinalBlock,
    chain_id: &Digest,
    set: &ValidatorSet,
    verifier: &dyn Verifier,
) -> Result<(), ProofError> {
    first.verify(chain_id, set, verifier)?;
    second.verify(chain_id, set, verifier)?;
    let is_fork = first.header.height == second.header.height
        && first.header.hash(chain_id) < second.header.hash(chain_id);
    if is_fork { Ok(()) } else { Err(ProofError::NoFork) }
}

/// Who signed the certificates of both blocks: at least `f + 1` validators, since two quorums of one
/// set share so many.
pub fn signers_of_both(first: &FinalBlock, second: &FinalBlock) -> Vec<ValidatorIndex> {
    let others: Vec<ValidatorIndex> = second.finality.certificate.signatures.signers().collect();
    let signers = first.finality.certificate.signatures.signers();
    signers.filter(|signer| others.contains(signer)).collect()
}

/// Whether both certificates are of one view. A vote is a promise to vote for no other branch in that
/// view: then everyone who signed both broke it. Otherwise some of those did, or lied in the change
/// of view between.
pub fn is_within_a_view(first: &FinalBlock, second: &FinalBlock) -> bool {
    let view = |block: &FinalBlock| block.finality.certificate.ballot.position.view;
    view(first) == view(second)
}
