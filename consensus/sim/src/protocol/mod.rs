//! What the simulator must know of an engine's messages beyond the contract: to count them, to
//! hold honest keys to their promises, and to let a Byzantine validator lie well.

mod hybrid;

use chain::block::SealedBlock;
use chain::certificate::{Certificate, Position, Vote, VoteKind};
use chain::crypto::Signer;
use chain::types::{Digest, Epoch, ValidatorIndex, View};
use consensus::engine::Engine;

/// A place for which an honest key signs one thing and never another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    Proposal(Position),
    Vote(VoteKind, Position),
    ViewChange(Epoch, View),
    NewView(Epoch, View),
    ViewAck(Epoch, View),
}

/// How a forged message differs from an honest one, part by part. The default changes nothing.
pub trait Rewrite {
    fn block(&mut self, block: &SealedBlock) -> SealedBlock {
        block.clone()
    }

    fn vote(&mut self, vote: &Vote) -> Vote {
        *vote
    }

    /// A block named by its hash alone.
    fn reference(&mut self, hash: Digest) -> Digest {
        hash
    }

    /// Whether a certificate stays in.
    fn keeps(&mut self, _certificate: &Certificate) -> bool {
        true
    }
}

/// How a report of a view change lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lie {
    /// "I voted for nothing."
    OmitVote,
    /// "I hold no certificate."
    OmitCertificate,
    /// "I know nothing at all."
    OmitAll,
}

/// An engine as the simulator sees it.
pub trait Protocol: Engine + 'static {
    /// As in `--engine`.
    const NAME: &'static str;

    /// Name of the message's kind, for counting.
    fn kind(message: &Self::Message) -> &'static str;

    /// What `sender` itself commits to with this message: slot and what it says there.
    fn statements(
        sender: ValidatorIndex,
        message: &Self::Message,
        chain_id: &Digest,
        each: &mut dyn FnMut(Slot, Digest),
    );

    /// The blocks that the message carries and that are not final.
    fn proposals(message: &Self::Message) -> &[SealedBlock];

    /// The votes that the sender casts with the message.
    fn votes(message: &Self::Message) -> &[Vote];

    /// The message with its parts exchanged.
    fn rewrite(message: &Self::Message, by: &mut dyn Rewrite) -> Self::Message;

    /// A lying version of a view change of the signer, if the message is one.
    fn lie(
        message: &Self::Message,
        lie: Lie,
        chain_id: &Digest,
        signer: &dyn Signer,
    ) -> Option<Self::Message>;
}
