//! The primary: when to propose, and what.
//!
//! docs/protocol/pbft.md, lines B1 and B2.

use chain::block::{Block, Justification, Mode};
use chain::types::{Digest, Height};

use super::message::Draft;
use super::rules::{LOG_SIZE, Rules};
use super::{Out, Pbft};
use crate::application::{BuildKind, BuildRequest, BuiltPayload};
use crate::engine::{Outgoing, Request, Time};
use crate::propose::{Work, header};

impl<R: Rules> Pbft<R> {
    /// B1: proposes if this node leads, something is wanted and the pipeline has room.
    pub(super) fn try_propose(&mut self, out: &mut Out) {
        let Some(parent) = self.parent() else {
            return;
        };
        let due = self.proposal_due(parent);
        if due.is_none_or(|due| self.now < due) {
            return;
        }
        self.pace.ask();
        out.requests.push(Request::Build(self.request(parent)));
    }

    fn request(&self, (below, parent): (Height, Digest)) -> BuildRequest {
        let height = below.next();
        let null = self.selection.is_null(height);
        BuildRequest {
            parent,
            height,
            epoch: self.epoch(),
            view: self.view(),
            kind: if null { BuildKind::Null } else { BuildKind::Ordinary },
            bytes: Block::MAX_TRANSACTION_BYTES,
            evidence: if null { Vec::new() } else { self.evidence.all() },
        }
    }

    /// Whether this node may pre-prepare in its view: after a restart never in one it led before.
    fn may_lead(&self) -> bool {
        self.active()
            && self.is_primary()
            && self.led_before.is_none_or(|led| self.view() > led)
            && self.root() == self.low()
    }

    /// The block to build on, where one may be built: everything that the view started from is
    /// accepted, no barrier is open and the pipeline has room.
    fn parent(&self) -> Option<(Height, Digest)> {
        let head = self.head().filter(|_| self.may_lead())?;
        let room = self.config.pipeline.clamp(1, LOG_SIZE);
        let ready = head.0 >= self.selection.top()
            && head.0.get() < self.root().get() + room
            && self.tree.is_valid(&head.1)
            && self.tree.open_barrier(&head.1).is_none();
        ready.then_some(head)
    }

    /// When the next block is due; none where nothing wants one.
    fn proposal_due(&self, parent: (Height, Digest)) -> Option<Time> {
        let null = self.selection.is_null(parent.0.next());
        // Evidence waits for a block as transactions do, and a null request for nothing.
        let pending_count = self.work.pending_count + self.evidence.len() + usize::from(null);
        let work = Work { pending_count, ..self.work };
        let in_flight = parent.0 > self.root() && !null;
        self.pace.due(&work, in_flight, &self.config)
    }

    /// When proposing should be tried again though nothing arrives.
    pub(super) fn proposal_timer(&self) -> Option<Time> {
        self.parent().and_then(|parent| self.proposal_due(parent))
    }

    /// B2: execution built the payload; the header follows from it. The mark "I lead v" is on
    /// disk with the primary's own prepare, before either leaves.
    pub(super) fn handle_built(
        &mut self,
        request: &BuildRequest,
        payload: BuiltPayload,
        out: &mut Out,
    ) {
        if request.epoch != self.epoch() || request.view != self.view() {
            return;
        }
        let current = self.parent().map(|parent| self.request(parent));
        let worthless = payload.transactions.is_empty() && request.kind != BuildKind::Null;
        let (Some(me), false) = (self.me, current.as_ref() != Some(request) || worthless) else {
            return self.pace.discard(self.now, &self.config);
        };
        let justification = Justification {
            certificate: self.final_certificate().cloned(),
            view_certificate: None,
        };
        let mode = Mode::Pbft;
        let header = header(&self.config, &self.set, me, mode, request, &payload, &justification);
        self.promises.led = Some(self.view());
        let transactions = payload.transactions;
        let draft = Draft::Proposal { header: Box::new(header), justification, transactions };
        out.send.push(Outgoing::SignForSelf(draft));
    }
}
