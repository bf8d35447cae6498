//! Votes for a second block wherever it votes.

use chain::certificate::Vote;
use chain::types::{Digest, ValidatorIndex};

use super::{Behaviour, Hand};
use crate::protocol::{Protocol, Rewrite};

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

impl<E: Protocol> Behaviour<E> for DoubleVote {
    fn send(
        &mut self,
        to: ValidatorIndex,
        message: &E::Message,
        hand: &mut Hand,
        out: &mut Vec<(ValidatorIndex, E::Message)>,
    ) {
        out.push((to, message.clone()));
        if !E::votes(message).is_empty() && E::proposals(message).is_empty() {
            out.push((to, E::rewrite(message, &mut Second(hand))));
        }
    }
}
