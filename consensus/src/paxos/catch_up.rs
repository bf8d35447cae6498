//! Getting blocks that others have: a few by hash, or the final chain from a height on.
//!
//! docs/protocol/paxos.md, lines L3-L4.

use std::collections::BTreeMap;
use std::time::Duration;

use chain::block::SealedBlock;
use chain::certificate::Position;
use chain::types::{Digest, Epoch, Height, ValidatorIndex};

use super::message::Message;
use super::{Out, Paxos, Rules};
use crate::application::Finals;
use crate::engine::{Outgoing, Recipients, Request, Time};
use crate::finals::FinalsSync;
use crate::tree::BlockRef;

/// Most blocks looked for at the same time.
const MAX_WANTED: usize = 64;
/// Most blocks in an answer.
pub(super) const MAX_BLOCKS: usize = 64;
/// Largest answer in bytes of blocks, first block not counted.
const ANSWER_BYTES: usize = 1024 * 1024;
/// Further behind than this the final chain is asked for, not single blocks.
const FAR: u64 = 16;

/// What is missing and who may have it.
#[derive(Clone, Debug, Default)]
pub(super) struct CatchUp {
    wanted: BTreeMap<Digest, Wanted>,
    finals: FinalsSync,
}

#[derive(Clone, Debug)]
struct Wanted {
    height: Height,
    source: ValidatorIndex,
    due: Time,
    asked: usize,
}

impl CatchUp {
    pub(super) fn arrived(&mut self, hash: &Digest) {
        self.wanted.remove(hash);
    }

    pub(super) fn is_ahead(&mut self, source: ValidatorIndex, height: Height) {
        self.finals.is_ahead(source, height);
    }

    pub(super) fn clear(&mut self) {
        self.wanted.clear();
        self.finals.clear();
    }

    pub(super) fn next_due(&self, retry: Duration) -> Option<Time> {
        let blocks = self.wanted.values().map(|wanted| wanted.due).min();
        blocks.into_iter().chain(self.finals.next_due(retry)).min()
    }
}

impl<R: Rules> Paxos<R> {
    /// Final blocks for a peer, unless it asks too often: a few runs within a heartbeat, each once.
    pub(super) fn serve_finals(&mut self, to: ValidatorIndex, from: Height, out: &mut Out) {
        let may = self.catch_up.finals.may_serve(to, from, self.now, self.config.heartbeat);
        if may && Some(to) != self.me {
            out.requests.push(Request::ServeFinals { to, from });
        }
    }

    /// Notes that a block is missing and that `source` should have it.
    pub(super) fn want(&mut self, block: BlockRef, source: ValidatorIndex) {
        let (root, height) = (self.final_height(), block.position.height);
        if Some(source) == self.me || height <= root {
            return;
        }
        if height.get() > root.get() + FAR {
            self.catch_up.is_ahead(source, height.previous());
        }
        if self.catch_up.wanted.len() < MAX_WANTED {
            let wanted = Wanted { height, source, due: self.now, asked: 0 };
            self.catch_up.wanted.entry(block.hash).or_insert(wanted);
        }
    }

    /// Wants whatever is missing between the root and a block that somebody vouches for.
    pub(super) fn want_path(&mut self, block: BlockRef, source: ValidatorIndex) {
        if !self.tree.knows(&block.hash) {
            return self.want(block, source);
        }
        if let Some((hash, height)) = self.tree.missing_parent(&block.hash) {
            let position = Position { height, ..block.position };
            self.want(BlockRef { position, hash }, source);
        }
    }

    /// L3: asks for what is due.
    pub(super) fn fetch(&mut self, out: &mut Out) {
        let (root, now, retry) = (self.final_height(), self.now, self.config.heartbeat);
        let (tree, n) = (&self.tree, self.set.len());
        self.catch_up.wanted.retain(|hash, wanted| wanted.height > root && !tree.knows(hash));
        for (hash, wanted) in &mut self.catch_up.wanted {
            if wanted.due > now {
                continue;
            }
            let first = wanted.asked == 0;
            let to = if first { wanted.source } else { self.catch_up.finals.next_peer(n) };
            wanted.asked += 1;
            wanted.due = now + retry;
            if Some(to) != self.me {
                let message = Message::FetchBlocks { block: *hash, above: root };
                out.send.push(Outgoing::Ready(Recipients::One(to), message));
            }
        }
        // Nobody had it after a few rounds of everybody: whoever needs it asks again.
        self.catch_up.wanted.retain(|_, wanted| wanted.asked < 4 * n + 4);
        let to = self.catch_up.finals.ask(root, now, retry, n);
        if let Some(to) = to.filter(|to| Some(*to) != self.me) {
            let message = Message::FetchFinals { from: root.next() };
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
        let mut blocks: Vec<SealedBlock> = Vec::new();
        let mut cursor = block;
        while let Some(node) = self.tree.get(&cursor) {
            if node.block.header.height <= above {
                break;
            }
            blocks.push(node.block.clone());
            cursor = node.block.header.parent;
        }
        // The lowest first: those the asker can use at once.
        let mut bytes = 0;
        let answer: Vec<SealedBlock> = blocks
            .into_iter()
            .rev()
            .take(MAX_BLOCKS)
            .enumerate()
            .take_while(|(place, block)| {
                bytes += block.encoded().len();
                *place == 0 || bytes <= ANSWER_BYTES
            })
            .map(|(_, block)| block)
            .collect();
        if !answer.is_empty() {
            out.send.push(Outgoing::Ready(Recipients::One(from), Message::Blocks(answer)));
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
        let target = BlockRef { position: last.header.position(), hash: last.hash() };
        if first.header.height > root.next() {
            self.catch_up.is_ahead(from, target.position.height);
            return self.fetch(out);
        }
        // Several peers answer the same question.
        if target.position.height <= root {
            return;
        }
        // More may follow: ask on at once when this part is in.
        self.catch_up.finals.answered();
        for block in finals.blocks {
            let above = block.header.height > root;
            if above && self.tree.get(&block.hash()).is_none() {
                let parent = block.header.parent;
                self.tree.insert_final(block.clone(), self.now);
                self.catch_up.arrived(&block.hash());
                if self.tree.is_valid(&parent) {
                    out.requests.push(Request::Execute(block));
                }
            }
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
            self.catch_up.is_ahead(from, final_height);
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
