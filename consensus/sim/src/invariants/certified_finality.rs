//! Nothing is final without a certificate: every proof is counted again here, signer by signer.
//! docs/protocol/hybrid.md, "Numbers": final takes n-p prepare votes or ⌈(n+f+1)/2⌉ commit votes;
//! docs/protocol/pbft.md: none but commit votes.

use std::collections::BTreeMap;

use chain::block::BlockKind;
use chain::types::Digest;
use consensus::engine::FaultModel;

use super::sets::Sets;
use super::{Facts, Invariant, Observation};

#[derive(Debug)]
pub(super) struct CertifiedFinality {
    /// Each named by hash in a proven barrier.
    sets: Sets,
    /// Per node: final blocks still without a proof, oldest first.
    waiting: BTreeMap<usize, Vec<Digest>>,
}

impl CertifiedFinality {
    pub(super) fn new(facts: &Facts) -> Self {
        Self { sets: Sets::new(&facts.genesis), waiting: BTreeMap::new() }
    }
}

impl Invariant for CertifiedFinality {
    fn name(&self) -> &'static str {
        "certificate-backed finality"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        if facts.genesis.fault_model == FaultModel::Crash {
            return Ok(());
        }
        match seen {
            Observation::Started { node, .. } => {
                self.waiting.remove(node);
                Ok(())
            }
            Observation::Finalized { node, block: observed } => {
                let block = &observed.commit.block;
                let waiting = self.waiting.entry(*node).or_default();
                waiting.push(block.hash());
                let Some(proof) = &observed.commit.proof else {
                    return if block.header.kind == BlockKind::Barrier {
                        Err(format!("the barrier {block:?} is final without a proof"))
                    } else {
                        Ok(())
                    };
                };
                waiting.clear();
                // The certified block itself, or a chain of headers from it down to the block.
                let mut expected = proof.certificate.ballot.block;
                for signed in &proof.headers {
                    if signed.header.hash(&facts.genesis.chain_id) != expected {
                        return Err(format!("the proof of {block:?} does not hang together"));
                    }
                    expected = signed.header.parent;
                }
                if expected != block.hash() {
                    return Err(format!("the proof given for {block:?} is about {expected:?}"));
                }
                self.sets
                    .check_final(facts, &proof.certificate)
                    .map_err(|why| format!("node {node}, proof of {block:?}: {why}"))?;
                if let Some(set) = &observed.next_validators {
                    if set.hash(&facts.genesis.chain_id) != block.header.next_validators_hash {
                        return Err(format!("{block:?} names another set than execution gave"));
                    }
                    self.sets.insert(set.clone());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
