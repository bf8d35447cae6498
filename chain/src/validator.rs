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
    /// Proven to have equivocated, or sentenced by the others: votes, but leads no view.
    pub jailed: bool,
    /// Evidence against it was recorded since `since`; further evidence does not count.
    pub accused: bool,
    /// The epoch that last admitted or pardoned it: older evidence does not count.
    pub since: Epoch,
}

/// The members of one epoch, each in a seat that its [`ValidatorIndex`] names.
///
/// A member keeps its seat for as long as it stays. One that leaves frees its seat, one that joins
/// takes the lowest free seat or a new one at the end. So an index never names two validators in
/// the sets before and after one change. A seat may be taken again by a later change.
///
/// Invariants: between 1 and [`ValidatorSet::MAX`] members, the last seat is taken, distinct keys,
/// n ≥ 3f + 1, at most `max_faulty` jailed. [`ValidatorSet::check`] tests them where a set comes
/// from outside.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ValidatorSet {
    pub epoch: Epoch,
    /// The first view of the epoch; its leader is the first of the leader order.
    pub first_view: View,
    pub max_faulty: u16,
    /// `None`: free. The last one is taken.
    seats: Vec<Option<Validator>>,
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
    #[error("{0} seats where at most {max} are supported", max = ValidatorSet::MAX_SEATS)]
    TooManySeats(usize),
    #[error("the last of {0} seats is free")]
    LastSeatFree(usize),
    #[error("validators {0} and {1} share a key")]
    SharedKey(ValidatorIndex, ValidatorIndex),
    #[error("{jailed} validators are jailed where at most {max} may be")]
    TooManyJailed { jailed: usize, max: usize },
}

impl ValidatorSet {
    /// Most members of a set.
    pub const MAX: usize = 128;
    /// Most seats: a full set needs one more to replace a member.
    pub const MAX_SEATS: usize = Self::MAX + 1;

    /// A set with these members in the first seats, unchecked.
    pub fn new(
        epoch: Epoch,
        first_view: View,
        max_faulty: u16,
        members: impl IntoIterator<Item = Validator>,
    ) -> Self {
        Self { epoch, first_view, max_faulty, seats: members.into_iter().map(Some).collect() }
    }

    /// The same members in the next epoch, which a barrier of this view opens.
    #[must_use]
    pub fn successor(&self, barrier: View) -> Self {
        Self { epoch: self.epoch.next(), first_view: barrier.next(), ..self.clone() }
    }

    /// # Errors
    /// [`ValidatorSetError`] naming the invariant that does not hold.
    pub fn check(&self) -> Result<(), ValidatorSetError> {
        if self.seats() > Self::MAX_SEATS {
            return Err(ValidatorSetError::TooManySeats(self.seats()));
        }
        if self.len() > Self::MAX {
            return Err(ValidatorSetError::TooMany(self.len()));
        }
        if self.seats.last().is_some_and(Option::is_none) {
            return Err(ValidatorSetError::LastSeatFree(self.seats()));
        }
        Quorums::new(self.len(), usize::from(self.max_faulty))?;
        for (i, a) in self.members() {
            for (j, b) in self.members().filter(|(j, _)| *j > i) {
                if a.consensus_key == b.consensus_key || a.network_key == b.network_key {
                    return Err(ValidatorSetError::SharedKey(i, j));
                }
            }
        }
        let jailed = self.members().filter(|(_, validator)| validator.jailed).count();
        if jailed > usize::from(self.max_faulty) {
            return Err(ValidatorSetError::TooManyJailed {
                jailed,
                max: usize::from(self.max_faulty),
            });
        }
        Ok(())
    }

    /// How many members there are: what quorums go by.
    pub fn len(&self) -> usize {
        self.members().count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many seats there are, free ones included: every index is below this.
    pub fn seats(&self) -> usize {
        self.seats.len()
    }

    /// The thresholds of this set.
    pub fn quorums(&self) -> Quorums {
        Quorums::new(self.len(), usize::from(self.max_faulty))
            .expect("a validator set tolerates its max_faulty: checked where it was made")
    }

    /// The members in the order of their seats.
    pub fn members(&self) -> impl Iterator<Item = (ValidatorIndex, &Validator)> {
        let seats = (0u16..).map(ValidatorIndex::new).zip(&self.seats);
        seats.filter_map(|(index, seat)| Some((index, seat.as_ref()?)))
    }

    /// Who sits in a seat; `None` where it is free or there is none.
    pub fn get(&self, index: ValidatorIndex) -> Option<&Validator> {
        self.seats.get(index.as_usize())?.as_ref()
    }

    pub fn get_mut(&mut self, index: ValidatorIndex) -> Option<&mut Validator> {
        self.seats.get_mut(index.as_usize())?.as_mut()
    }

    /// Where the holder of a consensus key sits in this set.
    pub fn index_of(&self, key: &PublicKey) -> Option<ValidatorIndex> {
        self.members().find(|(_, member)| member.consensus_key == *key).map(|(index, _)| index)
    }

    /// Every taken seat, in order.
    pub fn indices(&self) -> impl Iterator<Item = ValidatorIndex> + use<> {
        let taken: Vec<ValidatorIndex> = self.members().map(|(index, _)| index).collect();
        taken.into_iter()
    }

    /// Gives a new member the lowest free seat, or a new one at the end.
    ///
    /// # Panics
    /// Where all of [`MAX_SEATS`](Self::MAX_SEATS) are taken.
    pub fn admit(&mut self, validator: Validator) -> ValidatorIndex {
        let free = self.seats.iter().position(Option::is_none);
        let seat = free.unwrap_or_else(|| {
            self.seats.push(None);
            self.seats.len() - 1
        });
        assert!(seat < Self::MAX_SEATS, "no seat for another validator");
        self.seats[seat] = Some(validator);
        ValidatorIndex::new(seat as u16)
    }

    /// Frees the seat of a member. Returns who sat there.
    pub fn remove(&mut self, index: ValidatorIndex) -> Option<Validator> {
        let removed = self.seats.get_mut(index.as_usize())?.take();
        while self.seats.last().is_some_and(Option::is_none) {
            self.seats.pop();
        }
        removed
    }

    /// Puts a validator in another's place, in another seat: as one change, where one leaves as the
    /// other joins.
    pub fn replace(&mut self, old: ValidatorIndex, new: Validator) -> ValidatorIndex {
        let seat = self.admit(new);
        self.remove(old);
        seat
    }

    /// The leader of a view: round robin over those that are not jailed.
    pub fn leader(&self, view: View) -> ValidatorIndex {
        let order = || self.members().filter(|(_, validator)| !validator.jailed);
        let free = order().count();
        assert!(free > 0, "at most f of at least 3f + 1 validators are jailed");
        let turn = usize::try_from(view.get() % free as u64).expect("below a length");
        let (leader, _) = order().nth(turn).expect("below the number of those");
        leader
    }

    pub fn hash(&self, chain_id: &Digest) -> Digest {
        Hasher::on_chain(Domain::ValidatorSet, chain_id).value(self).finish()
    }
}

#[cfg(test)]
mod tests;
