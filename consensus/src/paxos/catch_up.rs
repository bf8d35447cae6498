//! Getting blocks that others have: a few by hash, or the final chain from a height on.
//!
//! docs/protocol/paxos.md, lines L3-L4.

use chain::block::SealedBlock;
use chain::types::{Digest, Epoch, Height, ValidatorIndex};

use super::message::Message;
use super::{Out, Paxos, Rules};
use crate::application::Finals;
use crate::catch_up::{Asker, answer};
use crate::engine::{Outgoing, Recipients, Request, Time};
use crate::tree::BlockRef;

/// Most blocks in an answer.
pub(super) const MAX_BLOCKS: usize = 64;
/// Further behind than this the final chain is asked for, not single blocks.
const FAR: u64 = 16;

impl<R: Rules> Paxos<R> {
    fn asker(&self) -> Asker {
        Asker {
            me: self.me,
            root: self.final_height(),
            far: FAR,
            now: self.now,
            heartbeat: self.config.heartbeat,
        }
    }

    /// Final blocks for a peer, unless it asks too often: a few runs within a heartbeat, each once.
    pub(super) fn serve_finals(&mut self, to: ValidatorIndex, from: Height, out: &mut Out) {
        let may = self.catch_up.finals.may_serve(to, from, self.now, self.config.heartbeat);
        if may && Some(to) != self.me {
            out.requests.push(Request::ServeFinals { to, from });
        }
    }

    /// Notes that a block is missing and that `source` should have it.
    pub(super) fn want(&mut self, block: BlockRef, source: ValidatorIndex) {
        self.want_at(block, source, self.now);
    }

    /// Wants what a proposal rests on. Its newest block is probably on its way, in a slower lane
    /// than the sign of life that named it.
    pub(super) fn want_proposal(&mut self, head: BlockRef, source: ValidatorIndex) {
        if self.tree.knows(&head.hash) {
            self.want_path(head, source);
        } else {
            self.want_at(head, source, self.now + self.config.heartbeat);
        }
    }

    fn want_at(&mut self, block: BlockRef, source: ValidatorIndex, due: Time) {
        let asker = self.asker();
        self.catch_up.want_patiently(block, source, due, &asker);
    }

    /// Wants whatever is missing between the root and a block that somebody vouches for.
    pub(super) fn want_path(&mut self, block: BlockRef, source: ValidatorIndex) {
        if let Some(missing) = self.tree.first_missing(block) {
            self.want(missing, source);
        }
    }

    /// L3: asks for what is due.
    pub(super) fn fetch(&mut self, out: &mut Out) {
        let asker = self.asker();
        for (to, block) in self.catch_up.due_blocks(&self.tree, &asker) {
            let message = Message::FetchBlocks { block, above: asker.root };
            out.send.push(Outgoing::Ready(Recipients::One(to), message));
        }
        if let Some(to) = self.catch_up.due_finals(&asker) {
            let message = Message::FetchFinals { from: asker.root.next() };
            out.send.push(Outgoing::Ready(Recipients::One(to), message));
        }
    }

    /// Serves uncommitted blocks from the tree, and the final ones below from the disk.
    pub(super) fn handle_fetch_blocks(
        &mut self,
        from: ValidatorIndex,
        block: Digest,
        above: Height,
        out: &mut Out,
    ) {
        if above < self.final_height() {
            self.serve_finals(from, above.next(), out);
        }
        let blocks = answer(self.tree.run_above(above, &block).into_iter().take(MAX_BLOCKS));
        if !blocks.is_empty() {
            out.send.push(Outgoing::Ready(Recipients::One(from), Message::Blocks(blocks)));
        }
    }

    pub(super) fn handle_blocks(&mut self, blocks: Vec<SealedBlock>, out: &mut Out) {
        for block in blocks {
            self.add_block(block, out);
        }
        self.try_accept(out);
        self.try_lead(out);
        self.fetch(out);
    }

    pub(super) fn handle_fetch_finals(
        &mut self,
        from: ValidatorIndex,
        height: Height,
        out: &mut Out,
    ) {
        if height <= self.final_height() {
            self.serve_finals(from, height, out);
        }
    }

    /// L4: a run of the final chain. Its sender says that it is final, and nobody lies.
    pub(super) fn handle_finals(&mut self, from: ValidatorIndex, finals: Finals, out: &mut Out) {
        let (Some(first), Some(last)) = (finals.blocks.first(), finals.blocks.last()) else {
            return;
        };
        let root = self.final_height();
        let target = BlockRef::of(last);
        if first.header.height > root.next() {
            self.catch_up.finals.is_ahead(from, target.position.height);
            return self.fetch(out);
        }
        // Several peers answer the same question.
        if target.position.height <= root {
            return;
        }
        // More may follow: ask on at once when this part is in.
        self.catch_up.finals.answered();
        for block in finals.blocks {
            self.catch_up.take_final(block, &mut self.tree, self.now, &mut out.requests);
        }
        self.note_chosen(target, from, out);
        let status = Message::Status { epoch: self.epoch(), final_height: target.position.height };
        out.send.push(Outgoing::Ready(Recipients::One(from), status));
    }

    /// Where a peer says it is: one who is behind gets final blocks, one who is ahead is asked.
    pub(super) fn handle_status(
        &mut self,
        from: ValidatorIndex,
        final_height: Height,
        out: &mut Out,
    ) {
        let root = self.final_height();
        if final_height > root {
            self.catch_up.finals.is_ahead(from, final_height);
            self.fetch(out);
        } else if final_height < root {
            self.serve_finals(from, final_height.next(), out);
        }
    }

    /// What a message of another epoch says: one behind gets the blocks that closed it, one ahead
    /// is asked for the way there.
    pub(super) fn status_of_other_epoch(&self, epoch: Epoch) -> Message {
        let final_height =
            if epoch > self.epoch() { self.final_height().next() } else { self.opening.previous() };
        Message::Status { epoch, final_height }
    }
}
