//! Checking a chain without being a node: from the genesis, over every change of the validator set,
//! to one final block and what it commits to.
//!
//! docs/proofs.md. Who checks trusts the genesis ([`Trust`]) and the rules of hashes and
//! signatures, and nobody who hands out proofs.

mod encoded;
mod file;
mod finality;
mod fork;
mod lineage;
mod proof;
mod statement;
#[cfg(test)]
mod tests;

pub use finality::{FinalityPath, PathError};
pub use fork::{is_within_a_view, signers_of_both};
pub use lineage::{BreakReason, EpochChange, Lineage, LineageError};
pub use proof::{Claim, FinalBlock, Proof, ProofError, ProvenBlock, Verdict};

use crate::types::Digest;
use crate::validator::ValidatorSet;

/// What one must know beforehand; all of it comes from the genesis file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Hash of the genesis.
    pub chain_id: Digest,
    /// The set of epoch 0.
    pub validators: ValidatorSet,
}
