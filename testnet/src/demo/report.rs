//! What the demo found.

use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use comfy_table::{Table, presets};
use node_api::chain::{EvidenceKind, EvidenceRecord};
use node_api::consensus::ModeChange;
use serde::Serialize;

use crate::audit::Audit;

/// The answer of `testnet demo --json`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub ok: bool,
    pub steps: Vec<Step>,
    pub blocks_final: u64,
    pub transactions_final: u64,
    pub mode_changes: Vec<ModeChange>,
    pub evidence: Vec<EvidenceSummary>,
    pub conflicting_final_blocks: usize,
    pub lost_final: usize,
    pub state_roots_equal: bool,
}

/// One checked step.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub name: &'static str,
    pub ok: bool,
    pub detail: String,
}

/// Evidence on chain, without its proof.
#[derive(Clone, Debug, Serialize)]
pub struct EvidenceSummary {
    /// Of the block that carries it.
    pub height: Height,
    pub hash: Digest,
    pub kind: EvidenceKind,
    pub accused: ValidatorIndex,
    pub epoch: Epoch,
    pub view: View,
    /// Where the two statements conflict.
    pub at_height: Height,
}

impl From<&EvidenceRecord> for EvidenceSummary {
    fn from(record: &EvidenceRecord) -> Self {
        Self {
            height: record.height,
            hash: record.hash,
            kind: record.kind,
            accused: record.accused,
            epoch: record.epoch,
            view: record.view,
            at_height: record.at_height,
        }
    }
}

impl Report {
    /// Takes over what the comparison of all chains showed.
    pub fn add_audit(&mut self, audit: &Audit) {
        self.blocks_final = audit.height.get();
        self.mode_changes.clone_from(&audit.mode_changes);
        self.evidence = audit.evidence.iter().map(EvidenceSummary::from).collect();
        self.conflicting_final_blocks = audit.conflicts.len();
        self.lost_final = audit.lost;
        self.state_roots_equal = audit.state_roots_equal();
    }

    /// Whether every step held so far.
    pub fn all_held(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(|step| step.ok)
    }

    /// The steps in a table.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["step", "", "what was seen"]);
        for step in &self.steps {
            table.add_row([step.name, if step.ok { "held" } else { "FAILED" }, &step.detail]);
        }
        table
    }
}
