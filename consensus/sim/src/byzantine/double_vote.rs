//! Votes for a second block wherever it votes.

use chain::certificate::Vote;
use chain::types::{Digest, ValidatorIndex};

use super::{Behaviour, Hand};

use consensus::message::{EngineMessage, Rewrite};

#[derive(Debug)]
pub(super) struct DoubleVote;

struct Second<'a>(&'a Hand);

impl Rewrite for Second<'_> {
    fn vote(&mut self, vote: &Vote) -> Vote {
        let mut other = vote.ballot.block.0;
        other[0] ^= 0xff;
        self.0.vote_for(vote, Digest(other))
    }
}

impl<M: EngineMessage> Behaviour<M> for DoubleVote {
    fn send(
        &mut self,
        to: ValidatorIndex,
        message: &M,
        hand: &mut Hand,
        out: &mut Vec<(ValidatorIndex, M)>,
    ) {
        out.push((to, message.clone()));
        if !message.votes().is_empty() && message.proposals().is_empty() {
            out.push((to, message.rewrite(&hand.chain_id, &mut Second(hand))));
        }
    }
}
