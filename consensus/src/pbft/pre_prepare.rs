//! Blocks as they arrive, and which of them a replica accepts in its view.
//!
//! docs/protocol/pbft.md, lines B3 and B4.

use chain::block::SealedBlock;
use chain::certificate::{Ballot, Position, VoteKind};
use chain::types::{Digest, Height, ValidatorIndex};

use super::message::{Draft, PrePrepare, ViewChange};
use super::rules::Rules;
use super::{Out, Pbft};
use crate::application::{Executed, InvalidBlock};
use crate::engine::{Outgoing, Recipients, Request, Time};
use crate::tree::BlockRef;

impl<R: Rules> Pbft<R> {
    pub(super) fn handle_pre_prepare(
        &mut self,
        from: ValidatorIndex,
        pre_prepare: PrePrepare,
        out: &mut Out,
    ) {
        self.handle_block(from, pre_prepare.block, out);
        self.handle_votes(from, pre_prepare.prepare.into_iter().collect(), out);
    }

    /// A block whose header was verified, from anyone: with its primary's signature it is the
    /// pre-prepare of its view.
    pub(super) fn handle_block(&mut self, from: ValidatorIndex, block: SealedBlock, out: &mut Out) {
        if block.header.epoch != self.epoch() {
            return;
        }
        self.note_header(&block.signed_header(), out);
        let (parent, height) = (block.header.parent, block.header.height);
        let position = Position { height: height.previous(), ..block.header.position() };
        if !self.tree.insert(block.clone(), self.now) {
            return;
        }
        self.catch_up.arrived(&block.hash());
        if self.tree.is_valid(&parent) {
            out.requests.push(Request::Execute(block));
        } else if !self.tree.knows(&parent) {
            self.want(BlockRef { position, hash: parent }, from);
            self.fetch(out);
        }
    }

    /// Execution judged a block.
    pub(super) fn handle_executed(
        &mut self,
        hash: Digest,
        verdict: Result<Executed, InvalidBlock>,
        out: &mut Out,
    ) {
        if !self.tree.judge(&hash, verdict, self.now, &mut out.events) {
            return;
        }
        for child in self.tree.waiting_children(&hash) {
            out.requests.push(Request::Execute(child));
        }
        self.try_accept(out);
        self.try_finalize(out);
    }

    /// Blocks that were too early for this node's clock and no longer are.
    pub(super) fn take_up_early(&mut self, out: &mut Out) {
        let now = self.now;
        let mut ripe = false;
        for node in self.tree.nodes_mut() {
            if node.early_until != Time::default() && node.early_until <= now {
                node.early_until = Time::default();
                ripe = true;
            }
        }
        if ripe {
            self.try_accept(out);
        }
    }

    /// The low watermark: what is final here, or was before a crash.
    pub(super) fn low(&self) -> Height {
        self.root().max(self.promises.final_height().unwrap_or_default())
    }

    /// The highest block that was accepted in this view with all below it, or the last final one.
    /// None where another block became final below an accepted one: nothing is accepted above
    /// that until finality passes it.
    pub(super) fn head(&self) -> Option<(Height, Digest)> {
        let root = self.tree.root();
        let mut head = (root.position.height, root.hash);
        while let Some(hash) = self.accepted.get(&head.0.next()) {
            self.tree.get(hash).filter(|node| node.block.header.parent == head.1)?;
            head = (head.0.next(), *hash);
        }
        Some(head)
    }

    /// B3, B4: accepts what can be accepted, in order.
    pub(super) fn try_accept(&mut self, out: &mut Out) {
        while let Some(block) = self.acceptable(out) {
            self.accept(&block, out);
        }
        self.try_commit(out);
    }

    /// B3: the next block to accept, if it is here.
    fn acceptable(&mut self, out: &mut Out) -> Option<SealedBlock> {
        let (below, parent) = self.head()?;
        let height = below.next();
        let behind = below < self.selection.base.0 || self.root() < self.low();
        if !self.may_promise()
            || !self.active()
            || behind
            || !R::between_watermarks(height, self.low())
            || self.tree.open_barrier(&parent).is_some()
        {
            return None;
        }
        if let Some(chosen) = self.selection.at(height) {
            // A quorum prepared it: its time was right for them, and its parent is that of B14.
            if !self.tree.knows(&chosen) {
                let position = Position { epoch: self.epoch(), view: self.view(), height };
                let source = self.reporter(&chosen).unwrap_or_else(|| self.primary());
                self.want(BlockRef { position, hash: chosen }, source);
                self.fetch(out);
            }
            let node = self.tree.get(&chosen).filter(|_| self.tree.is_valid(&chosen))?;
            return Some(node.block.clone());
        }
        let null = self.selection.is_null(height);
        let candidate = self.tree.nodes().find(|node| {
            let header = &node.block.header;
            header.view == self.view()
                && header.height == height
                && header.parent == parent
                && (!null || node.block.transactions.is_empty())
                && self.tree.is_acceptable(&node.block.hash(), self.now)
        });
        candidate.map(|node| node.block.clone())
    }

    /// B16: one of those who reported a chosen block as prepared, and so has it unless it lies.
    fn reporter(&self, chosen: &Digest) -> Option<ValidatorIndex> {
        let changes = &self.promises.new_view.as_ref()?.start.changes;
        let has = |change: &&ViewChange| {
            change.report.prepared.iter().any(|prepared| prepared.block() == *chosen)
        };
        let others = changes.iter().filter(|change| Some(change.sender) != self.me);
        others.into_iter().find(has).map(|change| change.sender)
    }

    /// B4: one block per height of a view, for ever.
    fn accept(&mut self, block: &SealedBlock, out: &mut Out) {
        let (height, hash) = (block.header.height, block.hash());
        let before = self.accepted.insert(height, hash);
        assert_eq!(before, None, "one pre-prepare is accepted per view and height");
        self.timers.progressed(self.now);
        let ballot = self.ballot(VoteKind::PbftPrepare, height, hash);
        self.promise_vote(ballot, out);
        let own = self.is_primary() && block.header.view == self.view();
        let draft = if own {
            self.pace.propose(self.now);
            Draft::PrePrepare { block: block.clone(), ballot }
        } else {
            Draft::Votes(vec![ballot])
        };
        out.send_after_persist.push(Outgoing::Sign(Recipients::Others, draft));
    }

    /// A vote of this view.
    pub(super) fn ballot(&self, kind: VoteKind, height: Height, block: Digest) -> Ballot {
        let position = Position { epoch: self.epoch(), view: self.view(), height };
        Ballot { kind, position, block }
    }

    /// The vote goes to disk, with its block and those of its ancestors that are not there.
    pub(super) fn promise_vote(&mut self, ballot: Ballot, out: &mut Out) {
        if !R::keeps_vote(&self.promises.votes, &ballot) {
            return;
        }
        self.promises.votes.push(ballot);
        out.persist = true;
        let mut cursor = ballot.block;
        let mut blocks = Vec::new();
        while let Some(node) = self.tree.get_mut(&cursor) {
            if node.stored {
                break;
            }
            node.stored = true;
            blocks.push(node.block.clone());
            cursor = node.block.header.parent;
        }
        out.blocks.extend(blocks.into_iter().rev());
    }
}
