//! The log: the path from the tip to the last final block. Everything below is compacted away, and
//! the final chain is the snapshot (chapter 5).

use chain::block::SealedBlock;
use chain::certificate::Position;
use chain::types::{Digest, Height, View};

use super::message::LogEnd;
use super::rules::Rules;
use super::{Out, Raft};
use crate::tree::{BlockRef, Node};

impl<R: Rules> Raft<R> {
    /// The entries above the last final block, ascending.
    pub(super) fn log(&self) -> Vec<&Node> {
        self.tree.path(&self.promises.tip.hash).expect("the log leads to the last final block")
    }

    pub(super) fn tip(&self) -> BlockRef {
        self.promises.tip
    }

    pub(super) fn root(&self) -> BlockRef {
        self.tree.root()
    }

    /// The log's end for "up to date": that of a lost log counts until there is as much again.
    pub(super) fn log_end(&self) -> LogEnd {
        let end = end_of(self.tip().position);
        self.promises.lost.map_or(end, |lost| lost.max(end))
    }

    /// The log's entry at a height, final or not.
    pub(super) fn entry(&self, height: Height) -> Option<BlockRef> {
        let root = self.root().position.height;
        if height <= root {
            return self.tree.final_at(height);
        }
        let place = usize::try_from(height.get() - root.get() - 1).unwrap_or(usize::MAX);
        self.log().get(place).map(|node| node.reference())
    }

    /// Blocks of the log from a height on, within the bounds of a message.
    pub(super) fn blocks_from(
        &self,
        height: Height,
        most: usize,
        bytes: usize,
    ) -> Vec<SealedBlock> {
        let mut room = bytes;
        let mut blocks: Vec<SealedBlock> = Vec::new();
        for node in self.log() {
            if node.block.header.height < height {
                continue;
            }
            let size = node.block.encoded().len();
            if blocks.len() >= most || (size > room && !blocks.is_empty()) {
                break;
            }
            room = room.saturating_sub(size);
            blocks.push(node.block.clone());
        }
        blocks
    }

    /// Whether the log holds the block.
    pub(super) fn holds(&self, block: &BlockRef) -> bool {
        self.entry(block.position.height).is_some_and(|held| held.hash == block.hash)
    }

    /// The first entry of the log with the term of the entry at `height`.
    pub(super) fn first_of_term(&self, height: Height) -> Option<(View, Height)> {
        let term = self.entry(height)?.position.view;
        let log = self.log();
        let first = log.iter().map(|node| &node.block.header).find(|header| header.view == term);
        Some((term, first.map_or(height, |header| header.height.min(height))))
    }

    /// R33: the log ends in this block from now on: its entries go to disk with the record, before
    /// anything leaves that rests on them.
    pub(super) fn move_tip(&mut self, to: BlockRef, out: &mut Out) {
        self.promises.tip = to;
        self.promises.epoch = self.set.epoch;
        let reached = |lost: &LogEnd| end_of(to.position) >= *lost;
        self.promises.lost.take_if(|lost| reached(lost));
        out.persist = true;
        let path: Vec<Digest> = self.log().iter().map(|node| node.block.hash()).collect();
        for hash in path {
            let node = self.tree.get_mut(&hash).expect("on the path");
            if !std::mem::replace(&mut node.stored, true) {
                out.blocks.push(node.block.clone());
            }
        }
        self.refresh_configuration(out);
    }
}

pub(super) fn end_of(position: Position) -> LogEnd {
    LogEnd { term: position.view, height: position.height }
}
