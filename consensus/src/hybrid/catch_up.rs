//! Getting blocks that others have: a few by hash, or the final chain from a height on.

use chain::types::{Digest, Epoch, Height, ValidatorIndex};

use super::message::Message;
use super::rules::Rules;
use super::verify::MAX_BLOCKS;
use super::{Hybrid, Out};
use crate::application::Finals;
use crate::catch_up::{Asker, answer};
use crate::engine::{Outgoing, Recipients, Request, Time};
use crate::tree::BlockRef;

/// Further behind than this the final chain is asked for, not single blocks.
const FAR: u64 = 16;

impl<R: Rules> Hybrid<R> {
    fn asker(&self) -> Asker {
        Asker {
            me: self.me,
            root: self.tree.root().position.height,
            far: FAR,
            now: self.now,
            heartbeat: self.config.heartbeat,
        }
    }

    /// Final blocks for a peer, unless it asks too often: a few runs within a heartbeat, each once.
    fn serve_finals(&mut self, to: ValidatorIndex, from: Height, out: &mut Out) {
        if self.catch_up.finals.may_serve(to, from, self.now, self.config.heartbeat) {
            out.requests.push(Request::ServeFinals { to, from });
        }
    }

    /// Notes that a block is missing and that `source` should have it.
    pub(super) fn want(&mut self, block: BlockRef, source: ValidatorIndex) {
        self.want_at(block, source, self.now);
    }

    /// The same for a block that is probably on its way.
    pub(super) fn want_later(&mut self, block: BlockRef, source: ValidatorIndex) {
        self.want_at(block, source, self.now + self.config.heartbeat);
    }

    /// Wants whatever is missing between the root and a block that somebody vouches for.
    pub(super) fn want_path(&mut self, block: BlockRef, source: ValidatorIndex) {
        if let Some(missing) = self.tree.first_missing(block) {
            self.want(missing, source);
        }
    }

    fn want_at(&mut self, block: BlockRef, source: ValidatorIndex, due: Time) {
        let asker = self.asker();
        self.catch_up.want(block, source, due, &asker);
    }

    /// Asks for what is due.
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
        let root = self.tree.root();
        if above < root.position.height {
            self.serve_finals(from, above.next(), out);
        }
        let blocks = answer(self.tree.run_above(above, &block).into_iter().take(MAX_BLOCKS));
        if !blocks.is_empty() {
            out.send.push(Outgoing::Ready(Recipients::One(from), Message::Blocks(blocks)));
        }
    }

    pub(super) fn handle_fetch_finals(
        &mut self,
        from: ValidatorIndex,
        height: Height,
        out: &mut Out,
    ) {
        if height <= self.tree.root().position.height {
            self.serve_finals(from, height, out);
        }
    }

    /// Final blocks with their proof, verified as a whole.
    pub(super) fn handle_finals(&mut self, from: ValidatorIndex, finals: Finals, out: &mut Out) {
        let Some(last) = finals.blocks.last() else {
            return;
        };
        if last.header.epoch != self.epoch() {
            return;
        }
        let target = BlockRef::of(last);
        let root = self.tree.root();
        let first = finals.blocks[0].header.height;
        if first > root.position.height.next() {
            self.catch_up.finals.is_ahead(from, target.position.height);
            return self.fetch(out);
        }
        // Several peers answer the same question.
        if target.position.height <= root.position.height {
            return;
        }
        // More may follow: ask on at once when this part is in.
        self.catch_up.finals.answered();
        for block in finals.blocks {
            self.note_header(&block.signed_header(), out);
            self.catch_up.take_final(block, &mut self.tree, self.now, &mut out.requests);
        }
        let proof = finals.proof.expect("the edge accepts no final blocks without a proof");
        self.note_final_proof(target, proof, out);
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
        let root = self.tree.root().position.height;
        if final_height > root {
            self.catch_up.finals.is_ahead(from, final_height);
            self.fetch(out);
        } else if final_height < root {
            self.serve_finals(from, final_height.next(), out);
        }
    }

    /// A message of another epoch: one behind gets the certificate that closed it, one ahead is
    /// asked for the way there.
    pub(super) fn status_of_other_epoch(&self, epoch: Epoch) -> Message {
        let final_height = if epoch > self.epoch() {
            self.tree.root().position.height.next()
        } else {
            self.opening.position.height.previous()
        };
        Message::Status { epoch, final_height }
    }
}
