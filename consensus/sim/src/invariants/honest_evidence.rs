//! There is never evidence against an honest validator.

use chain::evidence::Evidence;
use chain::transaction::Transaction;

use super::{Facts, Invariant, Observation};

#[derive(Debug)]
pub(super) struct HonestEvidence;

fn judge(facts: &Facts, evidence: &Evidence) -> Result<(), String> {
    let accused = evidence.accused();
    if facts.is_honest(evidence.epoch(), accused) == Some(false) {
        return Ok(());
    }
    Err(format!("evidence against the honest validator {accused}: {evidence:?}"))
}

impl Invariant for HonestEvidence {
    fn name(&self) -> &'static str {
        "no evidence against the honest"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        match seen {
            Observation::Believed { evidence, .. } => judge(facts, evidence),
            Observation::Finalized { block, .. } => {
                for transaction in &block.commit.block.transactions {
                    if let Transaction::Evidence(evidence) = transaction {
                        judge(facts, evidence)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
