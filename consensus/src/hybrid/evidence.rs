//! Finding equivocations, keeping the proof until it is on a final chain, leaving the liar's view.

use std::collections::BTreeMap;

use chain::block::SignedHeader;
use chain::crypto::PublicKey;
use chain::evidence::Evidence;
use chain::validator::ValidatorSet;

use super::message::{LeaveReason, Message};
use super::tree::WINDOW;
use super::{Hybrid, Out};
use crate::engine::{Event, Outgoing, Reason, Recipients};

/// At most one proof per accused validator: a second one does not count.
#[derive(Clone, Debug, Default)]
pub(super) struct EvidencePool {
    by_accused: BTreeMap<PublicKey, Evidence>,
}

impl EvidencePool {
    pub(super) fn len(&self) -> usize {
        self.by_accused.len()
    }

    pub(super) fn all(&self) -> Vec<Evidence> {
        self.by_accused.values().cloned().collect()
    }

    /// Keeps a proof. False where one is held, or the accused is on record already.
    fn add(&mut self, set: &ValidatorSet, evidence: Evidence) -> bool {
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
    pub(super) fn enter_epoch(&mut self, entered: &ValidatorSet) {
        self.by_accused.retain(|key, evidence| {
            entered
                .index_of(key)
                .and_then(|index| entered.get(index))
                .is_some_and(|validator| !validator.accused && evidence.epoch() >= validator.since)
        });
    }
}

impl Hybrid {
    /// Remembers the first header at a position; a second, different one is evidence.
    pub(super) fn note_header(&mut self, signed: &SignedHeader, out: &mut Out) {
        let position = signed.header.position();
        let root = self.tree.root().position.height.get();
        let height = position.height.get();
        if position.epoch != self.epoch() || height <= root || height > root + WINDOW {
            return;
        }
        match self.headers.get(&position) {
            None => {
                // One who signs many must not keep those of others from being remembered.
                let proposer = signed.header.proposer;
                let held = self.headers.values().filter(|held| held.header.proposer == proposer);
                if held.count() < 2 * WINDOW as usize {
                    self.headers.insert(position, signed.clone());
                }
            }
            Some(first) if first.header == signed.header => {}
            Some(first) => {
                let evidence = Evidence::from_headers(first, signed, &self.config.chain_id);
                if let Some(evidence) = evidence {
                    self.handle_evidence(evidence, out);
                }
            }
        }
    }

    /// Verified evidence of this epoch, found here or told by a peer: gossip it, leave the view at
    /// once if its leader lied, and keep it for a barrier.
    pub(super) fn handle_evidence(&mut self, evidence: Evidence, out: &mut Out) {
        if evidence.epoch() != self.epoch() || !self.evidence.add(&self.set, evidence.clone()) {
            return;
        }
        let accused = evidence.accused();
        if accused == self.set.leader(evidence.view()) {
            // Whatever made validators leave that view first, this was the cause.
            self.reasons.insert(evidence.view().next(), Reason::Equivocation);
        }
        out.events.push(Event::EvidenceFound { evidence: Box::new(evidence.clone()) });
        if self.me.is_some() {
            let message = Message::Evidence(Box::new(evidence));
            out.send.push(Outgoing::Ready(Recipients::Others, message));
        }
        if accused == self.leader() && self.may_promise() {
            self.leave_view(self.view().next(), LeaveReason::Evidence, out);
        }
    }
}
