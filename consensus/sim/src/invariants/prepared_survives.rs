//! What may be committed is never replaced: once so many replicas committed to a block that liars
//! could make it a quorum, every proposal for its height in a higher view is that block.
//! docs/protocol/pbft.md, "Why it is safe".

use std::collections::{BTreeMap, BTreeSet};

use chain::certificate::VoteKind;
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use consensus::message::Slot;

use super::{Facts, Invariant, Observation};

type Place = (Epoch, Height);

#[derive(Debug, Default)]
pub(super) struct PreparedSurvives {
    /// Honest commit votes.
    voters: BTreeMap<(Place, View, Digest), BTreeSet<ValidatorIndex>>,
    /// What may be committed, and the lowest view in which it may.
    locked: BTreeMap<Place, (View, Digest)>,
    /// Every proposal of an honest primary.
    proposed: BTreeMap<Place, BTreeSet<(View, Digest)>>,
}

impl PreparedSurvives {
    /// Honest votes that liars can make a quorum; only honest members vote where this is observed.
    fn needed(facts: &Facts, epoch: Epoch) -> Option<usize> {
        let set = facts.sets.get(epoch)?;
        let quorum = (set.len() + usize::from(set.max_faulty)) / 2 + 1;
        Some(quorum.saturating_sub(facts.liars(set)))
    }

    fn check(&self, place: Place) -> Result<(), String> {
        let Some((view, block)) = self.locked.get(&place) else {
            return Ok(());
        };
        let proposed = self.proposed.get(&place).into_iter().flatten();
        let other = proposed.into_iter().find(|(later, hash)| later > view && hash != block);
        other.map_or(Ok(()), |(later, hash)| {
            let (epoch, height) = place;
            Err(format!(
                "epoch {epoch}, height {height}: {block:?} may be committed since view {view}, and \
                 {hash:?} is proposed in view {later}"
            ))
        })
    }
}

impl Invariant for PreparedSurvives {
    fn name(&self) -> &'static str {
        "prepared survives"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        match seen {
            Observation::Stated { validator, slot, digest } => {
                let (Slot::Vote(_, position) | Slot::Proposal(position)) = slot else {
                    return Ok(());
                };
                let place = (position.epoch, position.height);
                if matches!(slot, Slot::Proposal(_)) {
                    self.proposed.entry(place).or_default().insert((position.view, *digest));
                } else if matches!(slot, Slot::Vote(VoteKind::Commit, _)) {
                    let voters = self.voters.entry((place, position.view, *digest)).or_default();
                    voters.insert(*validator);
                    let count = voters.len();
                    if Self::needed(facts, position.epoch).is_some_and(|needed| count >= needed) {
                        let locked = (position.view, *digest);
                        let lowest = self.locked.entry(place).or_insert(locked);
                        *lowest = locked.min(*lowest);
                    }
                }
                self.check(place)
            }
            _ => Ok(()),
        }
    }
}
