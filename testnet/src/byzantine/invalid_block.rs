//! A leader whose blocks claim a false state.

use std::collections::BTreeMap;

use chain::block::{Block, SealedBlock};
use chain::certificate::Vote;
use chain::types::Digest;
use consensus::engine::Recipients;
use consensus::message::{EngineMessage, Rewrite};

use super::{Identity, Misbehaviour, Sent};

/// Changes the state root of the blocks that it proposes, and signs them anew.
#[derive(Debug)]
pub(super) struct InvalidBlock;

struct Forge<'a> {
    me: &'a Identity,
    /// What the blocks of this message became.
    forged: BTreeMap<Digest, Digest>,
}

impl Rewrite for Forge<'_> {
    fn block(&mut self, block: &SealedBlock) -> SealedBlock {
        if !self.me.proposed(block) {
            return block.clone();
        }
        let mut forged: Block = (**block).clone();
        forged.header.state_root.0[0] ^= 1;
        forged.header.parent = self.reference(forged.header.parent);
        let forged = self.me.propose(forged);
        self.forged.insert(block.hash(), forged.hash());
        forged
    }

    fn vote(&mut self, vote: &Vote) -> Vote {
        match self.forged.get(&vote.ballot.block) {
            Some(forged) => self.me.vote_for(vote, *forged),
            None => *vote,
        }
    }

    fn reference(&mut self, hash: Digest) -> Digest {
        self.forged.get(&hash).copied().unwrap_or(hash)
    }
}

impl<M: EngineMessage> Misbehaviour<M> for InvalidBlock {
    fn twist(&mut self, me: &Identity, to: Recipients, message: &M) -> Option<Sent<M>> {
        if !message.proposals().iter().any(|block| me.proposed(block)) {
            return None;
        }
        let mut forge = Forge { me, forged: BTreeMap::new() };
        Some(vec![(to, message.rewrite(&me.chain_id, &mut forge))])
    }
}
