//! A validator that votes for two blocks at one height.

use chain::certificate::{Ballot, VoteKind};
use consensus::engine::Recipients;
use consensus::hybrid::Message;
use consensus::hybrid::Votes;

use super::{Identity, Misbehaviour, Sent};

/// Adds to each of its votes one for a block that does not exist.
#[derive(Debug)]
pub(super) struct DoubleVote;

impl Misbehaviour for DoubleVote {
    fn twist(&mut self, me: &Identity, to: Recipients, message: &Message) -> Option<Sent> {
        let honest: Vec<Ballot> = match message {
            Message::Votes(votes) => votes.votes.iter().map(|vote| vote.ballot).collect(),
            // A leader's own vote may never leave it as a vote: it shows this one as well.
            Message::Append(append) => append
                .blocks
                .iter()
                .filter(|block| me.proposed(block))
                .map(|block| Ballot {
                    kind: VoteKind::Prepare,
                    position: block.header.position(),
                    block: block.hash(),
                })
                .collect(),
            _ => return None,
        };
        if honest.is_empty() {
            return None;
        }
        let mut sent = vec![(to, message.clone())];
        for ballot in honest {
            let mut other = ballot;
            other.block.0[0] ^= 1;
            for ballot in [ballot, other] {
                let votes = Votes { votes: vec![me.vote(ballot)], header: None, again: false };
                sent.push((to, Message::Votes(votes)));
            }
        }
        Some(sent)
    }
}
