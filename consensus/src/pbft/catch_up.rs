//! Getting blocks that others have: a few by hash, or the final chain from a height on.
//!
//! docs/protocol/pbft.md, line B16.

use chain::types::{Digest, Height, ValidatorIndex};

use super::message::Message;
use super::rules::{LOG_SIZE, Rules};
use super::verify::MAX_BLOCKS;
use super::{Out, Pbft};
use crate::application::Finals;
use crate::catch_up::{Asker, answer};
use crate::engine::{Outgoing, Recipients, Request, Time};
use crate::tree::BlockRef;

impl<R: Rules> Pbft<R> {
    fn asker(&self) -> Asker {
        Asker {
            me: self.me,
            root: self.root(),
            far: LOG_SIZE,
            now: self.now,
            heartbeat: self.config.heartbeat,
        }
    }

    /// Final blocks for a peer, unless it asks too often: from the log if it holds them, else from
    /// the disk.
    pub(super) fn serve_finals(&mut self, to: ValidatorIndex, from: Height, out: &mut Out) {
        if from > self.root()
            || !self.catch_up.finals.may_serve(to, from, self.now, self.config.heartbeat)
        {
            return;
        }
        match self.checkpoints.logged(from) {
            Some(finals) => {
                let message = Message::Finals(finals);
                out.send.push(Outgoing::Ready(Recipients::One(to), message));
            }
            None => out.requests.push(Request::ServeFinals { to, from }),
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

    /// Wants whatever is missing between the root and a block that is proven final.
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

    /// Serves uncommitted blocks from the tree, and the final ones below.
    pub(super) fn handle_fetch_blocks(
        &mut self,
        from: ValidatorIndex,
        block: Digest,
        above: Height,
        out: &mut Out,
    ) {
        self.serve_finals(from, above.next(), out);
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
        self.serve_finals(from, height, out);
    }

    /// Final blocks with their proof, verified as a whole.
    pub(super) fn handle_finals(&mut self, from: ValidatorIndex, finals: Finals, out: &mut Out) {
        let (Some(first), Some(last)) = (finals.blocks.first(), finals.blocks.last()) else {
            return;
        };
        let target = BlockRef::of(last);
        let (root, height) = (self.root(), target.position.height);
        if target.position.epoch != self.epoch() || height <= root {
            return;
        }
        if first.header.height > root.next() {
            self.catch_up.finals.is_ahead(from, height);
            return self.fetch(out);
        }
        // More may follow: ask on at once when this part is in.
        self.catch_up.finals.answered();
        for block in finals.blocks {
            self.note_header(&block.signed_header(), out);
            self.catch_up.take_final(block, &mut self.tree, self.now, &mut out.requests);
        }
        let proof = finals.proof.expect("the edge accepts no final blocks without a proof");
        self.note_final_proof(target, proof, out);
        self.fetch(out);
    }
}
