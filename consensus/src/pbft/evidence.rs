//! Finding equivocations, keeping the proof until it is on a final chain, leaving the liar's view.
//!
//! docs/protocol/pbft.md, line B20.

use chain::block::SignedHeader;
use chain::evidence::Evidence;

use super::message::Message;
use super::rules::Rules;
use super::{Out, Pbft};
use crate::engine::{Event, Outgoing, Reason, Recipients};
use crate::tree::WINDOW;

impl<R: Rules> Pbft<R> {
    /// Remembers the first header at a position; a second, different one is evidence.
    pub(super) fn note_header(&mut self, signed: &SignedHeader, out: &mut Out) {
        let position = signed.header.position();
        let (root, height) = (self.root().get(), position.height.get());
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

    /// Verified evidence of this epoch, found here or told by a peer: pass it on, leave the view
    /// at once if its primary lied, and keep it for a barrier.
    pub(super) fn handle_evidence(&mut self, evidence: Evidence, out: &mut Out) {
        if evidence.epoch() != self.epoch() || !self.evidence.add(&self.set, evidence.clone()) {
            return;
        }
        let accused = evidence.accused();
        out.events.push(Event::EvidenceFound { evidence: Box::new(evidence.clone()) });
        if self.may_promise() {
            let message = Message::Evidence(Box::new(evidence));
            out.send.push(Outgoing::Ready(Recipients::Others, message));
            if accused == self.primary() {
                self.leave_view(self.view().next(), Reason::Equivocation, out);
            }
        }
    }
}
