//! What everybody may ask of a message, whatever engine it belongs to: the network to carry it,
//! the simulator to count it and to hold honest keys to their word, a liar to twist it.

use chain::block::SealedBlock;
use chain::certificate::{Certificate, Position, Vote, VoteKind};
use chain::codec::Bounded;
use chain::crypto::{Signature, Signer};
use chain::types::{Digest, Epoch, ValidatorIndex, View};

use crate::application::Finals;

/// Sending and receiving order: where a link or the consensus thread is short of time, the first
/// goes first and the last is dropped first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Votes, certificates, view changes, signs of life.
    Votes,
    /// New blocks.
    Blocks,
    /// Catching up.
    Sync,
}

impl Lane {
    pub const COUNT: usize = 3;
    /// In their order.
    pub const ALL: [Self; Self::COUNT] = [Self::Votes, Self::Blocks, Self::Sync];

    /// Place in [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What is spread besides the direct streams, for those whom its sender does not reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gossip {
    Evidence,
    ViewChanges,
}

/// A place for which an honest key says one thing and never another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// A leader's proposal. In engines whose blocks outlive their view, the view is that of the
    /// proposal and not of the block.
    Proposal(Position),
    Vote(VoteKind, Position),
    ViewChange(Epoch, View),
    NewView(Epoch, View),
    ViewAck(Epoch, View),
    /// Raft: the one candidate voted for in a term.
    Election(Epoch, View),
}

/// A part of a report that its sender may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// What was voted for or accepted.
    Votes,
    /// What is certified: prepared, or a quorum certificate.
    Certificates,
    /// What is final.
    Finals,
}

/// How a twisted message differs from an honest one, part by part. The default changes nothing.
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

    /// Whether a block travels, or only its hash where the message names that too.
    fn carries(&mut self, _block: &SealedBlock) -> bool {
        true
    }

    /// What stands in a certificate's place; `None` leaves it out, where the message can do
    /// without.
    fn certificate(&mut self, certificate: &Certificate) -> Option<Certificate> {
        Some(certificate.clone())
    }

    /// Whether a report of this sender, alone or in a new view, is there to be changed.
    fn speaks_for(&mut self, _sender: ValidatorIndex) -> bool {
        false
    }

    /// Whether the sender's report of what it knows says so much.
    fn reports(&mut self, _claim: Claim) -> bool {
        true
    }

    /// The sender's signature over what the message now says.
    fn sign(&mut self, _digest: &Digest, signature: Signature) -> Signature {
        signature
    }
}

/// A message between validators.
pub trait EngineMessage:
    bincode::Encode + bincode::Decode<()> + Bounded + Clone + std::fmt::Debug + Send + Sync + 'static
{
    /// Name of the kind, for counting and traces.
    fn kind(&self) -> &'static str;

    fn lane(&self) -> Lane;

    /// What gossip carries it as, if at all.
    fn gossip(&self) -> Option<Gossip> {
        None
    }

    /// Whether it is there to show what is final: a certificate alone, or final blocks.
    fn shows_finality(&self) -> bool {
        false
    }

    /// The blocks that it carries and that are not final.
    fn proposals(&self) -> &[SealedBlock];

    /// The final blocks that it carries to a peer that catches up.
    fn finals(&self) -> Option<&Finals> {
        None
    }

    /// The signed votes that its sender casts with it.
    fn votes(&self) -> &[Vote] {
        &[]
    }

    /// The certificates that it carries.
    fn certificates(&self) -> Vec<&Certificate> {
        Vec::new()
    }

    /// What `sender` commits itself to with it: slot, and what it says there.
    fn statements(
        &self,
        sender: ValidatorIndex,
        chain_id: &Digest,
        each: &mut dyn FnMut(Slot, Digest),
    );

    /// The same message with its parts exchanged.
    #[must_use]
    fn rewrite(&self, chain_id: &Digest, by: &mut dyn Rewrite) -> Self;

    /// What a validator can say, without a cause, to end a view.
    fn alarms(
        _chain_id: &Digest,
        _sender: ValidatorIndex,
        _place: (Epoch, View),
        _signer: &dyn Signer,
    ) -> Vec<Self> {
        Vec::new()
    }
}

/// The statements that blocks and votes are, for [`EngineMessage::statements`]: what `sender`
/// proposes in its own name, and what it votes for.
pub(crate) fn proposed_and_voted(
    message: &impl EngineMessage,
    sender: ValidatorIndex,
    each: &mut dyn FnMut(Slot, Digest),
) {
    for block in message.proposals() {
        if block.header.proposer == sender {
            each(Slot::Proposal(block.header.position()), block.hash());
        }
    }
    for vote in message.votes() {
        if vote.voter == sender {
            let ballot = &vote.ballot;
            each(Slot::Vote(ballot.kind, ballot.position), ballot.block);
        }
    }
}

/// Blocks with their parts exchanged, without those that do not travel.
pub(crate) fn rewrite_blocks(blocks: &[SealedBlock], by: &mut dyn Rewrite) -> Vec<SealedBlock> {
    // Every block is rewritten, left out or not: the next ones build on it.
    let rewritten: Vec<SealedBlock> = blocks.iter().map(|block| by.block(block)).collect();
    rewritten.into_iter().filter(|block| by.carries(block)).collect()
}

/// Final blocks with another certificate in their proof, where there is one.
pub(crate) fn rewrite_finals(finals: &Finals, by: &mut dyn Rewrite) -> Finals {
    let mut finals = finals.clone();
    if let Some(proof) = &mut finals.proof
        && let Some(certificate) = by.certificate(&proof.certificate)
    {
        proof.certificate = certificate;
    }
    finals
}
