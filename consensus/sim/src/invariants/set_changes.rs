//! Every node sees the same validator sets, and no seat has two holders in the sets before and after
//! one change. docs/protocol/README.md, "Who votes".

use std::collections::BTreeMap;

use chain::types::Epoch;
use chain::validator::ValidatorSet;

use super::{Facts, Invariant, Observation};

#[derive(Debug, Default)]
pub(super) struct SetChanges(BTreeMap<Epoch, ValidatorSet>);

impl SetChanges {
    fn follows(before: &ValidatorSet, set: &ValidatorSet) -> Result<(), String> {
        if let Err(error) = set.check() {
            return Err(format!("the set of epoch {} is impossible: {error}", set.epoch));
        }
        for (seat, member) in set.members() {
            let moved = before.index_of(&member.consensus_key).is_some_and(|was| was != seat);
            let usurped =
                before.get(seat).is_some_and(|was| was.consensus_key != member.consensus_key);
            if moved || usurped {
                return Err(format!("seat {seat} changes hands at the start of {}", set.epoch));
            }
        }
        Ok(())
    }
}

impl Invariant for SetChanges {
    fn name(&self) -> &'static str {
        "sets agree"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        let Observation::Finalized { node, block } = seen else { return Ok(()) };
        let Some(set) = &block.next_validators else { return Ok(()) };
        if let Some(known) = self.0.get(&set.epoch) {
            let same = known == set;
            return if same { Ok(()) } else { Err(format!("node {node} has another {set:?}")) };
        }
        let last = self.0.last_key_value().map_or(&facts.genesis.validators, |(_, last)| last);
        if set.epoch != last.epoch.next() {
            return Err(format!("epoch {} follows {}", set.epoch, last.epoch));
        }
        Self::follows(last, set)?;
        self.0.insert(set.epoch, set.clone());
        Ok(())
    }
}
