//! A chosen value stays: once a majority accepted a block at a height in a ballot, nobody proposes
//! another block there in a higher ballot. Lamport, "Paxos Made Simple", P2 and P2b.
//!
//! Counted from what acceptors and leaders say. In engines where a majority of votes decides
//! nothing, as in those that tolerate liars, it looks at nothing.

use std::collections::{BTreeMap, BTreeSet};

use chain::certificate::{Position, VoteKind};
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use consensus::engine::FaultModel;
use consensus::message::Slot;

use super::{Facts, Invariant, Observation};

/// One slot of one epoch's log.
type Place = (Epoch, Height);

#[derive(Debug)]
pub(super) struct ValueStability {
    /// How many validators each epoch has, as its final barrier says.
    sizes: BTreeMap<Epoch, usize>,
    accepted: BTreeMap<(Place, View, Digest), BTreeSet<ValidatorIndex>>,
    /// Ballot and block of the first majority.
    chosen: BTreeMap<Place, (View, Digest)>,
    proposed: BTreeMap<Place, BTreeSet<(View, Digest)>>,
}

impl ValueStability {
    pub(super) fn new(facts: &Facts) -> Self {
        let first = &facts.genesis.validators;
        Self {
            sizes: BTreeMap::from([(first.epoch, first.len())]),
            accepted: BTreeMap::new(),
            chosen: BTreeMap::new(),
            proposed: BTreeMap::new(),
        }
    }

    fn accept(&mut self, by: ValidatorIndex, at: Position, block: Digest) -> Result<(), String> {
        let place = (at.epoch, at.height);
        let voters = self.accepted.entry((place, at.view, block)).or_default();
        voters.insert(by);
        let Some(size) = self.sizes.get(&at.epoch) else {
            return Err(format!("acceptances in the unknown epoch {}", at.epoch));
        };
        if voters.len() * 2 <= *size {
            return Ok(());
        }
        let first = *self.chosen.entry(place).or_insert((at.view, block));
        if at.view < first.0 {
            self.chosen.insert(place, (at.view, block));
        }
        self.judge(place)
    }

    /// The chosen block against every proposal of a higher ballot, whichever came first.
    fn judge(&self, place: Place) -> Result<(), String> {
        let (Some((view, block)), Some(proposed)) =
            (self.chosen.get(&place), self.proposed.get(&place))
        else {
            return Ok(());
        };
        match proposed.iter().find(|(later, other)| later > view && other != block) {
            Some((later, other)) => Err(format!(
                "height {} of epoch {}: a majority accepted {block:?} in ballot {view}, and ballot \
                 {later} proposes {other:?}",
                place.1, place.0
            )),
            None => Ok(()),
        }
    }
}

impl Invariant for ValueStability {
    fn name(&self) -> &'static str {
        "chosen values stay"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        if facts.genesis.fault_model != FaultModel::Crash {
            return Ok(());
        }
        match seen {
            Observation::Stated { validator, slot, digest } => match slot {
                Slot::Vote(VoteKind::Prepare, position) => {
                    self.accept(*validator, *position, *digest)
                }
                Slot::Proposal(position) => {
                    let place = (position.epoch, position.height);
                    self.proposed.entry(place).or_default().insert((position.view, *digest));
                    self.judge(place)
                }
                _ => Ok(()),
            },
            Observation::Finalized { block, .. } => {
                if let Some(set) = &block.next_validators {
                    self.sizes.insert(set.epoch, set.len());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
