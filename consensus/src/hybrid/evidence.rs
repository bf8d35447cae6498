//! Finding equivocations, keeping the proof until it is on a final chain, leaving the liar's view.

use chain::block::SignedHeader;
use chain::evidence::Evidence;

use super::message::{LeaveReason, Message};
use super::{Hybrid, Out};
use crate::engine::{Event, Outgoing, Reason, Recipients};
use crate::tree::WINDOW;

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
