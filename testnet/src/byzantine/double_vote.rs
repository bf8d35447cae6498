//! A validator that votes for two blocks at one height.

use chain::block::SealedBlock;
use chain::certificate::Vote;
use consensus::engine::Recipients;
use consensus::message::{EngineMessage, Rewrite};

use super::{Identity, Misbehaviour, Sent};

/// Adds to each of its votes one for a block that does not exist. A leader's proposal is its vote:
/// it makes a second one.
#[derive(Debug)]
pub(super) struct DoubleVote;

struct Second<'a>(&'a Identity);

impl Rewrite for Second<'_> {
    fn block(&mut self, block: &SealedBlock) -> SealedBlock {
        if self.0.proposed(block) { self.0.twin(block, block.header.parent) } else { block.clone() }
    }

    fn vote(&mut self, vote: &Vote) -> Vote {
        let mut other = vote.ballot.block;
        other.0[0] ^= 1;
        self.0.vote_for(vote, other)
    }
}

impl<M: EngineMessage> Misbehaviour<M> for DoubleVote {
    fn twist(&mut self, me: &Identity, to: Recipients, message: &M) -> Option<Sent<M>> {
        let votes = message.votes().iter().any(|vote| vote.voter == me.me);
        if !votes && !message.proposals().iter().any(|block| me.proposed(block)) {
            return None;
        }
        let second = message.rewrite(&me.chain_id, &mut Second(me));
        Some(vec![(to, message.clone()), (to, second)])
    }
}
