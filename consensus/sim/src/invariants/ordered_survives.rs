//! Where nodes only crash, what was ordered once stays: no other block becomes final there,
//! in whatever view or mode, so also across every change of mode. (What is final survives liars and
//! mode changes by `agreement`, which knows of neither.)
//! docs/protocol/hybrid.md, "What finality means".

use std::collections::BTreeMap;

use chain::types::{Digest, Height};

use super::{Facts, Invariant, Observation};

#[derive(Debug, Default)]
pub(super) struct OrderedSurvives {
    ordered: BTreeMap<Height, (Digest, usize)>,
}

impl Invariant for OrderedSurvives {
    fn name(&self) -> &'static str {
        "ordered survives crashes"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        if !facts.crash_only() {
            return Ok(());
        }
        let (node, height, hash) = match seen {
            Observation::Ordered { node, height, block } => (*node, *height, *block),
            Observation::Finalized { node, block } => {
                let block = &block.commit.block;
                (*node, block.header.height, block.hash())
            }
            _ => return Ok(()),
        };
        let (first, by) = *self.ordered.entry(height).or_insert((hash, node));
        if first == hash {
            return Ok(());
        }
        Err(format!("height {height}: {first:?} was ordered at node {by}, {hash:?} at {node}"))
    }
}
