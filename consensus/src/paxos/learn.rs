//! Learning what was chosen, and making it final in order.
//!
//! docs/protocol/paxos.md, lines L1-L4 and R1-R3.

use chain::block::{BlockKind, SealedBlock};
use chain::types::{Digest, ValidatorIndex};
use chain::validator::ValidatorSet;

use super::record::Record;
use super::{Ahead, Out, Part, Paxos, Rules};
use crate::application::{Commit, Executed, InvalidBlock};
use crate::engine::{Event, Request};
use crate::tree::{BlockRef, Node};

impl<R: Rules> Paxos<R> {
    /// Keeps a block of the current epoch, and executes it if its parent is.
    pub(super) fn add_block(&mut self, block: SealedBlock, out: &mut Out) {
        let parent = block.header.parent;
        if block.header.epoch == self.epoch() && self.tree.insert(block.clone(), self.now) {
            self.catch_up.arrived(&block.hash());
            if self.tree.is_valid(&parent) {
                out.requests.push(Request::Execute(block));
            }
        }
    }

    /// Execution judged a block: whatever waited for it goes on.
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
        self.try_commit(out);
        self.try_lead(out);
    }

    /// L1: somebody says that a block is chosen. It may still be on its way.
    pub(super) fn note_chosen(&mut self, block: BlockRef, from: ValidatorIndex, out: &mut Out) {
        if block.position.height <= self.final_height() {
            return;
        }
        self.chosen.note(block, ());
        self.want_path(block, from);
        self.try_commit(out);
    }

    /// L2: commits the highest chosen block that is here and executed with its ancestors: they are
    /// chosen as well.
    pub(super) fn try_commit(&mut self, out: &mut Out) {
        if let Some((path, ())) = self.chosen.ready(&self.tree) {
            self.commit(path, out);
            self.try_accept(out);
            self.try_lead(out);
        }
    }

    fn commit(&mut self, path: Vec<Node>, out: &mut Out) {
        let last = path.last().expect("a chosen block above the root").reference();
        let mut barrier = None;
        for node in path {
            assert!(barrier.is_none(), "no block above a barrier of its epoch is ever chosen");
            out.commits.push(Commit { block: node.block.clone(), proof: None });
            if node.block.header.kind == BlockKind::Barrier {
                barrier = Some(node);
            }
        }
        self.tree.set_root(&last.hash);
        let root = self.final_height();
        self.chosen.forget_up_to(root);
        // L2: what does not extend the final chain was never chosen and never will be.
        let tree = &self.tree;
        self.record.accepted.retain(|held| held.slot <= root || tree.get(&held.block).is_some());
        self.timers.attempts = 0;
        self.note_progress(&last);
        self.answer_reads(out);
        if let Some(barrier) = barrier {
            self.end_epoch(&barrier, out);
        }
    }

    /// A leader sees its proposals chosen, or that somebody else got ahead of it.
    fn note_progress(&mut self, root: &BlockRef) {
        let (now, height) = (self.now, root.position.height);
        match &mut self.part {
            Part::Leader(leader) => {
                let mine = leader.proposed.get(&height) == Some(&root.hash);
                leader.proposed.retain(|slot, _| *slot > height);
                leader.progress = now;
                if !mine {
                    self.step_down();
                    self.rearm();
                }
            }
            Part::Candidate(_) => self.rearm(),
            Part::Follower => {}
        }
    }

    /// R2: a chosen barrier ends its epoch; the next starts on it, with the new set.
    fn end_epoch(&mut self, barrier: &Node, out: &mut Out) {
        // Nobody hears of it from the next proposal: that is of another epoch.
        self.announce(out);
        let set = barrier
            .next_validators
            .clone()
            .expect("an executed barrier names the next validator set");
        let header = &barrier.block.header;
        assert_eq!(set.epoch, header.epoch.next(), "epochs follow one another");
        assert_eq!(set.first_view, header.view.next(), "the epoch starts above its barrier");
        self.opening = header.height;
        self.enter_epoch(set, out);
        out.events.push(Event::EpochStarted { epoch: self.epoch(), validators: self.set.clone() });
    }

    /// R3: everything that belongs to an epoch starts afresh. Who led goes on leading, through
    /// phase 1.
    fn enter_epoch(&mut self, set: ValidatorSet, out: &mut Out) {
        let led = self.is_leader();
        let reached = self.ahead.take_if(|ahead| ahead.record.epoch <= set.epoch);
        let (record, blocks) = match reached.filter(|ahead| ahead.record.epoch == set.epoch) {
            Some(Ahead { record, blocks }) => (record, blocks),
            None => (Record::new(set.epoch, set.first_view), Vec::new()),
        };
        self.record = record;
        self.me = set.index_of(&self.config.me).filter(|_| self.ahead.is_none());
        self.highest = self.record.promised;
        self.set = set;
        self.step_down();
        self.tree.clear();
        self.chosen.clear();
        self.catch_up.enter_epoch(&self.set);
        self.reads.clear();
        self.restore(blocks, out);
        self.rearm();
        if led {
            self.timers.deadline = self.now;
        }
    }
}
