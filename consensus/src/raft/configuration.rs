//! Who has a say: one validator set, or all sets between which a change is under way.
//!
//! docs/protocol/raft.md, lines R50-R56. An index never names two validators in the sets of a change:
//! see [`ValidatorSet`].

use std::collections::BTreeSet;

use chain::crypto::PublicKey;
use chain::types::ValidatorIndex;
use chain::validator::ValidatorSet;

use super::rules::Rules;
use super::{Out, Raft};

/// The sets whose majorities are all needed. One outside of changes, never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration(Vec<ValidatorSet>);

impl Configuration {
    pub fn new(sets: Vec<ValidatorSet>) -> Self {
        assert!(!sets.is_empty(), "somebody has a say");
        Self(sets)
    }

    pub fn sets(&self) -> &[ValidatorSet] {
        &self.0
    }

    pub fn members(&self) -> BTreeSet<ValidatorIndex> {
        self.0.iter().flat_map(ValidatorSet::indices).collect()
    }

    pub(super) fn index_of(&self, key: &PublicKey) -> Option<ValidatorIndex> {
        self.0.iter().find_map(|set| set.index_of(key))
    }
}

/// Whether more than half of the set are among the voters.
pub fn is_majority(set: &ValidatorSet, voters: &BTreeSet<ValidatorIndex>) -> bool {
    let votes = set.indices().filter(|index| voters.contains(index)).count();
    votes * 2 > set.len()
}

impl<R: Rules> Raft<R> {
    /// R50: the newest configuration in the log counts, committed or not. A barrier that is not
    /// known to be committed stands for the sets before and after it. One below it is committed,
    /// known or not: no leader changes the members twice at a time (R52).
    pub(super) fn refresh_configuration(&mut self, out: &mut Out) {
        // After nearly every block: no change is under way, and none was.
        let unchanged =
            self.tree.down_from(&self.promises.tip.hash).all(|node| node.next_validators.is_none());
        if unchanged && self.sets == std::slice::from_ref(&self.set) {
            return;
        }
        let log = self.log();
        let changes: Vec<&ValidatorSet> =
            log.iter().filter_map(|node| node.next_validators.as_ref()).collect();
        let sets: Vec<&ValidatorSet> = std::iter::once(&self.set).chain(changes).collect();
        let newest = sets.len().saturating_sub(2);
        let sets: Vec<ValidatorSet> = sets[newest..].iter().copied().cloned().collect();
        if sets == self.sets {
            return;
        }
        self.configuration = Configuration::new(R::voting_sets(sets.clone()));
        self.sets = sets;
        self.finals.set_peers(self.configuration.members());
        let was = self.me;
        self.me = self.configuration.index_of(&self.config.me);
        if self.me.is_none() && was.is_some() {
            self.retire(out);
        } else if was.is_none() {
            self.restart_election_timer();
        }
        if self.is_leader() {
            self.meet_peers();
        }
    }

    /// Who sits in a seat, now or once the change under way is committed.
    pub(super) fn key_of(&self, index: ValidatorIndex) -> Option<PublicKey> {
        self.sets.iter().find_map(|set| Some(set.get(index)?.consensus_key))
    }

    /// Everybody else who has a say.
    pub(super) fn other_members(&self) -> impl Iterator<Item = ValidatorIndex> + use<R> {
        let me = self.me;
        self.configuration.members().into_iter().filter(move |index| Some(*index) != me)
    }

    pub(super) fn is_quorum(&self, voters: &BTreeSet<ValidatorIndex>) -> bool {
        R::is_quorum(&self.configuration, voters)
    }

    /// The set whose epoch the next block of the log belongs to.
    pub(super) fn next_set(&self) -> &ValidatorSet {
        self.tree
            .open_barrier(&self.promises.tip.hash)
            .and_then(|barrier| barrier.next_validators.as_ref())
            .unwrap_or(&self.set)
    }
}
