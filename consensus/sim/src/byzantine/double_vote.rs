//! Votes for a second block wherever it votes.

use chain::certificate::Vote;
use chain::types::ValidatorIndex;
use consensus::message::{EngineMessage, Rewrite};

use super::{Behaviour, Hand, Said, spoiled};

#[derive(Debug)]
pub(super) struct DoubleVote;

struct Second<'a>(&'a Hand);

impl Rewrite for Second<'_> {
    fn vote(&mut self, vote: &Vote) -> Vote {
        self.0.vote_for(vote, spoiled(vote.ballot.block))
    }
}

impl<M: EngineMessage> Behaviour<M> for DoubleVote {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        said.push(Said::now(to, message.clone()));
        if !message.votes().is_empty() && message.proposals().is_empty() {
            said.push(Said::now(to, message.rewrite(&hand.chain_id, &mut Second(hand))));
        }
    }
}
