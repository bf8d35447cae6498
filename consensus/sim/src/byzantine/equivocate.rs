//! As leader signs two headers for every height: one chain for one half of the others, a second
//! for the rest, with its votes for both.

use std::collections::BTreeMap;

use chain::block::{Block, SealedBlock};
use chain::certificate::{Certificate, Vote};
use chain::types::{Digest, Epoch, ValidatorIndex, View};

use super::{Behaviour, Hand};

use consensus::message::{EngineMessage, Rewrite};

#[derive(Debug, Default)]
pub(super) struct Equivocate {
    /// Own blocks and their twins.
    twins: BTreeMap<Digest, SealedBlock>,
    /// Who gets the second chain of a view.
    second: BTreeMap<(Epoch, View, ValidatorIndex), bool>,
}

struct SecondChain<'a> {
    twins: &'a mut BTreeMap<Digest, SealedBlock>,
    hand: &'a Hand,
}

impl Rewrite for SecondChain<'_> {
    fn block(&mut self, block: &SealedBlock) -> SealedBlock {
        if !self.hand.is_mine(block) {
            return block.clone();
        }
        if let Some(twin) = self.twins.get(&block.hash()) {
            return twin.clone();
        }
        let mut changed: Block = (**block).clone();
        changed.header.timestamp_ms += 1;
        changed.header.parent = self.reference(changed.header.parent);
        let certificate = changed.justification.certificate.take();
        changed.justification.certificate = certificate.filter(|held| self.keeps(held));
        let twin = self.hand.propose(changed);
        self.twins.insert(block.hash(), twin.clone());
        twin
    }

    fn vote(&mut self, vote: &Vote) -> Vote {
        match self.twins.get(&vote.ballot.block) {
            Some(twin) => self.hand.vote_for(vote, twin.hash()),
            None => *vote,
        }
    }

    fn reference(&mut self, hash: Digest) -> Digest {
        self.twins.get(&hash).map_or(hash, SealedBlock::hash)
    }

    /// Certificates of the first chain would give it away.
    fn keeps(&mut self, certificate: &Certificate) -> bool {
        !self.twins.contains_key(&certificate.ballot.block)
    }
}

impl<M: EngineMessage> Behaviour<M> for Equivocate {
    fn send(
        &mut self,
        to: ValidatorIndex,
        message: &M,
        hand: &mut Hand,
        out: &mut Vec<(ValidatorIndex, M)>,
    ) {
        let place = message
            .proposals()
            .first()
            .map(|block| (block.header.epoch, block.header.view))
            .or_else(|| {
                let position = message.votes().first()?.ballot.position;
                Some((position.epoch, position.view))
            });
        let second = place.is_some_and(|(epoch, view)| {
            *self.second.entry((epoch, view, to)).or_insert_with(|| hand.dice.below(2) == 0)
        });
        if second {
            let mut chain = SecondChain { twins: &mut self.twins, hand };
            out.push((to, message.rewrite(&hand.chain_id, &mut chain)));
        } else {
            out.push((to, message.clone()));
        }
    }
}
