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

use self::lying_view_change::LyingViewChange;
use crate::dice::Dice;
use consensus::message::{Claim, EngineMessage};

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
    /// Says that it voted for nothing.
    OmitVotes,
    /// Says that it holds no certificate.
    OmitCertificates,
    /// Says that it knows nothing at all.
    OmitAll,
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
        Self::OmitVotes,
        Self::OmitCertificates,
        Self::OmitAll,
    ];

    pub fn start<M: EngineMessage>(self) -> Box<dyn Behaviour<M>> {
        match self {
            Self::Equivocate => Box::new(equivocate::Equivocate::default()),
            Self::Silent => Box::new(silent::Silent),
            Self::Withhold => Box::new(withhold::Withhold::default()),
            Self::DoubleVote => Box::new(double_vote::DoubleVote),
            Self::InvalidBlock => Box::new(invalid_block::InvalidBlock::default()),
            Self::Replay => Box::new(replay::Replay::<M>::default()),
            Self::OmitVotes => Box::new(LyingViewChange(&[Claim::Votes])),
            Self::OmitCertificates => Box::new(LyingViewChange(&[Claim::Certificates])),
            Self::OmitAll => {
                Box::new(LyingViewChange(&[Claim::Votes, Claim::Certificates, Claim::Finals]))
            }
        }
    }
}

/// A way to lie.
pub trait Behaviour<M: EngineMessage> {
    /// Sends what this validator really says to `to` where an honest one would say `message`.
    fn send(
        &mut self,
        to: ValidatorIndex,
        message: &M,
        hand: &mut Hand,
        out: &mut Vec<(ValidatorIndex, M)>,
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
