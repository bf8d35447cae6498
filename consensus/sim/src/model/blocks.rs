//! The tree of all blocks that anyone signed.

use chain::certificate::Position;
use chain::types::{Digest, Epoch, Height, View};
use consensus::hybrid::select_tip::Ancestry;
use consensus::tree::BlockRef;

/// Place of a block in its [`Blocks`].
pub type BlockId = usize;

/// The most blocks of one tree: ancestors are a bit set.
pub const MAX_BLOCKS: usize = 64;

/// What a block is for the epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    /// Changes the validator set or carries evidence: ends its epoch.
    Barrier,
    /// Carries votes for a barrier below it, and is void itself.
    Seal,
}

#[derive(Clone, Debug)]
pub struct Block {
    pub position: Position,
    pub parent: Option<BlockId>,
    pub kind: Kind,
    /// Whether it and all its ancestors execute to the state roots in their headers.
    pub valid: bool,
    /// Itself and its ancestors, as a bit set.
    ancestors: u64,
}

impl Block {
    /// Epoch and view: the period the block was proposed in.
    pub fn period(&self) -> (u64, u64) {
        (self.position.epoch.get(), self.position.view.get())
    }

    pub fn epoch(&self) -> u64 {
        self.position.epoch.get()
    }

    pub fn view(&self) -> u64 {
        self.position.view.get()
    }
}

/// An append-only tree; block 0 is genesis, before every epoch.
#[derive(Clone, Debug)]
pub struct Blocks {
    all: Vec<Block>,
    /// Mixed into the hashes, so that ties are broken in either order.
    salt: u8,
}

/// The genesis block.
pub const GENESIS: BlockId = 0;

impl Blocks {
    pub fn new(salt: u8) -> Self {
        let position =
            Position { epoch: Epoch::new(0), view: View::new(0), height: Height::new(0) };
        let genesis =
            Block { position, parent: None, kind: Kind::Plain, valid: true, ancestors: 1 };
        Self { all: vec![genesis], salt }
    }

    /// Appends a block to `parent`. A block on an invalid one is invalid.
    ///
    /// # Panics
    /// Past [`MAX_BLOCKS`].
    pub fn push(
        &mut self,
        parent: BlockId,
        (epoch, view): (u64, u64),
        kind: Kind,
        valid: bool,
    ) -> BlockId {
        let id = self.all.len();
        assert!(id < MAX_BLOCKS, "a tree holds {MAX_BLOCKS} blocks");
        let below = &self.all[parent];
        let block = Block {
            position: Position {
                epoch: Epoch::new(epoch),
                view: View::new(view),
                height: below.position.height.next(),
            },
            parent: Some(parent),
            kind,
            valid: valid && below.valid,
            ancestors: below.ancestors | (1 << id),
        };
        self.all.push(block);
        id
    }

    pub fn get(&self, id: BlockId) -> &Block {
        &self.all[id]
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Never: genesis is always there.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (BlockId, &Block)> {
        self.all.iter().enumerate()
    }

    /// Whether `a` is `b` or descends from it.
    pub fn descends(&self, a: BlockId, b: BlockId) -> bool {
        self.all[a].ancestors & (1 << b) != 0
    }

    /// Whether the two lie on one branch.
    pub fn comparable(&self, a: BlockId, b: BlockId) -> bool {
        self.descends(a, b) || self.descends(b, a)
    }

    /// The block and its ancestors, downwards.
    pub fn chain(&self, id: BlockId) -> impl Iterator<Item = BlockId> + '_ {
        std::iter::successors(Some(id), |block| self.all[*block].parent)
    }

    /// The block and its ancestors of the same epoch and view, downwards.
    pub fn chain_in_view(&self, id: BlockId) -> impl Iterator<Item = BlockId> + '_ {
        let period = self.all[id].period();
        self.chain(id).take_while(move |block| self.all[*block].period() == period)
    }

    /// The block that the view's part of this chain stands on.
    pub fn view_base(&self, id: BlockId) -> BlockId {
        let lowest = self.chain_in_view(id).last().unwrap_or(id);
        self.all[lowest].parent.unwrap_or(GENESIS)
    }

    /// The lowest barrier of the block's epoch among the block and its ancestors.
    pub fn barrier_of(&self, id: BlockId) -> Option<BlockId> {
        let epoch = self.all[id].epoch();
        self.chain(id)
            .take_while(|block| self.all[*block].epoch() == epoch)
            .filter(|block| self.all[*block].kind == Kind::Barrier)
            .last()
    }

    pub fn reference(&self, id: BlockId) -> BlockRef {
        BlockRef { position: self.all[id].position, hash: self.hash(id) }
    }

    fn hash(&self, id: BlockId) -> Digest {
        let mut hash = Digest::ZERO;
        hash.0[0] = u8::try_from(id).expect("at most 64 blocks") ^ self.salt;
        hash
    }

    /// The block with this hash.
    pub fn find(&self, hash: &Digest) -> Option<BlockId> {
        let id = usize::from(hash.0[0] ^ self.salt);
        (id < self.all.len()).then_some(id)
    }
}

impl Ancestry for Blocks {
    fn parent(&self, hash: &Digest) -> Option<BlockRef> {
        let parent = self.all[self.find(hash)?].parent?;
        Some(self.reference(parent))
    }

    fn extends(&self, a: &BlockRef, b: &BlockRef) -> bool {
        match (self.find(&a.hash), self.find(&b.hash)) {
            (Some(a), Some(b)) => self.descends(a, b),
            _ => false,
        }
    }
}
