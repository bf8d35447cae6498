//! Many runs in a few numbers.

use serde::Serialize;

use super::Report;
use crate::runner::Outcome;
use crate::signatures::SignatureRule;

/// Totals over runs, and the worst of them. Counts are of runs unless a name says otherwise.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Always true: tells this line from those of runs.
    pub summary: bool,
    pub runs: u64,
    pub ok: u64,
    pub crash: u64,
    pub safety: u64,
    pub liveness: u64,
    /// Runs that asked for more than the engine promises: what they show counts against nobody.
    pub beyond_fault_model: u64,
    /// Of those, the ones where it showed.
    pub beyond_fault_model_broken: u64,
    /// Runs with real Ed25519 signatures, and their share.
    pub ed25519: u64,
    pub ed25519_share: f64,
    pub blocks_final: u64,
    pub transactions_final: u64,
    pub messages: u64,
    pub crashes: u64,
    pub simulated_ms: u64,
    pub stalled_ms_max: u64,
    pub recovery_ms_max: u64,
    pub lost_transactions: u64,
    /// The seeds, at most a hundred, in which an engine broke a promise.
    pub failed_seeds: Vec<u64>,
    pub exit_code: u8,
}

/// Most seeds that a summary names.
const MOST_SEEDS: usize = 100;

impl Summary {
    pub fn new() -> Self {
        Self { summary: true, ..Self::default() }
    }

    pub fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.add_outcome(report);
        self.ed25519 += u64::from(report.signatures == SignatureRule::Ed25519);
        self.ed25519_share = super::ratio(self.ed25519, self.runs);
        self.blocks_final += report.blocks_final;
        self.transactions_final += report.transactions_final;
        self.messages += report.messages;
        self.crashes += report.crashes;
        self.simulated_ms += report.simulated_ms;
        self.stalled_ms_max = self.stalled_ms_max.max(report.liveness.stalled_ms);
        let recovery = report.liveness.recovery_ms.unwrap_or_default();
        self.recovery_ms_max = self.recovery_ms_max.max(recovery);
        self.lost_transactions += report.lost_transactions;
    }

    fn add_outcome(&mut self, report: &Report) {
        if !report.within_fault_model {
            self.beyond_fault_model += 1;
            self.beyond_fault_model_broken += u64::from(report.outcome != Outcome::Ok);
            return;
        }
        match report.outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Crash => self.crash += 1,
            Outcome::Safety => self.safety += 1,
            Outcome::Liveness => self.liveness += 1,
        }
        let code = report.exit_code();
        if code == 0 {
            return;
        }
        // The lowest code is the gravest outcome.
        self.exit_code = if self.exit_code == 0 { code } else { self.exit_code.min(code) };
        if self.failed_seeds.len() < MOST_SEEDS {
            self.failed_seeds.push(report.seed);
        }
    }
}
