//! Says everything many times over, with junk between: votes of a wrong signature, certificates of
//! nothing.

use chain::certificate::{Certificate, Vote};
use chain::types::{Digest, ValidatorIndex};
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

/// A message many times over, every other one spoiled.
pub fn flood_of<M: EngineMessage>(message: &M, chain_id: &Digest) -> impl Iterator<Item = M> {
    (0..COPIES).map(move |copy| match copy % 2 {
        0 => message.clone(),
        _ => message.rewrite(chain_id, &mut Junk),
    })
}

impl<M: EngineMessage> Behaviour<M> for Flood {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        said.extend(flood_of(message, &hand.chain_id).map(|message| Said::now(to, message)));
    }
}
