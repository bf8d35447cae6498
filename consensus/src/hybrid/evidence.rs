//! Finding equivocations, keeping the proof until it is on a final chain, leaving the liar's view.

use chain::block::SignedHeader;
use chain::evidence::Evidence;

use super::message::{LeaveReason, Message};
use super::rules::Rules;
use super::{Hybrid, Out};
use crate::engine::{Event, Outgoing, Reason, Recipients};

impl<R: Rules> Hybrid<R> {
    /// Remembers the first header at a position; a second, different one is evidence.
    pub(super) fn note_header(&mut self, signed: &SignedHeader, out: &mut Out) {
        if signed.header.epoch != self.epoch() {
            return;
        }
        let root = self.tree.root().position.height;
        if let Some(evidence) = self.headers.note(signed, root, &self.config.chain_id) {
            self.handle_evidence(evidence, out);
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
