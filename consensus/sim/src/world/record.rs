//! What is counted and timed in a run.

use std::collections::BTreeMap;
use std::time::Duration;

use chain::block::SealedBlock;
use chain::types::{Digest, Epoch, Height, View};
use consensus::engine::{Event, Reason, Time};
use serde::{Deserialize, Serialize};

use super::World;
use crate::application::Observed;
use crate::invariants::Observation;
use consensus::engine::Engine;

/// Plain counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Messages sent, by kind: one per recipient.
    pub messages: BTreeMap<String, u64>,
    pub bytes: u64,
    pub crashes: u64,
    pub syncs: u64,
    /// Messages that a receiver refused.
    pub refused: BTreeMap<String, u64>,
    /// Blocks that a validator refused to vote for.
    pub blocks_refused: u64,
    pub evidence_found: u64,
}

impl Counters {
    pub(super) fn sent(&mut self, kind: &str, bytes: usize) {
        match self.messages.get_mut(kind) {
            Some(count) => *count += 1,
            None => {
                self.messages.insert(kind.to_owned(), 1);
            }
        }
        self.bytes += bytes as u64;
    }

    pub fn messages_total(&self) -> u64 {
        self.messages.values().sum()
    }
}

/// When things happened to a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockTimes {
    pub height: Height,
    /// When its proposal first left its leader.
    pub proposed: Time,
    /// When a node first reported it as ordered.
    pub ordered: Option<Time>,
    /// When each node made it final first.
    pub finals: BTreeMap<usize, Time>,
}

/// A mode that changed on the final chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeChange {
    pub height: Height,
    pub from: chain::block::Mode,
    pub to: chain::block::Mode,
    pub reason: Reason,
}

/// The account of a run.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub counters: Counters,
    pub blocks: BTreeMap<Digest, BlockTimes>,
    /// Submission to first final at an honest node, in the order of finality.
    pub latencies: Vec<Duration>,
    /// Views that started at some node.
    pub views: BTreeMap<(Epoch, View), Time>,
    /// Epochs that started at some node.
    pub epochs: BTreeMap<Epoch, Time>,
    /// How many of the first validators are the set of the last of them.
    pub members: Option<usize>,
    pub mode_changes: Vec<ModeChange>,
    /// When the chain grew at the first honest node.
    pub heights: BTreeMap<Height, Time>,
    /// Reads that were answered, by node and number.
    pub reads: BTreeMap<u64, Height>,
}

impl Record {
    pub(super) fn proposed(&mut self, at: Time, blocks: &[SealedBlock]) {
        for block in blocks {
            self.blocks.entry(block.hash()).or_insert_with(|| BlockTimes {
                height: block.header.height,
                proposed: at,
                ordered: None,
                finals: BTreeMap::new(),
            });
        }
    }
}

impl<E: Engine> World<E> {
    /// Shows what a turn did to the invariants and keeps account of it.
    pub(super) fn record_turn(&mut self, node: usize, observed: &[Observed], events: &[Event]) {
        let honest = self.is_honest(node);
        for event in events {
            self.trace.event(self.now, b'e', node, format!("{event:?}").as_bytes());
            self.trace.line(self.now, || format!("n{node} {event:?}"));
            self.record_event(node, honest, event);
        }
        for block in observed {
            let sealed = &block.commit.block;
            self.trace.event(self.now, b'b', node, &sealed.hash().0);
            self.trace.line(self.now, || format!("n{node} final {sealed:?}"));
            if let Some(times) = self.record.blocks.get_mut(&sealed.hash()) {
                times.finals.entry(node).or_insert(self.now);
            }
            if !honest {
                continue;
            }
            self.record.heights.entry(sealed.header.height).or_insert(self.now);
            self.invariants.observe(self.now, &Observation::Finalized { node, block });
            for hash in sealed.transaction_hashes() {
                if let Some(since) = self.clients.close(hash) {
                    self.record.latencies.push(self.now.since(since));
                }
            }
        }
    }

    fn record_event(&mut self, node: usize, honest: bool, event: &Event) {
        let now = self.now;
        match event {
            Event::Ordered { height, block } => {
                if let Some(times) = self.record.blocks.get_mut(block) {
                    times.ordered.get_or_insert(now);
                }
                if honest {
                    let (height, block) = (*height, *block);
                    self.invariants.observe(now, &Observation::Ordered { node, height, block });
                }
            }
            Event::ModeChanged { height, from, to, reason } if honest => {
                let known = self.record.mode_changes.iter().any(|change| change.height == *height);
                if !known {
                    let (height, from, to, reason) = (*height, *from, *to, *reason);
                    self.record.mode_changes.push(ModeChange { height, from, to, reason });
                }
            }
            Event::ViewStarted { epoch, view, leader } if honest => {
                let (view, leader) = (*view, *leader);
                self.invariants.observe(now, &Observation::Led { node, view, leader });
                self.record.views.entry((*epoch, view)).or_insert(now);
            }
            Event::EpochStarted { epoch, validators } if honest => {
                if self.record.epochs.last_key_value().is_none_or(|(last, _)| last < epoch) {
                    self.record.members = Some(validators.len());
                }
                self.record.epochs.entry(*epoch).or_insert(now);
            }
            Event::EvidenceFound { evidence } if honest => {
                self.record.counters.evidence_found += 1;
                self.invariants.observe(now, &Observation::Believed { node, evidence });
            }
            Event::ReadReady { id, height } if honest => {
                let (id, height) = (*id, *height);
                self.record.reads.insert(id, height);
                self.invariants.observe(now, &Observation::ReadAnswered { id, height });
            }
            Event::BlockRefused { .. } if honest => self.record.counters.blocks_refused += 1,
            Event::PeerFault { fault, .. } => {
                *self.record.counters.refused.entry(fault.0.to_owned()).or_default() += 1;
            }
            _ => {}
        }
    }
}
