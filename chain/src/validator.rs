//! The validators of an epoch.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec::Bounded;
use crate::crypto::{Domain, Hasher, PublicKey};
use crate::quorum::{QuorumError, Quorums};
use crate::types::{Digest, Epoch, ValidatorIndex, View};

/// One member of the validator set.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Validator {
    /// Signs proposals, votes and view changes.
    pub consensus_key: PublicKey,
    /// Identity of its node on the network (Ed25519, becomes the libp2p peer id).
    pub network_key: PublicKey,
    /// Signs its approvals of governance changes.
    pub governance_key: PublicKey,
    /// Proven to have equivocated: votes, but leads no view.
    pub jailed: bool,
    /// Evidence against it was recorded since `since`; further evidence does not count.
    pub accused: bool,
    /// The epoch that last admitted or pardoned it: older evidence does not count.
    pub since: Epoch,
}

/// The members of one epoch in the order of their [`ValidatorIndex`].
///
/// Invariants: between 1 and [`ValidatorSet::MAX`] members, distinct keys, n ≥ 3f + 1, at most
/// `max_faulty` jailed. [`ValidatorSet::check`] tests them where a set comes from outside.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ValidatorSet {
    pub epoch: Epoch,
    /// The first view of the epoch; its leader is the first of the leader order.
    pub first_view: View,
    pub max_faulty: u16,
    pub validators: Vec<Validator>,
}

impl Bounded for ValidatorSet {
    const MAX_BYTES: usize = 64 * 1024;
}

/// A set that breaks an invariant of [`ValidatorSet`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    #[error("{0} validators where at most {max} are supported", max = ValidatorSet::MAX)]
    TooMany(usize),
    #[error("validators {0} and {1} share a key")]
    SharedKey(usize, usize),
    #[error("{jailed} validators are jailed where at most {max} may be")]
    TooManyJailed { jailed: usize, max: usize },
}

impl ValidatorSet {
    /// The largest supported set.
    pub const MAX: usize = 128;

    /// # Errors
    /// [`ValidatorSetError`] naming the invariant that does not hold.
    pub fn check(&self) -> Result<(), ValidatorSetError> {
        if self.validators.len() > Self::MAX {
            return Err(ValidatorSetError::TooMany(self.validators.len()));
        }
        Quorums::new(self.validators.len(), usize::from(self.max_faulty))?;
        for (i, a) in self.validators.iter().enumerate() {
            for (j, b) in self.validators.iter().enumerate().skip(i + 1) {
                if a.consensus_key == b.consensus_key || a.network_key == b.network_key {
                    return Err(ValidatorSetError::SharedKey(i, j));
                }
            }
        }
        let jailed = self.validators.iter().filter(|validator| validator.jailed).count();
        if jailed > usize::from(self.max_faulty) {
            return Err(ValidatorSetError::TooManyJailed {
                jailed,
                max: usize::from(self.max_faulty),
            });
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.validators.len()
    }

    pub fn is_empty(&self) -> bool {
        self.validators.is_empty()
    }

    /// The thresholds of this set.
    pub fn quorums(&self) -> Quorums {
        Quorums::new(self.validators.len(), usize::from(self.max_faulty))
            .expect("a validator set tolerates its max_faulty: checked where it was made")
    }

    pub fn get(&self, index: ValidatorIndex) -> Option<&Validator> {
        self.validators.get(index.as_usize())
    }

    /// Where the holder of a consensus key stands in this set.
    pub fn index_of(&self, key: &PublicKey) -> Option<ValidatorIndex> {
        let place = self.validators.iter().position(|v| v.consensus_key == *key)?;
        u16::try_from(place).ok().map(ValidatorIndex::new)
    }

    /// The members with their indices, in order.
    pub fn members(&self) -> impl Iterator<Item = (ValidatorIndex, &Validator)> {
        self.indices().zip(&self.validators)
    }

    pub fn get_mut(&mut self, index: ValidatorIndex) -> Option<&mut Validator> {
        self.validators.get_mut(index.as_usize())
    }

    /// Adds a member.
    pub fn admit(&mut self, joiner: Validator) -> ValidatorIndex {
        let index = u16::try_from(self.validators.len()).expect("a set is small");
        self.validators.push(joiner);
        ValidatorIndex::new(index)
    }

    /// Takes a member out.
    pub fn remove(&mut self, index: ValidatorIndex) {
        self.validators.remove(index.as_usize());
    }

    /// Takes a member out and another one in, in another place.
    pub fn replace(&mut self, index: ValidatorIndex, joiner: Validator) -> ValidatorIndex {
        self.remove(index);
        self.admit(joiner)
    }

    /// Every index of the set, in order.
    pub fn indices(&self) -> impl Iterator<Item = ValidatorIndex> + use<> {
        (0..self.validators.len() as u16).map(ValidatorIndex::new)
    }

    /// The leader of a view: round robin over those that are not jailed.
    pub fn leader(&self, view: View) -> ValidatorIndex {
        let order = || {
            let free = (0u16..).zip(&self.validators).filter(|(_, validator)| !validator.jailed);
            free.map(|(index, _)| index)
        };
        let free = order().count();
        assert!(free > 0, "at most f of at least 3f + 1 validators are jailed");
        let turn = usize::try_from(view.get() % free as u64).expect("below a length");
        ValidatorIndex::new(order().nth(turn).expect("below the number of those"))
    }

    pub fn hash(&self, chain_id: &Digest) -> Digest {
        Hasher::on_chain(Domain::ValidatorSet, chain_id).value(self).finish()
    }
}
