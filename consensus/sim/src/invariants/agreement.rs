//! Agreement: one final block per height over all honest nodes, restarts included.
//! docs/protocol/hybrid.md, safety argument.

use std::collections::BTreeMap;

use chain::types::{Digest, Height};

use super::{Facts, Invariant, Observation};

#[derive(Debug, Default)]
pub(super) struct Agreement {
    finals: BTreeMap<Height, (Digest, usize)>,
}

impl Invariant for Agreement {
    fn name(&self) -> &'static str {
        "agreement"
    }

    fn observe(&mut self, _facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        let Observation::Finalized { node, block } = seen else {
            return Ok(());
        };
        let block = &block.commit.block;
        let (height, hash) = (block.header.height, block.hash());
        let (known, by) = *self.finals.entry(height).or_insert((hash, *node));
        if known == hash {
            return Ok(());
        }
        Err(format!("height {height}: node {by} has {known:?} final, node {node} has {hash:?}"))
    }
}
