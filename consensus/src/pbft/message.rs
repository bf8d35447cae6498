//! What PBFT replicas say to each other, and what they sign.
//!
//! docs/protocol/pbft.md, table of messages.

use bincode::{Decode, Encode};
use chain::block::{Block, Header, Justification, SealedBlock, proposal_digest};
use chain::certificate::{Ballot, Certificate, Vote};
use chain::codec::Bounded;
use chain::crypto::{Domain, Hasher, Signature, Signer};
use chain::evidence::Evidence;
use chain::transaction::Transaction;
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};

use crate::application::Finals;

/// Everything a replica sends to another.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Message {
    /// Primary to everyone: a new block of its view, with the primary's own prepare.
    PrePrepare(PrePrepare),
    /// To everyone: prepares and commits of the sender.
    Votes(Vec<Vote>),
    /// To everyone: "I made this block final."
    Checkpoint(Checkpoint),
    /// To everyone: "I have left all lower views; this is what I prepared."
    ViewChange(ViewChange),
    /// Primary of a new view to everyone: the reports it starts from, and what follows from them.
    NewView(NewView),
    /// "Send me this block and its ancestors above a height."
    FetchBlocks {
        block: Digest,
        above: Height,
    },
    /// The answer, in ascending height; also what a peer that lags in its view has missed.
    Blocks(Vec<SealedBlock>),
    /// "Send me final blocks from this height on."
    FetchFinals {
        from: Height,
    },
    /// The answer.
    Finals(Finals),
    Evidence(Box<Evidence>),
    /// "This is where I am": whoever sees what the sender missed sends it.
    Status(Status),
    /// "How far is your chain, once nothing that you voted for is open?"
    Read {
        epoch: Epoch,
        id: u64,
    },
    /// The answer.
    ReadAt {
        epoch: Epoch,
        id: u64,
        height: Height,
    },
}

impl Bounded for Message {
    const MAX_BYTES: usize = 8 * 1024 * 1024;
}

/// A block proposed by the primary of its view.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PrePrepare {
    pub block: SealedBlock,
    /// The primary's prepare; absent only on the way from the primary to itself.
    pub prepare: Option<Vote>,
}

/// "This block is final here." The block's hash covers the state after it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Checkpoint {
    pub epoch: Epoch,
    pub height: Height,
    pub block: Digest,
    pub sender: ValidatorIndex,
    pub signature: Signature,
}

impl Checkpoint {
    /// No other message of this engine is signed in this domain.
    pub(super) fn digest(
        epoch: Epoch,
        height: Height,
        block: &Digest,
        chain_id: &Digest,
    ) -> Digest {
        Hasher::on_chain(Domain::ViewAck, chain_id).value(&(epoch, height, block)).finish()
    }
}

/// A block that the reporter prepared, with the quorum of prepares.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Prepared {
    pub header: Header,
    pub certificate: Certificate,
}

impl Prepared {
    pub fn height(&self) -> Height {
        self.certificate.ballot.position.height
    }

    pub fn view(&self) -> View {
        self.certificate.ballot.position.view
    }

    pub fn block(&self) -> Digest {
        self.certificate.ballot.block
    }
}

/// What a [`ViewChange`] reports.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Report {
    pub epoch: Epoch,
    /// The view moved to.
    pub view: View,
    /// The proof of the low watermark: the certificate of the last final block. None while that
    /// is the block that opened the epoch.
    pub final_certificate: Option<Certificate>,
    /// The paper's P: per height above that the prepared block of the highest view, ascending.
    pub prepared: Vec<Prepared>,
}

impl Report {
    pub(super) fn digest(&self, chain_id: &Digest) -> Digest {
        Hasher::on_chain(Domain::ViewChange, chain_id).value(self).finish()
    }
}

/// A signed [`Report`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ViewChange {
    pub report: Report,
    pub sender: ValidatorIndex,
    pub signature: Signature,
}

/// What a new view starts from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ViewStart {
    pub epoch: Epoch,
    pub view: View,
    /// The paper's V, sorted by sender.
    pub changes: Vec<ViewChange>,
    /// The highest final height that they prove.
    pub base: Height,
    /// The paper's O: the blocks pre-prepared again, in ascending height from the one above that.
    pub chosen: Vec<Digest>,
    /// Whether a null request follows them.
    pub null: bool,
}

impl ViewStart {
    pub(super) fn digest(&self, chain_id: &Digest) -> Digest {
        Hasher::on_chain(Domain::NewView, chain_id).value(self).finish()
    }
}

/// A [`ViewStart`] signed by the primary of the view.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NewView {
    pub start: ViewStart,
    pub signature: Signature,
}

/// Where a replica is. Binds nothing, so the authenticated channel is signature enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Status {
    pub epoch: Epoch,
    pub view: View,
    /// Whether the sender has the view's new-view message.
    pub active: bool,
    pub final_height: Height,
    /// The highest block accepted in the view.
    pub head: Height,
}

/// A message that waits for the driver's signature.
#[derive(Clone, Debug)]
pub enum Draft {
    Proposal {
        header: Box<Header>,
        justification: Justification,
        transactions: Vec<Transaction>,
    },
    /// A proposal already signed, on its way together with the primary's prepare.
    PrePrepare {
        block: SealedBlock,
        ballot: Ballot,
    },
    Votes(Vec<Ballot>),
    Checkpoint {
        epoch: Epoch,
        height: Height,
        block: Digest,
    },
    ViewChange(Report),
    NewView(ViewStart),
}

impl Draft {
    pub(super) fn sign(
        self,
        me: ValidatorIndex,
        chain_id: &Digest,
        signer: &dyn Signer,
    ) -> Message {
        let vote = |ballot: Ballot| Vote {
            ballot,
            voter: me,
            signature: signer.sign(&ballot.digest(chain_id)),
        };
        match self {
            Self::Proposal { header, justification, transactions } => {
                let hash = header.hash(chain_id);
                let signature = signer.sign(&proposal_digest(chain_id, &hash));
                let block = Block { header: *header, signature, justification, transactions };
                Message::PrePrepare(PrePrepare { block: SealedBlock::new(block), prepare: None })
            }
            Self::PrePrepare { block, ballot } => {
                Message::PrePrepare(PrePrepare { block, prepare: Some(vote(ballot)) })
            }
            Self::Votes(ballots) => Message::Votes(ballots.into_iter().map(vote).collect()),
            Self::Checkpoint { epoch, height, block } => {
                let digest = Checkpoint::digest(epoch, height, &block, chain_id);
                let signature = signer.sign(&digest);
                Message::Checkpoint(Checkpoint { epoch, height, block, sender: me, signature })
            }
            Self::ViewChange(report) => {
                let signature = signer.sign(&report.digest(chain_id));
                Message::ViewChange(ViewChange { report, sender: me, signature })
            }
            Self::NewView(start) => {
                let signature = signer.sign(&start.digest(chain_id));
                Message::NewView(NewView { start, signature })
            }
        }
    }
}
