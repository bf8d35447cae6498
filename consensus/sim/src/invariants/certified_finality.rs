//! Nothing is final without a certificate: every proof is counted again here, signer by signer.
//! docs/protocol/hybrid.md, "Numbers": final takes n-p prepare votes or ⌈(n+f+1)/2⌉ commit votes;
//! docs/protocol/pbft.md: none but commit votes.

use std::collections::{BTreeMap, BTreeSet};

use chain::block::BlockKind;
use chain::certificate::VoteKind;
use chain::types::{Digest, Epoch};
use chain::validator::ValidatorSet;
use consensus::application::FinalityProof;
use consensus::engine::FaultModel;

use super::{Facts, Invariant, Observation};

#[derive(Debug)]
pub(super) struct CertifiedFinality {
    /// The set of every epoch, each named by hash in a proven barrier.
    sets: BTreeMap<Epoch, ValidatorSet>,
    /// Per node: final blocks still without a proof, oldest first.
    waiting: BTreeMap<usize, Vec<Digest>>,
}

impl CertifiedFinality {
    pub(super) fn new(facts: &Facts) -> Self {
        let first = facts.genesis.validators.clone();
        Self { sets: BTreeMap::from([(first.epoch, first)]), waiting: BTreeMap::new() }
    }

    fn recount(&self, facts: &Facts, proof: &FinalityProof) -> Result<(), String> {
        let ballot = &proof.certificate.ballot;
        let epoch = ballot.position.epoch;
        let Some(set) = self.sets.get(&epoch) else {
            return Err(format!("a certificate of the unknown epoch {epoch}"));
        };
        let n = set.validators.len();
        let f = usize::from(set.max_faulty);
        let silent = f.min((n - 3 * f).div_ceil(2));
        let needed = match ballot.kind {
            VoteKind::Prepare => n - silent,
            VoteKind::Commit => (n + f) / 2 + 1,
            VoteKind::PbftPrepare => return Err("PBFT's prepares make nothing final".to_owned()),
        };
        let digest = ballot.digest(&facts.genesis.chain_id);
        let verifier = facts.genesis.rule.verifier();
        let mut signers = BTreeSet::new();
        for (index, signature) in proof.certificate.signatures.iter() {
            let Some(validator) = set.validators.get(usize::from(index.get())) else {
                return Err(format!("signer {index} is none of the {n} validators"));
            };
            if !verifier.verify(&validator.consensus_key, &digest, signature) {
                return Err(format!("the signature of validator {index} is wrong"));
            }
            signers.insert(validator.consensus_key);
        }
        if signers.len() < needed {
            return Err(format!("{} signers where {needed} are needed", signers.len()));
        }
        Ok(())
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
                self.recount(facts, proof)
                    .map_err(|why| format!("node {node}, proof of {block:?}: {why}"))?;
                if let Some(set) = &observed.next_validators {
                    if set.hash(&facts.genesis.chain_id) != block.header.next_validators_hash {
                        return Err(format!("{block:?} names another set than execution gave"));
                    }
                    self.sets.insert(set.epoch, set.clone());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
