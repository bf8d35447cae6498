//! Says everything many times over, with junk between: votes of a wrong signature, certificates of
//! nothing.

use chain::certificate::{Certificate, Vote};
use chain::types::ValidatorIndex;
use consensus::message::{EngineMessage, Rewrite};

use super::{Behaviour, Hand, Said, spoiled};

/// Copies of each message, every other one spoiled.
const COPIES: usize = 8;

#[derive(Debug)]
pub(super) struct Flood;

struct Junk;

impl Rewrite for Junk {
    fn vote(&mut self, vote: &Vote) -> Vote {
        let mut junk = *vote;
        junk.signature.0[0] ^= 0xff;
        junk
    }

    fn certificate(&mut self, certificate: &Certificate) -> Option<Certificate> {
        let mut junk = certificate.clone();
        junk.ballot.block = spoiled(junk.ballot.block);
        Some(junk)
    }
}

impl<M: EngineMessage> Behaviour<M> for Flood {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        for copy in 0..COPIES {
            let junk = copy % 2 == 1;
            said.push(Said::now(
                to,
                if junk { message.rewrite(&hand.chain_id, &mut Junk) } else { message.clone() },
            ));
        }
    }
}
