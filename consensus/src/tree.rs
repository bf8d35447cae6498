//! The blocks above the last final one, and the recent final ones below it.

use std::collections::{BTreeMap, BTreeSet};

use chain::block::{BlockKind, Header, SealedBlock};
use chain::certificate::{Certificate, Position};
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::ValidatorSet;

use crate::application::{Executed, Finals, InvalidBlock};
use crate::engine::{Event, Recovered, Time};

/// A block by place and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, bincode::Encode, bincode::Decode)]
pub struct BlockRef {
    pub position: Position,
    pub hash: Digest,
}

impl BlockRef {
    pub fn of(block: &SealedBlock) -> Self {
        Self { position: block.header.position(), hash: block.hash() }
    }

    fn of_header(header: &Header, chain_id: &Digest) -> Self {
        Self { position: header.position(), hash: header.hash(chain_id) }
    }

    /// Genesis, or a block of which nothing is known but height and hash.
    fn bare(height: Height, hash: Digest) -> Self {
        let position = Position { epoch: Epoch::default(), view: View::default(), height };
        Self { position, hash }
    }
}

/// Most blocks of one proposer that are kept above the last final one: one who signs many, in views
/// to come, must not keep those of others out.
const MAX_OF_PROPOSER: usize = 64;
/// How far above the last final block a block may be.
pub(crate) const WINDOW: u64 = 256;
const _: () = assert!(Finals::MAX_BLOCKS as u64 <= WINDOW);
/// Final blocks remembered by hash.
const RECENT_FINALS: u64 = 256;

/// What execution said of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Unknown,
    Valid,
    Invalid,
}

/// A block that is not final yet.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) block: SealedBlock,
    pub(crate) verdict: Verdict,
    /// The prepare certificate with most signatures.
    pub(crate) certificate: Option<Certificate>,
    /// The set of the next epoch, where the block is a barrier and was executed.
    pub(crate) next_validators: Option<ValidatorSet>,
    pub(crate) received: Time,
    /// Its time is too far ahead of this node's clock until then.
    pub(crate) early_until: Time,
    /// On disk, or on its way there in this turn.
    pub(crate) stored: bool,
}

impl Node {
    pub(crate) fn reference(&self) -> BlockRef {
        BlockRef::of(&self.block)
    }
}

/// The block tree. Its root is the last final block.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: BlockRef,
    nodes: BTreeMap<Digest, Node>,
    /// Invariant: holds the root; consecutive heights.
    finals: BTreeMap<Height, BlockRef>,
}

impl Tree {
    pub(crate) fn new(root: BlockRef, recent: impl IntoIterator<Item = BlockRef>) -> Self {
        let mut finals: BTreeMap<Height, BlockRef> =
            recent.into_iter().map(|block| (block.position.height, block)).collect();
        finals.insert(root.position.height, root);
        Self { root, nodes: BTreeMap::new(), finals }
    }

    /// The last final block and the recent ones below it, as the disk gave them back.
    pub(crate) fn of_finals<R>(recovered: &Recovered<R>, chain_id: &Digest) -> Self {
        let root = recovered.final_block.as_ref().map_or_else(
            || BlockRef::bare(recovered.final_height, recovered.final_hash),
            BlockRef::of,
        );
        assert_eq!(
            root.position.height, recovered.final_height,
            "the final block is the final one"
        );
        let recent = recovered.recent.iter();
        Self::new(root, recent.map(|block| BlockRef::of_header(&block.header, chain_id)))
    }

    /// The block that opened the epoch, as the disk gave it back.
    pub(crate) fn opening<R>(&self, recovered: &Recovered<R>) -> BlockRef {
        let (height, hash) = (recovered.opening_height, recovered.opening_hash);
        self.final_at(height).unwrap_or(BlockRef::bare(height, hash))
    }

    pub(crate) fn root(&self) -> BlockRef {
        self.root
    }

    pub(crate) fn get(&self, hash: &Digest) -> Option<&Node> {
        self.nodes.get(hash)
    }

    pub(crate) fn get_mut(&mut self, hash: &Digest) -> Option<&mut Node> {
        self.nodes.get_mut(hash)
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    pub(crate) fn nodes_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.nodes.values_mut()
    }

    /// Whether the block is known, final or not.
    pub(crate) fn knows(&self, hash: &Digest) -> bool {
        self.reference(hash).is_some()
    }

    /// Whether a block may be built and voted on: final, or executed and found valid.
    pub(crate) fn is_valid(&self, hash: &Digest) -> bool {
        *hash == self.root.hash
            || self.nodes.get(hash).is_some_and(|node| node.verdict == Verdict::Valid)
    }

    /// Whether a view may start on a block: valid, and not from the future as far as this node can
    /// tell. A quorum that voted for it could tell better.
    pub(crate) fn is_acceptable(&self, hash: &Digest, now: Time) -> bool {
        let early = self
            .nodes
            .get(hash)
            .is_some_and(|node| now < node.early_until && node.certificate.is_none());
        self.is_valid(hash) && !early
    }

    /// The block's place, where it is known.
    pub(crate) fn reference(&self, hash: &Digest) -> Option<BlockRef> {
        if let Some(node) = self.nodes.get(hash) {
            return Some(node.reference());
        }
        self.finals.values().rev().find(|block| block.hash == *hash).copied()
    }

    /// The final block at a height, if it is recent.
    pub(crate) fn final_at(&self, height: Height) -> Option<BlockRef> {
        self.finals.get(&height).copied()
    }

    /// Adds a block whose signatures were checked. Refused where it is known, out of the window,
    /// or there is no room for its proposer.
    pub(crate) fn insert(&mut self, block: SealedBlock, now: Time) -> bool {
        let height = block.header.height.get();
        let root = self.root.position.height.get();
        if height <= root
            || height > root + WINDOW
            || self.nodes.contains_key(&block.hash())
            || !self.make_room(block.header.proposer)
        {
            return false;
        }
        self.insert_final(block, now);
        true
    }

    /// Adds a block that is proven final.
    pub(crate) fn insert_final(&mut self, block: SealedBlock, now: Time) {
        let node = Node {
            verdict: Verdict::Unknown,
            certificate: None,
            next_validators: None,
            received: now,
            early_until: Time::default(),
            stored: false,
            block,
        };
        self.nodes.insert(node.block.hash(), node);
    }

    /// Puts a block back that the disk held. Refused like one that arrives.
    pub(crate) fn restore(&mut self, block: SealedBlock, now: Time) -> bool {
        let hash = block.hash();
        let inserted = self.insert(block, now);
        if inserted {
            self.nodes.get_mut(&hash).expect("just inserted").stored = true;
        }
        inserted
    }

    /// Room for one more block of a proposer: at the cost of its oldest that nobody needs.
    fn make_room(&mut self, proposer: ValidatorIndex) -> bool {
        let of_proposer = |node: &&Node| node.block.header.proposer == proposer;
        if self.nodes.values().filter(of_proposer).count() < MAX_OF_PROPOSER {
            return true;
        }
        let idle = |node: &&Node| node.certificate.is_none() && !node.stored;
        let oldest = self
            .nodes
            .values()
            .filter(|node| of_proposer(node) && idle(node))
            .map(Node::reference)
            .min_by_key(|block| block.position);
        oldest.is_some_and(|block| self.nodes.remove(&block.hash).is_some())
    }

    /// Forgets what came in earlier views and leads nowhere: whoever needs it can fetch it.
    pub(crate) fn drop_loose(&mut self, view: View) {
        self.nodes.retain(|_, node| {
            let vouched_for = node.certificate.is_some() || node.verdict == Verdict::Valid;
            node.block.header.view >= view || node.stored || vouched_for
        });
    }

    /// Takes in what execution said of a block. Whether it is valid; false where it is not here.
    pub(crate) fn judge(
        &mut self,
        hash: &Digest,
        verdict: Result<Executed, InvalidBlock>,
        now: Time,
        events: &mut Vec<Event>,
    ) -> bool {
        let Some(node) = self.nodes.get_mut(hash) else {
            return false;
        };
        match verdict {
            Ok(executed) => {
                node.verdict = Verdict::Valid;
                node.next_validators = executed.next_validators;
                if !executed.early.is_zero() {
                    node.early_until = now + executed.early;
                }
                true
            }
            Err(InvalidBlock(reason)) => {
                node.verdict = Verdict::Invalid;
                let proposer = node.block.header.proposer;
                events.push(Event::BlockRefused { proposer, block: *hash, reason });
                false
            }
        }
    }

    /// Blocks that can be executed once `parent` is.
    pub(crate) fn waiting_children(&self, parent: &Digest) -> Vec<SealedBlock> {
        self.nodes
            .values()
            .filter(|node| node.block.header.parent == *parent && node.verdict == Verdict::Unknown)
            .map(|node| node.block.clone())
            .collect()
    }

    /// From the block above the root up to `hash`; `None` where a link is missing or `hash` does
    /// not extend the root.
    pub(crate) fn path(&self, hash: &Digest) -> Option<Vec<&Node>> {
        let mut path = Vec::new();
        let mut cursor = *hash;
        while cursor != self.root.hash {
            let node = self.nodes.get(&cursor)?;
            path.push(node);
            cursor = node.block.header.parent;
        }
        path.reverse();
        Some(path)
    }

    /// The block with this hash and those below it that are not final, as far as they are here.
    pub(crate) fn down_from(&self, hash: &Digest) -> impl Iterator<Item = &Node> {
        let parent = |node: &&Node| self.nodes.get(&node.block.header.parent);
        std::iter::successors(self.nodes.get(hash), parent)
    }

    /// The lowest block on the way down from `hash` whose parent is not known.
    pub(crate) fn missing_parent(&self, hash: &Digest) -> Option<(Digest, Height)> {
        let mut cursor = *hash;
        loop {
            let header = &self.nodes.get(&cursor)?.block.header;
            if !self.knows(&header.parent) {
                return Some((header.parent, header.height.previous()));
            }
            cursor = header.parent;
        }
    }

    /// The lowest block missing between the root and `block`, itself included.
    pub(crate) fn first_missing(&self, block: BlockRef) -> Option<BlockRef> {
        if !self.knows(&block.hash) {
            return Some(block);
        }
        let (hash, height) = self.missing_parent(&block.hash)?;
        Some(BlockRef { position: Position { height, ..block.position }, hash })
    }

    /// The blocks above a height on the way down from `hash` as far as they are here, the lowest
    /// first: those that one who lacks them can use at once.
    pub(crate) fn run_above(&self, above: Height, hash: &Digest) -> Vec<SealedBlock> {
        let nodes = self.down_from(hash).take_while(|node| node.block.header.height > above);
        let mut run: Vec<SealedBlock> = nodes.map(|node| node.block.clone()).collect();
        run.reverse();
        run
    }

    /// The barrier at or below `hash` that is not final, if there is one.
    pub(crate) fn open_barrier(&self, hash: &Digest) -> Option<&Node> {
        self.down_from(hash).find(|node| node.block.header.kind == BlockKind::Barrier)
    }

    /// Makes a block of the tree the root and forgets what does not descend from it.
    pub(crate) fn set_root(&mut self, hash: &Digest) {
        let path: Vec<BlockRef> = self
            .path(hash)
            .expect("a block becomes final only with its ancestors")
            .into_iter()
            .map(Node::reference)
            .collect();
        for block in path {
            self.finals.insert(block.position.height, block);
            self.root = block;
        }
        let root = self.root.position.height;
        // A block whose ancestors are still on their way is above the root all the same.
        let severed =
            |hash: &Digest| self.path(hash).is_none() && self.missing_parent(hash).is_none();
        let above = self.nodes.iter().filter(|(_, node)| node.block.header.height > root);
        let severed: BTreeSet<Digest> =
            above.map(|(hash, _)| *hash).filter(|hash| severed(hash)).collect();
        self.nodes.retain(|hash, node| node.block.header.height > root && !severed.contains(hash));
        let oldest = Height::new(root.get().saturating_sub(RECENT_FINALS));
        while self.finals.first_key_value().is_some_and(|(height, _)| *height < oldest) {
            self.finals.pop_first();
        }
    }

    /// Forgets everything above the root: a new epoch starts there.
    pub(crate) fn clear(&mut self) {
        self.nodes.clear();
    }
}
