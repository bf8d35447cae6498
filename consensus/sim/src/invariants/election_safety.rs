//! Election safety: at most one leader per term. Ongaro, "Consensus: Bridging Theory and Practice"
//! (2014), figure 3.2 and section 3.4.

use std::collections::BTreeMap;

use chain::types::{ValidatorIndex, View};
use consensus::registry::EngineName;

use super::{Facts, Invariant, Observation};

#[derive(Debug, Default)]
pub(super) struct ElectionSafety {
    /// Raft's terms go on across epochs.
    leaders: BTreeMap<View, (ValidatorIndex, usize)>,
}

impl Invariant for ElectionSafety {
    fn name(&self) -> &'static str {
        "election safety"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        let Observation::Led { node, view, leader } = seen else {
            return Ok(());
        };
        if facts.engine != EngineName::Raft.as_str() || !facts.crash_only() {
            return Ok(());
        }
        let (first, by) = *self.leaders.entry(*view).or_insert((*leader, *node));
        if first == *leader {
            return Ok(());
        }
        Err(format!("term {view}: node {by} follows {first}, node {node} follows {leader}"))
    }
}
