//! Log matching: entries of the same height and term are the same, and so are all before them, for a
//! block names its parent. Ongaro, "Consensus: Bridging Theory and Practice" (2014), figure 3.2 and
//! section 3.5.

use std::collections::BTreeMap;

use chain::types::{Digest, Height, View};
use consensus::registry::EngineName;

use super::{Facts, Invariant, Observation};

#[derive(Debug, Default)]
pub(super) struct LogMatching {
    entries: BTreeMap<(Height, View), (Digest, usize)>,
}

impl Invariant for LogMatching {
    fn name(&self) -> &'static str {
        "log matching"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        let (node, block) = match seen {
            Observation::Proposed { node, block, .. } => (*node, *block),
            Observation::Finalized { node, block } => (*node, &block.commit.block),
            _ => return Ok(()),
        };
        if facts.engine != EngineName::Raft.as_str() || !facts.crash_only() {
            return Ok(());
        }
        let (height, term, hash) = (block.header.height, block.header.view, block.hash());
        let (first, by) = *self.entries.entry((height, term)).or_insert((hash, node));
        if first == hash {
            return Ok(());
        }
        Err(format!("height {height}, term {term}: {first:?} at node {by}, {hash:?} at {node}"))
    }
}
