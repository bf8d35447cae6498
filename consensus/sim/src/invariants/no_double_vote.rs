//! An honest key signs one thing per slot, over all its restarts.
//! docs/protocol/hybrid.md, "Voting": what is on disk before a message leaves.

use std::collections::BTreeMap;

use chain::types::{Digest, ValidatorIndex};

use super::{Facts, Invariant, Observation};
use consensus::message::Slot;

#[derive(Debug, Default)]
pub(super) struct NoDoubleVote {
    said: BTreeMap<(ValidatorIndex, Slot), Digest>,
}

impl Invariant for NoDoubleVote {
    fn name(&self) -> &'static str {
        "no double vote"
    }

    fn observe(&mut self, _facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        let Observation::Stated { validator, slot, digest } = seen else {
            return Ok(());
        };
        let first = *self.said.entry((*validator, *slot)).or_insert(*digest);
        if first == *digest {
            return Ok(());
        }
        Err(format!("validator {validator} signed {first:?} and {digest:?} for {slot:?}"))
    }
}
