//! Votes and proposes where nobody is: for another epoch, or another chain.

use chain::block::{Block, SealedBlock};
use chain::certificate::Vote;
use chain::types::{Epoch, ValidatorIndex};
use consensus::message::{EngineMessage, Rewrite};

use super::{Behaviour, Hand, Said, spoiled};

/// Where the words belong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Epoch,
    Chain,
}

#[derive(Debug)]
pub(super) struct Elsewhere(pub(super) Place);

struct Moved<'a> {
    place: Place,
    /// The epoch after, or the one before.
    later: bool,
    hand: &'a Hand,
}

impl Moved<'_> {
    fn epoch(&self, epoch: Epoch) -> Epoch {
        if self.later { epoch.next() } else { Epoch::new(epoch.get().saturating_sub(1)) }
    }
}

impl Rewrite for Moved<'_> {
    fn block(&mut self, block: &SealedBlock) -> SealedBlock {
        if !self.hand.is_mine(block) {
            return block.clone();
        }
        let mut moved: Block = (**block).clone();
        match self.place {
            Place::Epoch => moved.header.epoch = self.epoch(moved.header.epoch),
            Place::Chain => moved.header.chain_id = spoiled(moved.header.chain_id),
        }
        self.hand.propose(moved)
    }

    fn vote(&mut self, vote: &Vote) -> Vote {
        let mut moved = *vote;
        let chain_id = match self.place {
            Place::Epoch => {
                moved.ballot.position.epoch = self.epoch(moved.ballot.position.epoch);
                self.hand.chain_id
            }
            Place::Chain => spoiled(self.hand.chain_id),
        };
        moved.signature = self.hand.signer.sign(&moved.ballot.digest(&chain_id));
        moved
    }
}

impl<M: EngineMessage> Behaviour<M> for Elsewhere {
    /// Half of the time in addition to the honest words, half of the time instead of them.
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        let (later, instead) = (hand.dice.below(2) == 0, hand.dice.below(2) == 0);
        let mut moved = Moved { place: self.0, later, hand };
        said.push(Said::now(to, message.rewrite(&hand.chain_id, &mut moved)));
        if !instead {
            said.push(Said::now(to, message.clone()));
        }
    }
}
