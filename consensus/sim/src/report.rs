//! What a run showed, as data for people and programs.

mod csv;
mod losses;
mod percentiles;
mod summary;
mod text;
mod verdict;

use std::collections::BTreeMap;

use chain::types::Digest;
use serde::{Deserialize, Serialize};

use crate::application::Workload;
use crate::invariants::Violation;
use crate::plan::Plan;
use crate::promise;
use crate::runner::Outcome;
use crate::signatures::SignatureRule;
use crate::world::{ModeChange, World};
use consensus::engine::{Engine, FaultModel};
use consensus::policy::Policy;

pub use csv::{csv_header, csv_row};
pub use percentiles::Percentiles;
use percentiles::{millis, ratio};
pub use summary::Summary;

/// The account of one run. Units are in the names; `docs/simulator.md` says what each means.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub engine: String,
    /// How its leaders chose their mode; `null` where it has one.
    pub policy: Option<Policy>,
    pub scenario: String,
    pub seed: u64,
    pub validators: usize,
    pub fault_model: FaultModel,
    /// Whether the plan asks for no more than the engine promises.
    pub within_fault_model: bool,
    pub outcome: Outcome,
    /// What happened, in a sentence.
    pub verdict: String,
    pub workload: Workload,
    pub signatures: SignatureRule,
    pub simulated_ms: u64,
    pub blocks_final: u64,
    pub messages: u64,
    pub messages_by_kind: BTreeMap<String, u64>,
    pub messages_per_block: f64,
    pub messages_per_transaction: f64,
    pub bytes: u64,
    pub bytes_per_block: f64,
    pub bytes_per_transaction: f64,
    /// From the submission of a transaction to its first finality at an honest node.
    pub latency_ms: Percentiles,
    /// The same in mean network delays of this run.
    pub latency_delays: Percentiles,
    /// From the submission to the first honest node that has the block ordered.
    pub ordered_ms: Percentiles,
    pub ordered_delays: Percentiles,
    /// Mean time under way of the messages that arrived.
    pub network_delay_ms: f64,
    pub transactions_final: u64,
    pub transactions_open: u64,
    /// Final at some honest node once, and not in the final chain of the honest at the end.
    pub lost_transactions: u64,
    pub views: u64,
    pub leader_changes: u64,
    pub epochs: u64,
    /// What the plan does to the world: timed faults, liars and twins.
    pub faults: usize,
    /// From the plan's last fault or healing to the next new final block.
    pub resumed_ms: Option<f64>,
    pub crashes: u64,
    pub syncs: u64,
    /// By the engines of all nodes; transactions not counted.
    pub signatures_made: u64,
    pub signatures_checked: u64,
    pub evidence_found: u64,
    pub blocks_refused: u64,
    /// Messages that a receiver refused, by reason.
    pub refused: BTreeMap<String, u64>,
    pub mode_changes: Vec<ModeChange>,
    pub safety_violations: usize,
    pub violations: Vec<Violation>,
    pub liveness: Liveness,
    /// Events that the trace hash covers.
    pub events: u64,
    pub trace_hash: Digest,
}

/// Whether the chain came back once faults were over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Liveness {
    /// Longest time that clients waited without a new final block at any honest node.
    pub stalled_ms: u64,
    /// Every correct node has everything final, something new included.
    pub recovered: bool,
    /// How long that took after the faults ended.
    pub recovery_ms: Option<u64>,
    /// What was missing where it did not recover.
    pub missing: Option<String>,
}

impl Report {
    /// The account of a world whose run is over.
    pub fn of<E: Engine>(world: &World<E>, plan: &Plan, name: &str, liveness: Liveness) -> Self {
        let record = world.record();
        let blocks_final = world.max_final().get();
        let (messages, bytes) = (record.counters.messages_total(), record.counters.bytes);
        let transactions_final = record.latencies.len() as u64;
        let delay = record.delays.mean();
        let latency_ms = Percentiles::of(&record.latencies);
        let ordered_ms = Percentiles::of(&record.ordered_latencies);
        let beyond = promise::beyond(plan, E::FAULT_MODEL);
        let mut report = Self {
            engine: E::NAME.to_owned(),
            policy: E::SWITCHES_MODES.then_some(plan.options.policy),
            scenario: name.to_owned(),
            seed: plan.seed,
            validators: plan.validators,
            fault_model: E::FAULT_MODEL,
            within_fault_model: beyond.is_none(),
            outcome: Outcome::Ok,
            verdict: String::new(),
            workload: plan.workload,
            signatures: plan.signatures,
            simulated_ms: world.now().as_nanos() / 1_000_000,
            blocks_final,
            messages,
            messages_by_kind: record.counters.messages.clone(),
            messages_per_block: ratio(messages, blocks_final),
            messages_per_transaction: ratio(messages, transactions_final),
            bytes,
            bytes_per_block: ratio(bytes, blocks_final),
            bytes_per_transaction: ratio(bytes, transactions_final),
            latency_ms,
            latency_delays: latency_ms.in_units_of(delay),
            ordered_ms,
            ordered_delays: ordered_ms.in_units_of(delay),
            network_delay_ms: millis(delay),
            transactions_final,
            transactions_open: world.open_transactions() as u64,
            lost_transactions: losses::lost(world),
            views: record.views.len() as u64,
            leader_changes: record.leader_changes(),
            epochs: record.epochs.len() as u64,
            faults: plan.faults.len() + plan.byzantine.len() + plan.twins.len(),
            resumed_ms: record.resumed.map(millis),
            crashes: record.counters.crashes,
            syncs: world.nodes().iter().map(|node| node.disk().syncs()).sum(),
            signatures_made: world.signature_counts().made(),
            signatures_checked: world.signature_counts().checked(),
            evidence_found: record.counters.evidence_found,
            blocks_refused: record.counters.blocks_refused,
            refused: record.counters.refused.clone(),
            mode_changes: record.mode_changes.clone(),
            safety_violations: world.violations().len(),
            violations: world.violations().to_vec(),
            liveness,
            events: world.trace().events(),
            trace_hash: world.trace().hash(),
        };
        report.outcome = Outcome::of(&report);
        report.verdict = report.sentence(losses::fork(world), beyond.as_deref());
        report
    }
}
