//! Validators that lie. A behaviour stands between one validator's honest engine and the network,
//! with the validator's key; engines know nothing of it.

mod double_vote;
mod equivocate;
mod invalid_block;
mod lying_view_change;
mod replay;
mod silent;
mod withhold;

use chain::block::{Block, SealedBlock, proposal_digest};
use chain::certificate::Vote;
use chain::crypto::Signer;
use chain::types::{Digest, ValidatorIndex};
use serde::{Deserialize, Serialize};

use crate::dice::Dice;
use crate::protocol::{Lie, Protocol};

/// What a Byzantine validator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BehaviourKind {
    Equivocate,
    Silent,
    Withhold,
    DoubleVote,
    InvalidBlock,
    Replay,
    LyingViewChange(Lie),
}

impl BehaviourKind {
    /// One of each.
    pub const ALL: [Self; 9] = [
        Self::Equivocate,
        Self::Silent,
        Self::Withhold,
        Self::DoubleVote,
        Self::InvalidBlock,
        Self::Replay,
        Self::LyingViewChange(Lie::OmitVote),
        Self::LyingViewChange(Lie::OmitCertificate),
        Self::LyingViewChange(Lie::OmitAll),
    ];

    pub fn start<E: Protocol>(self) -> Box<dyn Behaviour<E>> {
        match self {
            Self::Equivocate => Box::new(equivocate::Equivocate::default()),
            Self::Silent => Box::new(silent::Silent),
            Self::Withhold => Box::new(withhold::Withhold::default()),
            Self::DoubleVote => Box::new(double_vote::DoubleVote),
            Self::InvalidBlock => Box::new(invalid_block::InvalidBlock::default()),
            Self::Replay => Box::new(replay::Replay::<E>::default()),
            Self::LyingViewChange(lie) => Box::new(lying_view_change::LyingViewChange(lie)),
        }
    }
}

/// A way to lie.
pub trait Behaviour<E: Protocol> {
    /// Sends what this validator really says to `to` where an honest one would say `message`.
    fn send(
        &mut self,
        to: ValidatorIndex,
        message: &E::Message,
        hand: &mut Hand,
        out: &mut Vec<(ValidatorIndex, E::Message)>,
    );
}

/// What a liar has at hand: its own key, and chance.
pub struct Hand {
    pub me: ValidatorIndex,
    pub chain_id: Digest,
    pub signer: Box<dyn Signer + Send>,
    pub dice: Dice,
}

impl std::fmt::Debug for Hand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hand").field("me", &self.me).finish_non_exhaustive()
    }
}

impl Hand {
    /// Signs a changed block as its proposer. The justification's hash is set right.
    fn propose(&self, mut block: Block) -> SealedBlock {
        block.header.justification_hash = block.justification.hash(&self.chain_id);
        let hash = block.header.hash(&self.chain_id);
        block.signature = self.signer.sign(&proposal_digest(&self.chain_id, &hash));
        SealedBlock::new(block)
    }

    /// Signs a vote of its own for another block.
    fn vote_for(&self, vote: &Vote, block: Digest) -> Vote {
        let mut ballot = vote.ballot;
        ballot.block = block;
        let signature = self.signer.sign(&ballot.digest(&self.chain_id));
        Vote { ballot, voter: self.me, signature }
    }

    fn is_mine(&self, block: &SealedBlock) -> bool {
        block.header.proposer == self.me
    }
}
