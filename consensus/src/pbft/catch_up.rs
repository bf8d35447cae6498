//! Getting blocks that others have: a few by hash, or the final chain from a height on.
//!
//! docs/protocol/pbft.md, line B16.

use std::collections::BTreeMap;
use std::time::Duration;

use chain::block::SealedBlock;
use chain::certificate::Position;
use chain::types::{Digest, Height, ValidatorIndex};

use super::message::Message;
use super::rules::{LOG_SIZE, Rules};
use super::{Out, Pbft};
use crate::application::Finals;
use crate::engine::{Outgoing, Recipients, Request, Time};
use crate::finals::FinalsSync;
use crate::tree::BlockRef;

/// Most blocks looked for at the same time.
const MAX_WANTED: usize = 64;
/// Largest answer in bytes of blocks, first block not counted.
const ANSWER_BYTES: usize = 1024 * 1024;

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
    /// Not asked before then: it is probably on its way.
    due: Time,
    asked: u32,
}

impl CatchUp {
    pub(super) fn arrived(&mut self, hash: &Digest) {
        self.wanted.remove(hash);
    }

    pub(super) fn is_ahead(&mut self, source: ValidatorIndex, height: Height) {
        self.finals.is_ahead(source, height);
    }

    /// Peers one after the other.
    pub(super) fn next_peer(&mut self, n: usize) -> ValidatorIndex {
        self.finals.next_peer(n)
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

/// As many of these blocks, in ascending height, as one answer carries.
pub(super) fn answer(blocks: impl IntoIterator<Item = SealedBlock>) -> Vec<SealedBlock> {
    let mut bytes = 0;
    blocks
        .into_iter()
        .take(super::verify::MAX_BLOCKS)
        .enumerate()
        .take_while(|(place, block)| {
            bytes += block.encoded().len();
            *place == 0 || bytes <= ANSWER_BYTES
        })
        .map(|(_, block)| block)
        .collect()
}

impl<R: Rules> Pbft<R> {
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
        if !self.tree.knows(&block.hash) {
            return self.want(block, source);
        }
        if let Some((hash, height)) = self.tree.missing_parent(&block.hash) {
            let position = Position { height, ..block.position };
            self.want(BlockRef { position, hash }, source);
        }
    }

    fn want_at(&mut self, block: BlockRef, source: ValidatorIndex, due: Time) {
        let (root, height) = (self.root(), block.position.height);
        if Some(source) == self.me || height <= root {
            return;
        }
        if height.get() > root.get() + LOG_SIZE {
            self.catch_up.is_ahead(source, height.previous());
        }
        if let Some(wanted) = self.catch_up.wanted.get_mut(&block.hash) {
            wanted.due = wanted.due.min(due.max(self.now));
        } else if self.catch_up.wanted.len() < MAX_WANTED {
            let wanted = Wanted { height, source, due, asked: 0 };
            self.catch_up.wanted.insert(block.hash, wanted);
        }
    }

    /// Asks for what is due.
    pub(super) fn fetch(&mut self, out: &mut Out) {
        let root = self.root();
        let (now, retry) = (self.now, self.config.heartbeat);
        let tree = &self.tree;
        self.catch_up.wanted.retain(|hash, wanted| wanted.height > root && !tree.knows(hash));
        let n = self.set.len();
        for (hash, wanted) in &mut self.catch_up.wanted {
            if wanted.due > now {
                continue;
            }
            let mut to = wanted.source;
            if wanted.asked > 0 {
                to = self.catch_up.finals.next_peer(n);
            }
            wanted.asked += 1;
            wanted.due = now + retry;
            if Some(to) == self.me {
                continue;
            }
            let message = Message::FetchBlocks { block: *hash, above: root };
            out.send.push(Outgoing::Ready(Recipients::One(to), message));
        }
        // Nobody had it after a few rounds of everybody: forget it; whoever needs it asks again.
        self.catch_up.wanted.retain(|_, wanted| wanted.asked < 4 * n as u32 + 4);
        let to = self.catch_up.finals.ask(root, now, retry, n);
        if let Some(to) = to.filter(|to| Some(*to) != self.me) {
            let message = Message::FetchFinals { from: root.next() };
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
        let blocks = answer(blocks.into_iter().rev());
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
        let target = BlockRef { position: last.header.position(), hash: last.hash() };
        let (root, height) = (self.root(), target.position.height);
        if target.position.epoch != self.epoch() || height <= root {
            return;
        }
        if first.header.height > root.next() {
            self.catch_up.is_ahead(from, height);
            return self.fetch(out);
        }
        // More may follow: ask on at once when this part is in.
        self.catch_up.finals.answered();
        for block in finals.blocks {
            self.note_header(&block.signed_header(), out);
            if block.header.height <= root || self.tree.get(&block.hash()).is_some() {
                continue;
            }
            let parent = block.header.parent;
            self.tree.insert_final(block.clone(), self.now);
            self.catch_up.arrived(&block.hash());
            if self.tree.is_valid(&parent) {
                out.requests.push(Request::Execute(block));
            }
        }
        let proof = finals.proof.expect("the edge accepts no final blocks without a proof");
        self.note_final_proof(target, proof, out);
        self.fetch(out);
    }
}
