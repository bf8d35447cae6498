//! A second version of each of a liar's own blocks, each building on the second version before it.

use std::collections::BTreeMap;

use chain::block::{Block, SealedBlock};
use chain::certificate::Vote;
use chain::types::Digest;

use super::Hand;

/// Own blocks and what stands in for them.
#[derive(Debug, Default)]
pub(super) struct Doubles(BTreeMap<Digest, SealedBlock>);

impl Doubles {
    /// What stands in for a block: made by `change` the first time, and always the same.
    pub(super) fn block(
        &mut self,
        block: &SealedBlock,
        hand: &Hand,
        change: impl FnOnce(&mut Block),
    ) -> SealedBlock {
        if !hand.is_mine(block) {
            return block.clone();
        }
        if let Some(double) = self.0.get(&block.hash()) {
            return double.clone();
        }
        let mut changed: Block = (**block).clone();
        changed.header.parent = self.reference(changed.header.parent);
        // A certificate of a block that has a double would give the first chain away.
        let certificate = changed.justification.certificate.take();
        changed.justification.certificate =
            certificate.filter(|held| !self.replaces(&held.ballot.block));
        change(&mut changed);
        let double = hand.propose(changed);
        self.0.insert(block.hash(), double.clone());
        double
    }

    /// The own vote for a block, for its double.
    pub(super) fn vote(&self, vote: &Vote, hand: &Hand) -> Vote {
        self.0.get(&vote.ballot.block).map_or(*vote, |double| hand.vote_for(vote, double.hash()))
    }

    pub(super) fn reference(&self, hash: Digest) -> Digest {
        self.0.get(&hash).map_or(hash, SealedBlock::hash)
    }

    /// Whether something stands in for the block.
    pub(super) fn replaces(&self, hash: &Digest) -> bool {
        self.0.contains_key(hash)
    }
}
