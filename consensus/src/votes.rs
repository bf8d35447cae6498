//! Counting votes: recounted plainly each time, both sides of a conflict kept.

use std::collections::BTreeMap;

use chain::certificate::{Ballot, Certificate, Position, Signatures, Vote, VoteKind};
use chain::evidence::Evidence;
use chain::types::{Digest, Height, ValidatorIndex, View};

/// Most positions in which votes of one validator are kept.
const MAX_POSITIONS_PER_VOTER: usize = 256;

/// The votes on blocks that are not final yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct VoteBook {
    /// At most two votes of one validator for one kind and position: the second is evidence.
    votes: BTreeMap<(VoteKind, Position), BTreeMap<ValidatorIndex, Vec<Vote>>>,
}

/// What a vote changed.
#[derive(Debug)]
pub(crate) enum Added {
    Known,
    New,
    Conflict(Box<Evidence>),
}

impl VoteBook {
    /// Adds a vote whose signature was checked.
    pub(crate) fn add(&mut self, vote: Vote, chain_id: &Digest) -> Added {
        let key = (vote.ballot.kind, vote.ballot.position);
        let known = self.votes.get(&key).and_then(|voters| voters.get(&vote.voter));
        if known.is_none() {
            self.make_room(vote.voter);
        }
        let entry = self.votes.entry(key).or_default().entry(vote.voter).or_default();
        if entry.iter().any(|held| held.ballot == vote.ballot) {
            return Added::Known;
        }
        let Some(first) = entry.first().copied() else {
            entry.push(vote);
            return Added::New;
        };
        if entry.len() < 2 {
            entry.push(vote);
        }
        match Evidence::from_votes(&first, &vote, chain_id) {
            Some(evidence) => Added::Conflict(Box::new(evidence)),
            None => Added::New,
        }
    }

    /// Room for one more position of a voter: at the cost of its lowest.
    fn make_room(&mut self, voter: ValidatorIndex) {
        let of_voter = self.votes.iter_mut().filter(|(_, voters)| voters.contains_key(&voter));
        let held: Vec<_> = of_voter.collect();
        if held.len() >= MAX_POSITIONS_PER_VOTER
            && let Some((_, voters)) = held.into_iter().min_by_key(|((_, position), _)| *position)
        {
            voters.remove(&voter);
        }
    }

    /// Everyone's votes for exactly this ballot.
    fn voters(&self, ballot: &Ballot) -> Vec<(ValidatorIndex, chain::crypto::Signature)> {
        let Some(voters) = self.votes.get(&(ballot.kind, ballot.position)) else {
            return Vec::new();
        };
        voters
            .values()
            .flatten()
            .filter(|vote| vote.ballot == *ballot)
            .map(|vote| (vote.voter, vote.signature))
            .collect()
    }

    /// A certificate from the votes held, if there are at least `quorum`.
    pub(crate) fn certificate(
        &self,
        ballot: &Ballot,
        seats: usize,
        quorum: usize,
    ) -> Option<Certificate> {
        let voters = self.voters(ballot);
        (voters.len() >= quorum)
            .then(|| Certificate { ballot: *ballot, signatures: Signatures::new(seats, &voters) })
    }

    /// The votes of one validator in a view.
    pub(crate) fn cast_by(&self, voter: ValidatorIndex, view: View) -> Vec<Vote> {
        let in_view = self.votes.iter().filter(|((_, position), _)| position.view == view);
        in_view.filter_map(|(_, voters)| voters.get(&voter)?.first().copied()).collect()
    }

    /// Forgets votes at or below a final height.
    pub(crate) fn prune(&mut self, height: Height) {
        self.votes.retain(|(_, position), _| position.height > height);
    }

    pub(crate) fn clear(&mut self) {
        self.votes.clear();
    }
}
