//! Leader completeness: a leader has every entry that was committed in an earlier term. Ongaro,
//! "Consensus: Bridging Theory and Practice" (2014), figure 3.2 and section 3.6.3.
//!
//! Looked at when a leader sends its first own block: the ancestors of that are its log. A leader is
//! exempt if something of its own or of a later term is final already: it was elected long ago and
//! heard of it late.

use std::collections::{BTreeMap, BTreeSet};

use chain::block::SealedBlock;
use chain::types::{Digest, Height, View};
use consensus::registry::EngineName;

use super::{Facts, Invariant, Observation};

#[derive(Debug, Default)]
pub(super) struct LeaderCompleteness {
    parents: BTreeMap<Digest, Digest>,
    finals: BTreeMap<Height, Digest>,
    /// The highest term of a final block.
    newest: View,
    /// Terms of which a first block was seen.
    started: BTreeSet<View>,
    /// Leaders with entries that nobody else has seen yet.
    open: Vec<Start>,
}

/// A leader's log as it was elected.
#[derive(Clone, Copy, Debug)]
struct Start {
    term: View,
    /// The end of the log.
    tip: Digest,
    height: Height,
    /// What was final then.
    top: Height,
}

impl LeaderCompleteness {
    /// The first block of a term, by whoever leads it.
    fn note(&mut self, block: &SealedBlock) {
        let header = &block.header;
        let top = self.finals.keys().next_back();
        if self.started.insert(header.view)
            && header.view > self.newest
            && let Some(top) = top
        {
            let height = header.height.previous();
            let start = Start { term: header.view, tip: header.parent, height, top: *top };
            self.open.push(start);
        }
    }

    /// Walks down the log to the highest block that was final. False where an entry is not known.
    fn check(&self, start: &Start) -> Result<bool, String> {
        let Start { term, mut height, top, .. } = *start;
        if height < top {
            return Err(format!(
                "the log of the leader of term {term} ends at {height} below {top}"
            ));
        }
        let mut entry = start.tip;
        while height > top {
            let Some(parent) = self.parents.get(&entry) else {
                return Ok(false);
            };
            (entry, height) = (*parent, height.previous());
        }
        match self.finals.get(&top) {
            Some(hash) if *hash != entry => Err(format!(
                "the leader of term {term} has {entry:?} at height {top}, where {hash:?} is final"
            )),
            _ => Ok(true),
        }
    }
}

impl Invariant for LeaderCompleteness {
    fn name(&self) -> &'static str {
        "leader completeness"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        if facts.engine != EngineName::Raft.as_str() || !facts.crash_only() {
            return Ok(());
        }
        match seen {
            Observation::Proposed { block, own, .. } => {
                self.parents.insert(block.hash(), block.header.parent);
                if *own {
                    self.note(block);
                }
            }
            Observation::Finalized { block, .. } => {
                let block = &block.commit.block;
                self.parents.insert(block.hash(), block.header.parent);
                self.finals.insert(block.header.height, block.hash());
                self.newest = self.newest.max(block.header.view);
            }
            _ => return Ok(()),
        }
        for start in std::mem::take(&mut self.open) {
            if !self.check(&start)? {
                self.open.push(start);
            }
        }
        Ok(())
    }
}
