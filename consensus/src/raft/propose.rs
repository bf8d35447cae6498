//! The leader's own entries: when to build a block, and how it gets into the log.
//!
//! docs/protocol/raft.md, lines R20-R23 and R51, R52, R54.

use chain::block::{Block, BlockKind, Justification, Mode, SealedBlock};
use chain::crypto::Signature;
use chain::types::Digest;

use super::message::{AppendReply, Message};
use super::rules::Rules;
use super::{Out, Raft};
use crate::application::{BuildKind, BuildRequest, BuiltPayload};
use crate::engine::{Outgoing, Request, Time};
use crate::propose::header;

impl<R: Rules> Raft<R> {
    /// R20: asks execution for a block if something is wanted.
    pub(super) fn try_propose(&mut self, out: &mut Out) {
        if !self.is_leader() || self.pace.is_building() || self.proposal.is_some() {
            return;
        }
        let Some(kind) = self.wanted() else { return };
        self.pace.ask();
        out.requests.push(Request::Build(BuildRequest {
            parent: self.tip().hash,
            height: self.tip().position.height.next(),
            epoch: self.next_set().epoch,
            view: self.term(),
            kind,
            bytes: Block::MAX_TRANSACTION_BYTES,
            evidence: Vec::new(),
        }));
    }

    /// R54: whether the next block is this leader's to make: it belongs to a member of its epoch.
    pub(super) fn can_append(&self) -> bool {
        self.next_set().index_of(&self.config.me).is_some()
    }

    fn wanted(&self) -> Option<BuildKind> {
        if !self.can_append() || !self.tree.is_valid(&self.tip().hash) {
            return None;
        }
        let tip = self.tip().position;
        let barrier = self.tree.open_barrier(&self.tip().hash);
        // R52: nothing above an own barrier before that is committed.
        if barrier.is_some_and(|barrier| barrier.block.header.view == self.term()) {
            return None;
        }
        // R21, R54: a term and an epoch start with an empty block.
        let fresh = tip.view != self.term() || tip.epoch != self.next_set().epoch;
        if fresh && (R::starts_with_own_entry() || barrier.is_some()) {
            return Some(BuildKind::Null);
        }
        self.ordinary_due().filter(|due| *due <= self.now).map(|_| BuildKind::Ordinary)
    }

    /// R20: when transactions are worth a block, if the pipeline has room.
    fn ordinary_due(&self) -> Option<Time> {
        let (tip, root) = (self.tip().position.height, self.root().position.height);
        let room = tip.get() < root.get() + self.config.pipeline;
        if !room || !self.is_leader() {
            return None;
        }
        let due = self.pace.due(&self.work, tip > root, &self.config)?;
        let blocked = self.tree.open_barrier(&self.tip().hash).is_some() || !self.can_append();
        (!blocked).then_some(due)
    }

    pub(super) fn proposal_timer(&self) -> Option<Time> {
        self.ordinary_due()
    }

    /// R22: execution built the payload; the header follows from it.
    pub(super) fn handle_built(
        &mut self,
        request: &BuildRequest,
        payload: BuiltPayload,
        out: &mut Out,
    ) {
        let still = self.is_leader()
            && self.can_append()
            && request.view == self.term()
            && request.parent == self.tip().hash;
        let empty = request.kind == BuildKind::Ordinary && payload.transactions.is_empty();
        // R51
        let early =
            payload.kind == BlockKind::Barrier && !R::may_change_members(self.own_term_committed());
        if !still || empty || early {
            return self.pace.discard(self.now, &self.config);
        }
        let set = self.next_set();
        let me = set.index_of(&self.config.me).expect("checked: a member of the block's epoch");
        let justification = Justification { certificate: None, view_certificate: None };
        let header = header(&self.config, set, me, Mode::Fast, request, &payload, &justification);
        let block = SealedBlock::new(Block {
            header,
            signature: Signature([0; 64]),
            justification,
            transactions: payload.transactions,
        });
        self.pace.propose(self.now);
        self.proposal = Some(block.hash());
        self.take_block(block, out);
    }

    /// R22, R23: the own block is executed: into the log, to the followers, and to the own disk at
    /// the same time (10.2.1).
    pub(super) fn try_append_own(&mut self, hash: &Digest, out: &mut Out) {
        if self.proposal != Some(*hash) {
            return;
        }
        self.proposal = None;
        let Some(node) = self.tree.get(hash) else { return };
        if !self.is_leader() || !self.tree.is_valid(hash) || node.block.header.view != self.term() {
            return;
        }
        let block = node.reference();
        self.move_tip(block, out);
        let on_disk = AppendReply {
            term: self.term(),
            matched: block.position.height,
            round: 0,
            conflict: None,
        };
        out.send_after_persist.push(Outgoing::SignForSelf(Message::AppendReply(on_disk)));
        self.replicate(out);
    }
}
