//! Byzantine validators: a layer around a node's outbox that changes what leaves it.
//!
//! The engine inside stays correct; only its words are twisted on their way out, with the
//! validator's own key. So no node that people run holds any of this, and a validator can turn
//! faulty and back while it runs.

pub mod control;
mod delayed;
mod double_vote;
mod equivocate;
mod invalid_block;
mod layer;
mod withhold;

use std::sync::Arc;

use chain::block::{Block, SealedBlock, proposal_digest};
use chain::certificate::{Ballot, Vote};
use chain::crypto::{Keypair, Signer};
use chain::types::{Digest, ValidatorIndex};
use consensus::engine::Recipients;
use consensus::hybrid::Message;

pub use layer::{FaultLayer, InnerOutbox};

/// Who the faulty validator is, and with what it signs.
#[derive(Clone, Debug)]
pub struct Identity {
    pub me: ValidatorIndex,
    /// How many validators there are.
    pub validators: usize,
    /// How many of them make a prepare certificate.
    pub quorum: usize,
    pub chain_id: Digest,
    pub key: Arc<Keypair>,
}

impl Identity {
    fn others(&self) -> impl Iterator<Item = ValidatorIndex> + '_ {
        (0..self.validators as u16).map(ValidatorIndex::new).filter(|index| *index != self.me)
    }

    /// The receivers, one by one.
    fn each(&self, to: Recipients) -> Vec<ValidatorIndex> {
        match to {
            Recipients::Others => self.others().collect(),
            Recipients::One(index) => vec![index],
        }
    }

    /// Whether this validator proposed the block.
    fn proposed(&self, block: &Block) -> bool {
        block.header.proposer == self.me
    }

    /// Seals a changed block with a signature that matches.
    fn seal(&self, mut block: Block) -> SealedBlock {
        let hash = block.header.hash(&self.chain_id);
        block.signature = self.key.sign(&proposal_digest(&self.chain_id, &hash));
        SealedBlock::new(block)
    }

    fn vote(&self, ballot: Ballot) -> Vote {
        Vote { ballot, voter: self.me, signature: self.key.sign(&ballot.digest(&self.chain_id)) }
    }
}

/// What leaves in place of a message.
type Sent = Vec<(Recipients, Message)>;

/// One way to twist a validator's messages.
trait Misbehaviour: Send {
    /// What leaves in place of `message`; `None` if it leaves as it is.
    fn twist(&mut self, me: &Identity, to: Recipients, message: &Message) -> Option<Sent>;
}

/// Sends nothing.
struct Silent;

impl Misbehaviour for Silent {
    fn twist(&mut self, _: &Identity, _: Recipients, _: &Message) -> Option<Sent> {
        Some(Vec::new())
    }
}

#[cfg(test)]
mod tests;
