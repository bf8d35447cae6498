//! What is counted and timed in a run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chain::block::SealedBlock;
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::ValidatorSet;
use consensus::engine::{Event, Reason, Time};
use serde::{Deserialize, Serialize};

use super::World;
use crate::application::Observed;
use crate::invariants::Observation;
use crate::trace::Happening;
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
    /// When an honest node first reported it as ordered.
    pub ordered: Option<Time>,
    pub transactions: Vec<Digest>,
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
    /// Submission to first ordered at an honest node; to first final where no block was reported
    /// as ordered before.
    pub ordered_latencies: Vec<Duration>,
    /// Neither ordered nor final at any honest node, and when they were submitted.
    unordered: BTreeMap<Digest, Time>,
    /// Final at some honest node, which may have told a client.
    pub acknowledged: BTreeSet<Digest>,
    /// The highest block of which clients were told that it is final.
    pub told: Option<Height>,
    pub delays: Delays,
    pub waiting: Waiting,
    /// When the last fault or healing of the plan struck.
    last_fault: Option<Time>,
    /// From then to the next new final block.
    pub resumed: Option<Duration>,
    /// Who led the views that started at some honest node.
    pub leaders: BTreeMap<(Epoch, View), ValidatorIndex>,
    /// Views that started at some node.
    pub views: BTreeMap<(Epoch, View), Time>,
    /// Epochs that started at some node.
    pub epochs: BTreeMap<Epoch, Time>,
    /// The set of the last of them.
    pub set: Option<ValidatorSet>,
    pub mode_changes: Vec<ModeChange>,
    /// When the chain grew at the first honest node.
    pub heights: BTreeMap<Height, Time>,
    /// Reads that were answered, by node and number.
    pub reads: BTreeMap<u64, Height>,
}

/// How long messages were under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    total: Duration,
    messages: u32,
}

impl Delays {
    pub(super) fn add(&mut self, departure: Time, arrival: Option<Time>) {
        if let Some(arrival) = arrival
            && self.messages < u32::MAX
        {
            self.total += arrival.since(departure);
            self.messages += 1;
        }
    }

    /// Of the messages that arrived; zero where none did.
    pub fn mean(self) -> Duration {
        self.total.checked_div(self.messages).unwrap_or_default()
    }
}

/// How long clients waited without a new final block anywhere honest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    since: Option<Time>,
    longest: Duration,
}

impl Waiting {
    fn submitted(&mut self, now: Time) {
        self.since.get_or_insert(now);
    }

    fn grew(&mut self, now: Time, open: bool) {
        self.longest = self.longest(now);
        self.since = open.then_some(now);
    }

    /// The longest wait up to now, the one that goes on included.
    pub fn longest(self, now: Time) -> Duration {
        self.longest.max(self.since.map_or(Duration::ZERO, |since| now.since(since)))
    }
}

impl Record {
    /// How often a view started under another leader than the one before it.
    pub fn leader_changes(&self) -> u64 {
        let leaders: Vec<_> = self.leaders.values().collect();
        leaders.windows(2).filter(|pair| pair[0] != pair[1]).count() as u64
    }

    pub(super) fn struck(&mut self, now: Time) {
        self.last_fault = Some(now);
        self.resumed = None;
    }

    /// The chain grew; `open` says whether clients wait for more.
    fn grew(&mut self, now: Time, open: bool) {
        self.waiting.grew(now, open);
        if self.resumed.is_none() {
            self.resumed = self.last_fault.map(|since| now.since(since));
        }
    }

    pub(super) fn submitted(&mut self, at: Time, transaction: Digest) {
        self.unordered.insert(transaction, at);
        self.waiting.submitted(at);
    }

    fn ordered(&mut self, at: Time, transaction: &Digest) {
        if let Some(since) = self.unordered.remove(transaction) {
            self.ordered_latencies.push(at.since(since));
        }
    }

    pub(super) fn proposed(&mut self, at: Time, blocks: &[SealedBlock]) {
        for block in blocks {
            self.blocks.entry(block.hash()).or_insert_with(|| BlockTimes {
                height: block.header.height,
                proposed: at,
                ordered: None,
                transactions: block.transaction_hashes().to_vec(),
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
            self.trace.tell(self.now, || told(node, event));
            self.record_event(node, honest, event);
        }
        for block in observed {
            let sealed = &block.commit.block;
            self.trace.event(self.now, b'b', node, &sealed.hash().0);
            self.trace.line(self.now, || format!("n{node} final {sealed:?}"));
            self.trace.tell(self.now, || Happening::Final {
                node,
                height: sealed.header.height,
                view: sealed.header.view,
                block: sealed.hash(),
                transactions: sealed.transactions.len(),
            });
            if let Some(times) = self.record.blocks.get_mut(&sealed.hash()) {
                times.finals.entry(node).or_insert(self.now);
            }
            if self.is_believed(node) {
                self.acknowledge(sealed);
            }
            if !honest {
                continue;
            }
            let is_first = !self.record.heights.contains_key(&sealed.header.height);
            self.record.heights.entry(sealed.header.height).or_insert(self.now);
            self.invariants.observe(self.now, &Observation::Finalized { node, block });
            if is_first && let Some(ledger) = &block.ledger {
                self.hear_of(ledger);
            }
            if is_first {
                self.record.grew(self.now, self.open_transactions() > 0);
            }
        }
    }

    /// Clients are told that transactions are final.
    fn acknowledge(&mut self, block: &SealedBlock) {
        self.record.told = self.record.told.max(Some(block.header.height));
        for hash in block.transaction_hashes() {
            if let Some(since) = self.clients.close(hash) {
                self.record.ordered(self.now, hash);
                self.record.acknowledged.insert(*hash);
                self.record.latencies.push(self.now.since(since));
            }
        }
    }

    /// The first leader's view may start without anybody saying so.
    pub(super) fn record_first_leader(&mut self) {
        let first = self.honest_nodes().next().and_then(|node| self.nodes[node].status());
        if let Some(status) = first
            && let Some(leader) = status.leader
        {
            self.record.leaders.entry((status.epoch, status.view)).or_insert(leader);
        }
    }

    /// The number of the key that a node means by a seat: it may be an epoch behind others, in which
    /// the same validator sat elsewhere.
    fn number_of(&self, node: usize, seat: ValidatorIndex) -> Option<ValidatorIndex> {
        let key = self.nodes[node].seating.holder(seat)?;
        self.nodes.iter().find(|node| node.key == key).map(|node| node.validator)
    }

    fn record_event(&mut self, node: usize, honest: bool, event: &Event) {
        let now = self.now;
        match event {
            Event::Ordered { height, block } => {
                let times = self.record.blocks.get_mut(block);
                let fresh = times.filter(|times| honest && times.ordered.is_none());
                let transactions = fresh.map(|times| {
                    times.ordered = Some(now);
                    times.transactions.clone()
                });
                for transaction in transactions.iter().flatten() {
                    self.record.ordered(now, transaction);
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
                if let Some(number) = self.number_of(node, leader) {
                    let led = Observation::Led { node, view, leader: number };
                    self.invariants.observe(now, &led);
                }
                self.record.leaders.entry((*epoch, view)).or_insert(leader);
                self.record.views.entry((*epoch, view)).or_insert(now);
            }
            Event::EpochStarted { epoch, validators } if honest => {
                if self.record.epochs.last_key_value().is_none_or(|(last, _)| last < epoch) {
                    self.record.set = Some(validators.clone());
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

/// What a sink is told of an engine's event.
fn told(node: usize, event: &Event) -> Happening<'static> {
    match event {
        Event::Ordered { height, block } => {
            Happening::Ordered { node, height: *height, block: *block }
        }
        Event::ModeChanged { height, from, to, .. } => {
            Happening::Mode { node, height: *height, from: *from, to: *to }
        }
        Event::ViewStarted { epoch, view, leader } => {
            Happening::View { node, epoch: *epoch, view: *view, leader: *leader }
        }
        Event::EpochStarted { epoch, validators } => {
            Happening::Epoch { node, epoch: *epoch, validators: validators.len() }
        }
        other => Happening::Event { node, event: format!("{other:?}") },
    }
}
