//! Checking a chain without being a node: from the genesis, over every change of the validator set,
//! to one final block and what it commits to.
//!
//! docs/proofs.md. Who checks trusts the genesis ([`Trust`]) and the hash and signature rules, and
//! nobody who hands out proofs.

mod finality;
mod lineage;

pub use finality::{FinalityPath, PathError};
pub use lineage::{BreakReason, EpochChange, Lineage, LineageError};

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
