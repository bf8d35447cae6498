//! Nothing is made and nothing is lost: all accounts together own what they owned at the start.

use super::{Facts, Invariant, Observation};

#[derive(Debug)]
pub(super) struct ConservedSupply;

impl Invariant for ConservedSupply {
    fn name(&self) -> &'static str {
        "conserved supply"
    }

    fn observe(&mut self, _facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        let Observation::Finalized { node, block } = seen else {
            return Ok(());
        };
        match block.supply {
            Some(supply) if supply.found != supply.expected => Err(format!(
                "node {node}, {:?}: accounts own {} of {}",
                block.commit.block, supply.found, supply.expected
            )),
            _ => Ok(()),
        }
    }
}
