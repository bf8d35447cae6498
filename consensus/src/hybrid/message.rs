//! What hybrid validators say to each other, and what they sign.
//!
//! docs/protocol/hybrid.md, table of messages.

use bincode::{Decode, Encode};
use chain::block::{Block, Header, Justification, SealedBlock, SignedHeader, proposal_digest};
use chain::certificate::{Ballot, Certificate, ViewCertificate, ViewStart, Vote};
use chain::codec::Bounded;
use chain::crypto::{Domain, Hasher, Signature, Signer};
use chain::evidence::Evidence;
use chain::transaction::Transaction;
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};

use crate::application::Finals;
use crate::tree::BlockRef;

/// Everything a validator sends to another.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Message {
    /// Leader to followers: blocks, or a sign of life without any.
    Append(Append),
    /// To the leader in `fast` mode, to everyone in `pbft` mode.
    Votes(Votes),
    /// To everyone: "I see no progress in this view." Binds nothing.
    Suspect(Suspect),
    /// To everyone: "I have left all lower views; this is what I know."
    ViewChange(ViewChange),
    /// Leader of a new view to everyone: the reports it starts from.
    NewView(NewView),
    /// To the leader of a new view: "I checked the reports; this is the tip."
    ViewAck(ViewAck),
    /// "Send me this block and its ancestors above a height."
    FetchBlocks {
        block: Digest,
        above: Height,
    },
    /// The answer, in ascending height.
    Blocks(Vec<SealedBlock>),
    /// "Send me final blocks from this height on."
    FetchFinals {
        from: Height,
    },
    /// The answer.
    Finals(Finals),
    /// A final certificate, to one who seems to lack it.
    Decided(Certificate),
    Evidence(Box<Evidence>),
    /// "This is where I am": on start, and in place of what makes no sense across epochs.
    Status {
        epoch: Epoch,
        final_height: Height,
    },
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

/// New blocks of a view, the newest certificates, or just a sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Append {
    pub epoch: Epoch,
    pub view: View,
    /// The leader's newest block of the view, or the view's tip.
    pub head: BlockRef,
    /// In signs of life, for those who missed the first block of the view.
    pub view_certificate: Option<ViewCertificate>,
    /// The newest final and the newest prepare certificate, where no block carries them.
    pub certificates: Vec<Certificate>,
    pub blocks: Vec<SealedBlock>,
    /// The leader's own vote, in `pbft` mode.
    pub votes: Vec<Vote>,
}

/// Votes of the sender.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Votes {
    pub votes: Vec<Vote>,
    /// The proposal voted for, in `pbft` mode: shows an equivocation in the first votes.
    pub header: Option<SignedHeader>,
    /// Offered again: the sender still lacks a certificate.
    pub again: bool,
}

/// "I see no progress in this view."
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Suspect {
    pub epoch: Epoch,
    pub view: View,
    pub sender: ValidatorIndex,
    pub signature: Signature,
}

impl Suspect {
    pub(super) fn digest(epoch: Epoch, view: View, chain_id: &Digest) -> Digest {
        Hasher::on_chain(Domain::Suspect, chain_id).value(&(epoch, view)).finish()
    }
}

/// Why a validator left a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum LeaveReason {
    Timeout,
    Evidence,
}

/// What a last vote stands on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ReportAnchor {
    /// The highest certificate of the vote's view under it.
    Certificate(Certificate),
    /// The certificate of the vote's view.
    View(ViewCertificate),
    /// The epoch's first view: starts on the block that opened the epoch.
    Opening,
}

/// The proposal that a validator voted for last in this epoch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct VotedProposal {
    /// From the proposal down to the block above the anchor, all of one view, at least one.
    pub headers: Vec<SignedHeader>,
    pub anchor: ReportAnchor,
}

/// What a [`ViewChange`] reports.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ViewReport {
    pub epoch: Epoch,
    /// The view moved to.
    pub view: View,
    /// The highest prepare or fast certificate held, of this epoch.
    pub high_qc: Option<Certificate>,
    pub last_vote: Option<VotedProposal>,
    /// For catching up only.
    pub final_certificate: Option<Certificate>,
    pub reason: LeaveReason,
}

impl ViewReport {
    pub(super) fn digest(&self, chain_id: &Digest) -> Digest {
        Hasher::on_chain(Domain::ViewChange, chain_id).value(self).finish()
    }
}

/// A signed [`ViewReport`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ViewChange {
    pub report: ViewReport,
    pub sender: ValidatorIndex,
    pub signature: Signature,
}

/// The reports a new view starts from, sorted by sender.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ViewReports {
    pub epoch: Epoch,
    pub view: View,
    pub reports: Vec<ViewChange>,
}

impl ViewReports {
    pub(super) fn digest(&self, chain_id: &Digest) -> Digest {
        Hasher::on_chain(Domain::NewView, chain_id).value(self).finish()
    }
}

/// [`ViewReports`] signed by the leader of the view.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NewView {
    pub start: ViewReports,
    pub signature: Signature,
}

/// A signed [`ViewStart`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ViewAck {
    pub start: ViewStart,
    pub sender: ValidatorIndex,
    pub signature: Signature,
}

/// A message that waits for the driver's signature.
#[derive(Clone, Debug)]
pub enum Draft {
    Proposal {
        header: Box<Header>,
        justification: Justification,
        transactions: Vec<Transaction>,
    },
    /// A proposal already signed, on its way together with the leader's vote.
    AppendWithVote {
        append: Append,
        ballot: Ballot,
    },
    Vote {
        ballot: Ballot,
        header: Option<SignedHeader>,
        again: bool,
    },
    Suspect {
        epoch: Epoch,
        view: View,
    },
    ViewChange(ViewReport),
    NewView(ViewReports),
    ViewAck(ViewStart),
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
                let (epoch, view) = (block.header.epoch, block.header.view);
                let head = BlockRef { position: block.header.position(), hash };
                Message::Append(Append {
                    epoch,
                    view,
                    head,
                    view_certificate: None,
                    certificates: Vec::new(),
                    blocks: vec![SealedBlock::new(block)],
                    votes: Vec::new(),
                })
            }
            Self::AppendWithVote { mut append, ballot } => {
                append.votes.push(vote(ballot));
                Message::Append(append)
            }
            Self::Vote { ballot, header, again } => {
                Message::Votes(Votes { votes: vec![vote(ballot)], header, again })
            }
            Self::Suspect { epoch, view } => Message::Suspect(Suspect {
                epoch,
                view,
                sender: me,
                signature: signer.sign(&Suspect::digest(epoch, view, chain_id)),
            }),
            Self::ViewChange(report) => {
                let signature = signer.sign(&report.digest(chain_id));
                Message::ViewChange(ViewChange { report, sender: me, signature })
            }
            Self::NewView(start) => {
                let signature = signer.sign(&start.digest(chain_id));
                Message::NewView(NewView { start, signature })
            }
            Self::ViewAck(start) => Message::ViewAck(ViewAck {
                start,
                sender: me,
                signature: signer.sign(&start.digest(chain_id)),
            }),
        }
    }
}
