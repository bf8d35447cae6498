//! What readers ask for most, in memory: the tip, and where the newest transactions are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chain::block::SealedBlock;
use chain::ledger::Executed;
use chain::types::{Digest, Height};

use super::tx_index::TxPlace;

/// A committed block without its body.
#[derive(Clone, Debug)]
pub(super) struct RecentBlock {
    pub(super) hash: Digest,
    pub(super) executed: Arc<Executed>,
}

/// The final tip and the blocks since the checkpoint before the last one.
///
/// A transaction is in here at least until its segment of the index is on disk. One more
/// checkpoint's worth stays, because clients ask for what they just sent.
///
/// Invariant: `places` holds exactly the transactions of `blocks`, each at its last place.
#[derive(Debug)]
pub(super) struct Recent {
    pub(super) tip: (Height, Digest),
    blocks: BTreeMap<Height, RecentBlock>,
    places: HashMap<Digest, TxPlace>,
    /// Height of the last checkpoint: blocks above it are not in the index on disk.
    checkpoint: Height,
}

impl Recent {
    pub(super) fn new(tip: (Height, Digest), checkpoint: Height) -> Self {
        Self { tip, blocks: BTreeMap::new(), places: HashMap::new(), checkpoint }
    }

    pub(super) fn push(&mut self, block: &SealedBlock, executed: Arc<Executed>) {
        let (height, hash) = (block.header.height, block.hash());
        self.tip = (height, hash);
        self.places.extend(places(height, &executed).map(|(hash, place)| (*hash, place)));
        self.blocks.insert(height, RecentBlock { hash, executed });
    }

    /// Forgets what was already on disk before this checkpoint.
    pub(super) fn checkpointed(&mut self, height: Height) {
        let kept = self.blocks.split_off(&self.checkpoint.next());
        for block in std::mem::replace(&mut self.blocks, kept).into_values() {
            for transaction in &block.executed.transactions {
                if self.places.get(transaction).is_some_and(|at| at.height <= self.checkpoint) {
                    self.places.remove(transaction);
                }
            }
        }
        self.checkpoint = height;
    }

    pub(super) fn block(&self, height: Height) -> Option<&RecentBlock> {
        self.blocks.get(&height)
    }

    pub(super) fn place(&self, hash: &Digest) -> Option<(TxPlace, &RecentBlock)> {
        let place = self.places.get(hash)?;
        Some((*place, self.blocks.get(&place.height)?))
    }

    /// Every transaction above the last checkpoint with its place.
    pub(super) fn unindexed(&self) -> impl Iterator<Item = (&Digest, TxPlace)> {
        self.blocks
            .range(self.checkpoint.next()..)
            .flat_map(|(height, block)| places(*height, &block.executed))
    }
}

/// The transactions of a block with their places.
pub(super) fn places(
    height: Height,
    executed: &Executed,
) -> impl Iterator<Item = (&Digest, TxPlace)> {
    (0u32..).zip(&executed.transactions).map(move |(index, hash)| (hash, TxPlace { height, index }))
}
