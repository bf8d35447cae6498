//! A transaction is in the final chain at most once.

use std::collections::BTreeMap;

use chain::types::{Digest, Height};

use super::{Facts, Invariant, Observation};

#[derive(Debug, Default)]
pub(super) struct ExactlyOnce {
    heights: BTreeMap<Digest, Height>,
}

impl Invariant for ExactlyOnce {
    fn name(&self) -> &'static str {
        "exactly once"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        let Observation::Finalized { block, .. } = seen else {
            return Ok(());
        };
        let block = &block.commit.block;
        let height = block.header.height;
        let mut here = Vec::new();
        for transaction in &block.transactions {
            let hash = transaction.hash(&facts.genesis.chain_id);
            let first = *self.heights.entry(hash).or_insert(height);
            if first != height || here.contains(&hash) {
                return Err(format!("{hash:?} is final at height {first} and again in {block:?}"));
            }
            here.push(hash);
        }
        Ok(())
    }
}
