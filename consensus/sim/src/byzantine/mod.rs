//! Validators that lie. A behaviour stands between one validator's honest engine and the network,
//! with the validator's key; engines know nothing of it. docs/simulator-behaviours.md says which
//! engines each is meant for.

mod alarm;
mod amnesia;
mod censor;
mod double_vote;
mod doubles;
mod elsewhere;
mod equivocate;
mod flood;
mod forge;
mod invalid_block;
mod late;
mod lying_view_change;
mod replay;
mod silent;
mod stale;
mod two_new_views;
mod withhold;

use std::time::Duration;

use chain::block::{Block, SealedBlock, proposal_digest};
use chain::certificate::Vote;
use chain::crypto::Signer;
use chain::transaction::SignedTransaction;
use chain::types::{Digest, Epoch, ValidatorIndex, View};
use consensus::message::{Claim, EngineMessage};
use serde::{Deserialize, Serialize};

pub use self::flood::flood_of;

use self::elsewhere::{Elsewhere, Place};
use self::equivocate::Equivocate;
use self::forge::{Forge, Forgery};
use self::invalid_block::{Flaw, InvalidBlock};
use self::lying_view_change::LyingViewChange;
use self::withhold::{Kept, Withhold};
use crate::dice::Dice;

macro_rules! behaviours {
    ($($(#[doc = $about:literal])+ $kind:ident: $start:expr,)+) => {
        /// What a Byzantine validator does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum BehaviourKind {
            $($(#[doc = $about])+ $kind,)+
        }

        impl BehaviourKind {
            /// One of each.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// What it does, in a sentence.
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!($($about),+).trim_start(),)+
                }
            }

            pub fn start<M: EngineMessage>(self) -> Box<dyn Behaviour<M>> {
                match self {
                    $(Self::$kind => Box::new($start),)+
                }
            }
        }
    };
}

behaviours! {
    /// As leader signs two chains, one for each half of the others.
    Equivocate: Equivocate::halves(),
    /// As leader signs a different block for every follower.
    EquivocateEach: Equivocate::each(),
    /// Listens and says nothing.
    Silent: silent::Silent,
    /// Keeps its blocks and votes from some, drawn anew each view.
    Withhold: Withhold::new(Kept::Everything),
    /// Keeps its blocks from some, and votes to all.
    WithholdBlocks: Withhold::new(Kept::Blocks),
    /// Keeps its votes from some, and sends blocks to all.
    WithholdVotes: Withhold::new(Kept::Votes),
    /// Names its blocks by hash and sends them to nobody.
    WithholdData: withhold::WithholdData,
    /// Says everything just before the others lose patience.
    Late: late::Late,
    /// Votes for a second block wherever it votes.
    DoubleVote: double_vote::DoubleVote,
    /// Proposes blocks with a wrong state root.
    InvalidBlock: InvalidBlock::new(Flaw::StateRoot),
    /// Proposes blocks with a transaction that nobody signed.
    InvalidTransactions: InvalidBlock::new(Flaw::Transactions),
    /// Proposes blocks on a parent that does not exist.
    InvalidParent: InvalidBlock::new(Flaw::Parent),
    /// Proposes blocks that are older than their parents.
    InvalidTime: InvalidBlock::new(Flaw::Time),
    /// Proposes blocks with more transactions than a block may have.
    InvalidSize: InvalidBlock::new(Flaw::Size),
    /// Uses votes on one block as a certificate for another, or for more than they say.
    ForgeCertificates: Forge::new(Forgery::Ballot),
    /// Spoils a signature in each certificate.
    SpoilCertificates: Forge::new(Forgery::Signature),
    /// Sends certificates with too few signers.
    ShortCertificates: Forge::new(Forgery::TooFew),
    /// Fills certificates up with the signature of one signer.
    RepeatedSigners: Forge::new(Forgery::Repeated),
    /// Repeats what it said long ago, in other epochs too.
    Replay: replay::Replay::<M>::default(),
    /// Votes and proposes for an epoch that is not there yet, or is over.
    OtherEpoch: Elsewhere(Place::Epoch),
    /// Votes and proposes for another chain.
    OtherChain: Elsewhere(Place::Chain),
    /// Says in a view change that it voted for nothing.
    OmitVotes: LyingViewChange(&[Claim::Votes]),
    /// Says in a view change that it holds no certificate.
    OmitCertificates: LyingViewChange(&[Claim::Certificates]),
    /// Says in a view change that it knows nothing at all.
    OmitAll: LyingViewChange(&[Claim::Votes, Claim::Certificates, Claim::Finals]),
    /// Reports certificates for blocks that nobody voted for.
    InventCertificates: lying_view_change::Invent,
    /// Reports, and spreads, the first certificates it saw instead of the newest.
    OldCertificates: stale::OldCertificates::default(),
    /// As leader of a new view starts it from two different sets of reports.
    TwoNewViews: two_new_views::TwoNewViews::default(),
    /// Never takes the transactions of one sender into its blocks.
    Censor: censor::Censor::default(),
    /// Says everything many times over, with junk between.
    Flood: flood::Flood,
    /// Suspects every leader, and changes views, without a reason.
    FalseAlarm: alarm::FalseAlarm,
    /// Comes back from a crash with an older disk.
    Amnesia: amnesia::Amnesia,
}

/// What a liar says to one validator.
#[derive(Clone, Debug)]
pub struct Said<M> {
    pub to: ValidatorIndex,
    /// How much later than an honest one would.
    pub delay: Duration,
    pub message: M,
}

impl<M> Said<M> {
    fn now(to: ValidatorIndex, message: M) -> Self {
        Self { to, delay: Duration::ZERO, message }
    }
}

/// A way to lie.
pub trait Behaviour<M: EngineMessage> {
    /// Says what this validator really says to `to` where an honest one would say `message`.
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>);

    /// Whether it takes this transaction from a client.
    fn hears(&mut self, _transaction: &SignedTransaction) -> bool {
        true
    }

    /// Whether a crash may give back an older disk.
    fn forgets(&self) -> bool {
        false
    }
}

/// A liar: how it lies, and with what.
pub type Liar<M> = (Box<dyn Behaviour<M>>, Hand);

/// What a liar has at hand: its own key, patience, and chance.
pub struct Hand {
    pub me: ValidatorIndex,
    pub chain_id: Digest,
    pub signer: Box<dyn Signer + Send>,
    /// The smallest view timeout of the others.
    pub timeout: Duration,
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
        let hash = block.header.hash(&block.header.chain_id);
        block.signature = self.signer.sign(&proposal_digest(&block.header.chain_id, &hash));
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

/// A digest that differs.
fn spoiled(digest: Digest) -> Digest {
    let mut other = digest.0;
    other[0] ^= 0xff;
    Digest(other)
}

/// The view that a message with a block or a vote is about.
fn view_of<M: EngineMessage>(message: &M) -> Option<(Epoch, View)> {
    let block = message.proposals().first().map(|block| block.header.position());
    let position = block.or_else(|| Some(message.votes().first()?.ballot.position))?;
    Some((position.epoch, position.view))
}
