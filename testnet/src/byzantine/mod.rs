//! Byzantine validators: a layer around a node's outbox that changes what leaves it.
//!
//! The engine inside stays correct; only its words are twisted on their way out, with the
//! validator's own key, and a censor chooses what it proposes. So no node that people run holds any of this, and a validator can turn
//! faulty and back while it runs.

mod censor;
pub mod control;
mod delayed;
mod double_vote;
mod equivocate;
mod flood;
mod invalid_block;
mod layer;
mod lying_view_change;
mod narrow;
mod withhold;

use std::sync::Arc;

use chain::block::{Block, SealedBlock, proposal_digest};
use chain::certificate::{Ballot, Vote};
use chain::crypto::{Keypair, Signature, Signer};
use chain::types::{Digest, ValidatorIndex};
use chain::validator::ValidatorSet;
use consensus::engine::Recipients;
use consensus::message::EngineMessage;

pub use censor::Censor;
pub use layer::FaultLayer;

/// On blocks of engines that do not sign them.
const UNSIGNED: Signature = Signature([0; 64]);

/// Who the faulty validator is, and with what it signs.
#[derive(Clone, Debug)]
pub struct Identity {
    pub me: ValidatorIndex,
    /// Every other validator.
    pub others: Vec<ValidatorIndex>,
    /// How many of them make a prepare certificate.
    pub quorum: usize,
    pub chain_id: Digest,
    pub key: Arc<Keypair>,
}

impl Identity {
    /// The validator with this key among others; `None` where it is none.
    pub fn new(chain_id: Digest, key: Arc<Keypair>, set: &ValidatorSet) -> Option<Self> {
        let me = set.index_of(&key.public())?;
        let others = set.indices().filter(|index| *index != me).collect();
        Some(Self { me, others, quorum: set.quorums().quorum, chain_id, key })
    }

    /// The receivers, one by one.
    fn each(&self, to: Recipients) -> Vec<ValidatorIndex> {
        match to {
            Recipients::Others => self.others.clone(),
            Recipients::One(index) => vec![index],
        }
    }

    /// Whether this validator proposed the block.
    fn proposed(&self, block: &Block) -> bool {
        block.header.proposer == self.me
    }

    /// Seals a changed block with a signature that matches, where its engine signs blocks.
    fn propose(&self, mut block: Block) -> SealedBlock {
        if block.signature != UNSIGNED {
            let hash = block.header.hash(&self.chain_id);
            block.signature = self.key.sign(&proposal_digest(&self.chain_id, &hash));
        }
        SealedBlock::new(block)
    }

    /// Another block in the place of one, on this parent: the same but a millisecond later.
    fn twin(&self, block: &SealedBlock, parent: Digest) -> SealedBlock {
        let mut twin: Block = (**block).clone();
        twin.header.parent = parent;
        twin.header.timestamp_ms += 1;
        self.propose(twin)
    }

    /// The same vote for another block.
    fn vote_for(&self, vote: &Vote, block: Digest) -> Vote {
        let ballot = Ballot { block, ..vote.ballot };
        Vote { ballot, voter: self.me, signature: self.key.sign(&ballot.digest(&self.chain_id)) }
    }
}

/// What leaves in place of a message.
type Sent<M> = Vec<(Recipients, M)>;

/// One way to twist a validator's messages.
trait Misbehaviour<M>: Send {
    /// What leaves in place of `message`; `None` if it leaves as it is.
    fn twist(&mut self, me: &Identity, to: Recipients, message: &M) -> Option<Sent<M>>;
}

/// Sends nothing.
struct Silent;

impl<M: EngineMessage> Misbehaviour<M> for Silent {
    fn twist(&mut self, _: &Identity, _: Recipients, _: &M) -> Option<Sent<M>> {
        Some(Vec::new())
    }
}

#[cfg(test)]
mod tests;
