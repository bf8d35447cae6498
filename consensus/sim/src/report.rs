//! What a run showed, as data for people and programs.

use std::collections::BTreeMap;
use std::time::Duration;

use chain::types::{Digest, Height};
use serde::{Deserialize, Serialize};

use crate::application::Workload;
use crate::invariants::Violation;
use crate::plan::Plan;
use crate::signatures::SignatureRule;
use crate::world::{ModeChange, World};
use consensus::engine::Engine;

/// The account of one run. Units are in the names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub engine: String,
    pub scenario: String,
    pub seed: u64,
    pub validators: usize,
    pub workload: Workload,
    pub signatures: SignatureRule,
    pub simulated_ms: u64,
    pub blocks_final: u64,
    pub messages: u64,
    pub messages_by_kind: BTreeMap<String, u64>,
    pub messages_per_block: f64,
    pub bytes: u64,
    /// From the submission of a transaction to its first finality at an honest node.
    pub latency_ms: Percentiles,
    pub transactions_final: u64,
    pub transactions_open: u64,
    pub views: u64,
    pub epochs: u64,
    pub crashes: u64,
    pub syncs: u64,
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
    /// Longest time without a new final block at any honest node.
    pub stalled_ms: u64,
    /// Every correct node has everything final, something new included.
    pub recovered: bool,
    /// How long that took after the faults ended.
    pub recovery_ms: Option<u64>,
    /// What was missing where it did not recover.
    pub missing: Option<String>,
}

/// Percentiles in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

impl Percentiles {
    /// Of durations in any order; zeros where there are none.
    pub fn of(durations: &[Duration]) -> Self {
        let mut sorted = durations.to_vec();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
            sorted.get(place).map_or(0.0, |duration| duration.as_secs_f64() * 1e3)
        };
        Self { p50: at(50), p95: at(95), p99: at(99), max: at(100) }
    }
}

impl Report {
    pub fn of<E: Engine>(world: &World<E>, plan: &Plan, name: &str, liveness: Liveness) -> Self {
        let record = world.record();
        let blocks_final = world.max_final().get();
        let messages = record.counters.messages_total();
        Self {
            engine: E::NAME.to_owned(),
            scenario: name.to_owned(),
            seed: plan.seed,
            validators: plan.validators,
            workload: plan.workload,
            signatures: plan.signatures,
            simulated_ms: world.now().as_nanos() / 1_000_000,
            blocks_final,
            messages,
            messages_by_kind: record.counters.messages.clone(),
            messages_per_block: messages as f64 / blocks_final.max(1) as f64,
            bytes: record.counters.bytes,
            latency_ms: Percentiles::of(&record.latencies),
            transactions_final: record.latencies.len() as u64,
            transactions_open: world.open_transactions() as u64,
            views: record.views.len() as u64,
            epochs: record.epochs.len() as u64,
            crashes: record.counters.crashes,
            syncs: world.nodes().iter().map(|node| node.disk().syncs()).sum(),
            evidence_found: record.counters.evidence_found,
            blocks_refused: record.counters.blocks_refused,
            refused: record.counters.refused.clone(),
            mode_changes: record.mode_changes.clone(),
            safety_violations: world.violations().len(),
            violations: world.violations().to_vec(),
            liveness,
            events: world.trace().events(),
            trace_hash: world.trace().hash(),
        }
    }
}

/// Longest gap between two final blocks up to now, by the world's clock.
pub fn longest_gap<E: Engine>(world: &World<E>) -> Duration {
    let mut last = consensus::engine::Time::default();
    let mut longest = Duration::ZERO;
    let heights: &BTreeMap<Height, _> = &world.record().heights;
    for at in heights.values().copied().chain([world.now()]) {
        longest = longest.max(at.since(last));
        last = last.max(at);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_members_of_the_sample() {
        let sample: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        let percentiles = Percentiles::of(&sample);
        assert_eq!(percentiles, Percentiles { p50: 50.0, p95: 95.0, p99: 99.0, max: 100.0 });
        assert_eq!(Percentiles::of(&[]), Percentiles::default());
    }
}
