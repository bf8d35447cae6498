//! A validator that says everything many times over, with junk between.

use chain::certificate::{Certificate, Vote};
use consensus::engine::Recipients;
use consensus::message::{EngineMessage, Rewrite};

use super::{Identity, Misbehaviour, Sent};

/// Copies of each message, every other one spoiled.
const COPIES: usize = 8;

/// Sends each message again and again; in between the same with votes that nobody signed and
/// certificates of nothing.
#[derive(Debug)]
pub(super) struct Flood;

struct Junk;

impl Rewrite for Junk {
    fn vote(&mut self, vote: &Vote) -> Vote {
        let mut junk = *vote;
        junk.signature.0[0] ^= 1;
        junk
    }

    fn certificate(&mut self, certificate: &Certificate) -> Option<Certificate> {
        let mut junk = certificate.clone();
        junk.ballot.block.0[0] ^= 1;
        Some(junk)
    }
}

impl<M: EngineMessage> Misbehaviour<M> for Flood {
    fn twist(&mut self, me: &Identity, to: Recipients, message: &M) -> Option<Sent<M>> {
        let copy = |number: usize| match number % 2 {
            0 => message.clone(),
            _ => message.rewrite(&me.chain_id, &mut Junk),
        };
        Some((0..COPIES).map(|number| (to, copy(number))).collect())
    }
}
