//! As leader proposes blocks with a flaw, and votes for them.

use chain::block::{Block, SealedBlock};
use chain::certificate::Vote;
use chain::merkle::List;
use chain::transaction::Transaction;
use chain::types::{Digest, ValidatorIndex};
use consensus::message::{EngineMessage, Rewrite};

use super::doubles::Doubles;
use super::{Behaviour, Hand, Said, spoiled};
use crate::application::{MAX_TRANSACTIONS, transaction};

/// What is wrong with the blocks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flaw {
    StateRoot,
    Transactions,
    Parent,
    Time,
    Size,
}

#[derive(Debug)]
pub(super) struct InvalidBlock {
    flaw: Flaw,
    doubles: Doubles,
}

impl InvalidBlock {
    pub(super) fn new(flaw: Flaw) -> Self {
        Self { flaw, doubles: Doubles::default() }
    }
}

struct Spoil<'a> {
    flaw: Flaw,
    doubles: &'a mut Doubles,
    hand: &'a Hand,
}

impl Flaw {
    fn spoil(self, block: &mut Block, hand: &Hand) {
        let header = &mut block.header;
        let own = |nonce| transaction(hand.chain_id, hand.signer.as_ref(), nonce);
        match self {
            Self::StateRoot => header.state_root = spoiled(header.state_root),
            Self::Parent => header.parent = spoiled(header.parent),
            Self::Time => header.timestamp_ms = 0,
            Self::Transactions => {
                let mut unsigned = own(0);
                unsigned.payload.nonce += 1;
                block.transactions.push(Transaction::Signed(unsigned));
            }
            Self::Size => {
                let many =
                    (0..=MAX_TRANSACTIONS as u64).map(|nonce| Transaction::Signed(own(nonce)));
                block.transactions.extend(many);
            }
        }
        let hashes: Vec<Digest> =
            block.transactions.iter().map(|each| each.hash(&hand.chain_id)).collect();
        block.header.transactions_root = List::Transactions.root(&hashes);
    }
}

impl Rewrite for Spoil<'_> {
    fn block(&mut self, block: &SealedBlock) -> SealedBlock {
        let (flaw, hand) = (self.flaw, self.hand);
        self.doubles.block(block, hand, |changed| flaw.spoil(changed, hand))
    }

    fn vote(&mut self, vote: &Vote) -> Vote {
        self.doubles.vote(vote, self.hand)
    }

    fn reference(&mut self, hash: Digest) -> Digest {
        self.doubles.reference(hash)
    }
}

impl<M: EngineMessage> Behaviour<M> for InvalidBlock {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        let mut spoil = Spoil { flaw: self.flaw, doubles: &mut self.doubles, hand };
        said.push(Said::now(to, message.rewrite(&hand.chain_id, &mut spoil)));
    }
}
