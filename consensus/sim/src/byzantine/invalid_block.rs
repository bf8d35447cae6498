//! As leader proposes blocks whose state root is wrong, and votes for them.

use std::collections::BTreeMap;

use chain::block::{Block, SealedBlock};
use chain::certificate::Vote;
use chain::types::{Digest, ValidatorIndex};

use super::{Behaviour, Hand};

use consensus::message::{EngineMessage, Rewrite};

/// Own blocks and what stands in for them.
#[derive(Debug, Default)]
pub(super) struct InvalidBlock {
    spoiled: BTreeMap<Digest, SealedBlock>,
}

struct Spoil<'a> {
    spoiled: &'a mut BTreeMap<Digest, SealedBlock>,
    hand: &'a Hand,
}

impl Rewrite for Spoil<'_> {
    fn block(&mut self, block: &SealedBlock) -> SealedBlock {
        if !self.hand.is_mine(block) {
            return block.clone();
        }
        if let Some(spoiled) = self.spoiled.get(&block.hash()) {
            return spoiled.clone();
        }
        let mut changed: Block = (**block).clone();
        changed.header.state_root.0[0] ^= 0xff;
        changed.header.parent = self.reference(changed.header.parent);
        let spoiled = self.hand.propose(changed);
        self.spoiled.insert(block.hash(), spoiled.clone());
        spoiled
    }

    fn vote(&mut self, vote: &Vote) -> Vote {
        match self.spoiled.get(&vote.ballot.block) {
            Some(block) => self.hand.vote_for(vote, block.hash()),
            None => *vote,
        }
    }

    fn reference(&mut self, hash: Digest) -> Digest {
        self.spoiled.get(&hash).map_or(hash, SealedBlock::hash)
    }
}

impl<M: EngineMessage> Behaviour<M> for InvalidBlock {
    fn send(
        &mut self,
        to: ValidatorIndex,
        message: &M,
        hand: &mut Hand,
        out: &mut Vec<(ValidatorIndex, M)>,
    ) {
        let mut spoil = Spoil { spoiled: &mut self.spoiled, hand };
        out.push((to, message.rewrite(&hand.chain_id, &mut spoil)));
    }
}
