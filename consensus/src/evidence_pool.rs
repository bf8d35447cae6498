//! Proofs of equivocation that wait for a barrier.

use std::collections::BTreeMap;

use chain::crypto::PublicKey;
use chain::evidence::Evidence;
use chain::validator::ValidatorSet;

/// At most one proof per accused validator: a second one does not count.
#[derive(Clone, Debug, Default)]
pub(crate) struct EvidencePool {
    by_accused: BTreeMap<PublicKey, Evidence>,
}

impl EvidencePool {
    pub(crate) fn len(&self) -> usize {
        self.by_accused.len()
    }

    pub(crate) fn all(&self) -> Vec<Evidence> {
        self.by_accused.values().cloned().collect()
    }

    /// Keeps a proof. False where one is held, or the accused is on record already.
    pub(crate) fn add(&mut self, set: &ValidatorSet, evidence: Evidence) -> bool {
        let Some(accused) = set.get(evidence.accused()) else {
            return false;
        };
        if accused.accused || self.by_accused.contains_key(&accused.consensus_key) {
            return false;
        }
        self.by_accused.insert(accused.consensus_key, evidence);
        true
    }

    /// Its barrier is final: drops what no longer counts in the next epoch.
    pub(crate) fn enter_epoch(&mut self, entered: &ValidatorSet) {
        self.by_accused.retain(|key, evidence| {
            entered
                .index_of(key)
                .and_then(|index| entered.get(index))
                .is_some_and(|validator| !validator.accused && evidence.epoch() >= validator.since)
        });
    }
}
