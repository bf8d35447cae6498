//! The validator sets of all epochs, and certificates counted by them signer by signer.

use std::collections::{BTreeMap, BTreeSet};

use chain::certificate::{Certificate, VoteKind};
use chain::types::Epoch;
use chain::validator::ValidatorSet;

use super::Facts;
use crate::genesis::Genesis;

#[derive(Clone, Debug)]
pub(super) struct Sets(BTreeMap<Epoch, ValidatorSet>);

impl Sets {
    pub(super) fn new(genesis: &Genesis) -> Self {
        let first = genesis.validators.clone();
        Self(BTreeMap::from([(first.epoch, first)]))
    }

    pub(super) fn insert(&mut self, set: ValidatorSet) {
        self.0.insert(set.epoch, set);
    }

    pub(super) fn get(&self, epoch: Epoch) -> Option<&ValidatorSet> {
        self.0.get(&epoch)
    }

    fn of(&self, certificate: &Certificate) -> Result<&ValidatorSet, String> {
        let epoch = certificate.ballot.position.epoch;
        self.0.get(&epoch).ok_or_else(|| format!("a certificate of the unknown epoch {epoch}"))
    }

    /// Whether so many signed that the block is ordered: ⌈(n+f+1)/2⌉.
    pub(super) fn check_quorum(
        &self,
        facts: &Facts,
        certificate: &Certificate,
    ) -> Result<(), String> {
        let set = self.of(certificate)?;
        let needed = (set.len() + usize::from(set.max_faulty)) / 2 + 1;
        count(facts, certificate, set, needed)
    }

    /// Whether so many signed that the block is final: n-p prepare votes or ⌈(n+f+1)/2⌉ commit
    /// votes.
    pub(super) fn check_final(
        &self,
        facts: &Facts,
        certificate: &Certificate,
    ) -> Result<(), String> {
        let set = self.of(certificate)?;
        let n = set.len();
        let f = usize::from(set.max_faulty);
        let silent = f.min((n - 3 * f).div_ceil(2));
        let needed = match certificate.ballot.kind {
            VoteKind::Prepare => n - silent,
            VoteKind::Commit => (n + f) / 2 + 1,
            VoteKind::PbftPrepare => return Err("PBFT's prepares make nothing final".to_owned()),
        };
        count(facts, certificate, set, needed)
    }
}

fn count(
    facts: &Facts,
    certificate: &Certificate,
    set: &ValidatorSet,
    needed: usize,
) -> Result<(), String> {
    let digest = certificate.ballot.digest(&facts.genesis.chain_id);
    let verifier = facts.genesis.rule.verifier();
    let n = set.len();
    let mut signers = BTreeSet::new();
    for (index, signature) in certificate.signatures.iter() {
        let Some(validator) = set.get(index) else {
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
