//! From the validators of the genesis to those of a later epoch.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{FinalityPath, PathError, Trust, encoded};
use crate::block::{BlockKind, Header};
use crate::codec::Bounded;
use crate::crypto::Verifier;
use crate::types::{Digest, Epoch};
use crate::validator::{ValidatorSet, ValidatorSetError};

/// How an epoch ended: its barrier, final under its own set, names the next set.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct EpochChange {
    /// Header of the last block of the epoch.
    #[serde(with = "encoded")]
    pub barrier: Header,
    /// Proof that the barrier is final.
    pub finality: FinalityPath,
    /// The set of the next epoch.
    #[serde(with = "encoded")]
    pub validators: ValidatorSet,
}

impl Bounded for EpochChange {
    const MAX_BYTES: usize = 1024 + FinalityPath::MAX_BYTES + ValidatorSet::MAX_BYTES;
}

/// Every change of the validator set from epoch 0 to some epoch, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Lineage(pub Vec<EpochChange>);

impl Bounded for Lineage {
    const MAX_BYTES: usize = 8 * 1024 * 1024;
}

/// Why a change of the validator set does not follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineageError {
    #[error("{0} changes of the validator set where at most {max} are allowed", max = Lineage::MAX)]
    TooLong(usize),
    #[error("the genesis set is unusable: {0}")]
    Genesis(#[from] ValidatorSetError),
    #[error("the lineage breaks at epoch {epoch}: {reason}")]
    Break { epoch: Epoch, reason: BreakReason },
}

/// What is wrong with the end of one epoch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BreakReason {
    #[error("its last block is of chain {0}")]
    OtherChain(Digest),
    #[error("its last block is of epoch {0}")]
    OtherEpoch(Epoch),
    #[error("its last block is no barrier")]
    NoBarrier,
    #[error("its last block is voted on by another set")]
    OtherSet,
    #[error("its last block is not proven final: {0}")]
    NotFinal(#[from] PathError),
    #[error("the set that follows is not the one that its last block names")]
    OtherNextSet,
    #[error("the set that follows is unusable: {0}")]
    Unusable(#[from] ValidatorSetError),
}

impl Lineage {
    /// Most changes of the set from genesis.
    pub const MAX: usize = 8 * 1024;

    /// The set after the last change, every change checked from the genesis set on.
    ///
    /// # Errors
    /// [`LineageError`] with the first change that does not follow.
    pub fn verify<'a>(
        &'a self,
        trust: &'a Trust,
        verifier: &dyn Verifier,
    ) -> Result<&'a ValidatorSet, LineageError> {
        if self.0.len() > Self::MAX {
            return Err(LineageError::TooLong(self.0.len()));
        }
        trust.validators.check()?;
        let mut set = &trust.validators;
        for change in &self.0 {
            change
                .verify(&trust.chain_id, set, verifier)
                .map_err(|reason| LineageError::Break { epoch: set.epoch, reason })?;
            set = &change.validators;
        }
        Ok(set)
    }
}

impl EpochChange {
    /// Checks that the epoch of `set` ended like this.
    ///
    /// # Errors
    /// [`BreakReason`] with the first thing that is wrong.
    pub fn verify(
        &self,
        chain_id: &Digest,
        set: &ValidatorSet,
        verifier: &dyn Verifier,
    ) -> Result<(), BreakReason> {
        let barrier = &self.barrier;
        if barrier.chain_id != *chain_id {
            return Err(BreakReason::OtherChain(barrier.chain_id));
        }
        if barrier.epoch != set.epoch {
            return Err(BreakReason::OtherEpoch(barrier.epoch));
        }
        if barrier.kind != BlockKind::Barrier {
            return Err(BreakReason::NoBarrier);
        }
        if barrier.validators_hash != set.hash(chain_id) {
            return Err(BreakReason::OtherSet);
        }
        self.finality.verify(&barrier.hash(chain_id), chain_id, set, verifier)?;
        let next = &self.validators;
        if next.epoch != set.epoch.next() || next.hash(chain_id) != barrier.next_validators_hash {
            return Err(BreakReason::OtherNextSet);
        }
        next.check()?;
        Ok(())
    }
}
