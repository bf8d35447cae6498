//! A run as a short table for a terminal.

use std::fmt::{self, Display, Formatter};

use super::{Percentiles, Report, Summary};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rows = [
            ("run", self.heading()),
            ("simulated", format!("{:.3} s", self.simulated_ms as f64 / 1e3)),
            ("final", self.finals()),
            ("submit to ordered", latency(self.ordered_ms, self.ordered_delays)),
            ("submit to final", latency(self.latency_ms, self.latency_delays)),
            ("network delay", format!("{:.2} ms on average", self.network_delay_ms)),
            ("messages", self.messages_text()),
            ("bytes", self.bytes_text()),
            ("signatures", self.signatures_text()),
            ("storage", format!("{} syncs, {} crashes", self.syncs, self.crashes)),
            ("views", self.views_text()),
            ("longest wait", format!("{} ms without a block", self.liveness.stalled_ms)),
            ("resumed", self.resumed()),
            ("recovery", self.recovery()),
            ("safety", format!("{} violations", self.safety_violations)),
            ("lost", format!("{} acknowledged transactions", self.lost_transactions)),
            ("fault model", self.fault_model_text()),
            ("trace hash", self.trace_hash.to_string()),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<18} {value}")?;
        }
        write!(f, "{:<18} {}", "verdict", self.verdict)
    }
}

impl Report {
    /// The run in one line, for lists of runs.
    pub fn line(&self) -> String {
        format!(
            "{:<7} {:<20} n={:<3} seed {:<6} {:>6} blocks  p50 {:>8.2} ms  {:>8.2} messages/block  {}",
            self.engine,
            self.scenario,
            self.validators,
            self.seed,
            self.blocks_final,
            self.latency_ms.p50,
            self.messages_per_block,
            self.verdict,
        )
    }

    fn heading(&self) -> String {
        let Self { engine, scenario, validators, seed, .. } = self;
        format!("{engine}, {validators} validators, scenario {scenario}, seed {seed}")
    }

    fn finals(&self) -> String {
        format!(
            "{} blocks, {} transactions ({} open)",
            self.blocks_final, self.transactions_final, self.transactions_open
        )
    }

    fn messages_text(&self) -> String {
        format!(
            "{} ({} per block, {} per transaction)",
            self.messages, self.messages_per_block, self.messages_per_transaction
        )
    }

    fn bytes_text(&self) -> String {
        format!(
            "{} ({} per block, {} per transaction)",
            self.bytes, self.bytes_per_block, self.bytes_per_transaction
        )
    }

    fn signatures_text(&self) -> String {
        let rule = format!("{:?}", self.signatures).to_lowercase();
        format!("{} made, {} checked ({rule})", self.signatures_made, self.signatures_checked)
    }

    fn views_text(&self) -> String {
        format!(
            "{} started, {} leader changes, {} epochs",
            self.views, self.leader_changes, self.epochs
        )
    }

    fn resumed(&self) -> String {
        self.resumed_ms.map_or_else(
            || "nothing to resume from".to_owned(),
            |ms| format!("{ms:.1} ms from the last fault or healing to the next block"),
        )
    }

    fn recovery(&self) -> String {
        let missing = || self.liveness.missing.clone().unwrap_or_default();
        self.liveness.recovery_ms.map_or_else(
            || format!("none ({})", missing()),
            |ms| format!("{ms} ms after the faults ended"),
        )
    }

    fn fault_model_text(&self) -> String {
        let model = format!("{:?}", self.fault_model).to_lowercase();
        let stays = if self.within_fault_model { "the run stays within it" } else { "exceeded" };
        format!("{model}: {stays}")
    }
}

fn latency(ms: Percentiles, delays: Percentiles) -> String {
    format!(
        "p50 {:.2} ms  p95 {:.2} ms  p99 {:.2} ms  ({} / {} / {} network delays)",
        ms.p50, ms.p95, ms.p99, delays.p50, delays.p95, delays.p99
    )
}

impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} runs: within the fault model {} ok, {} crash, {} safety, {} liveness; \
             {} beyond it, where {} broke",
            self.runs,
            self.ok,
            self.crash,
            self.safety,
            self.liveness,
            self.beyond_fault_model,
            self.beyond_fault_model_broken,
        )?;
        writeln!(
            f,
            "{} blocks, {} transactions ({} lost), {} messages, {} crashes, {:.1} simulated seconds",
            self.blocks_final,
            self.transactions_final,
            self.lost_transactions,
            self.messages,
            self.crashes,
            self.simulated_ms as f64 / 1e3,
        )?;
        writeln!(
            f,
            "longest wait for a block {} ms, slowest recovery {} ms",
            self.stalled_ms_max, self.recovery_ms_max
        )?;
        write!(
            f,
            "{} of {} runs with real Ed25519 signatures ({:.0}%)",
            self.ed25519,
            self.runs,
            self.ed25519_share * 100.0
        )?;
        if !self.failed_seeds.is_empty() {
            write!(f, "\nfailed seeds: {:?}", self.failed_seeds)?;
        }
        Ok(())
    }
}
