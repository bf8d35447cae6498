//! The hybrid engine: one safety argument, two ways to carry votes.
//!
//! In `fast` mode a stable leader appends and gathers acknowledgements like Raft; in `pbft` mode
//! everyone votes to everyone. Both share every vote, certificate and rule; a mode decides only to
//! whom a vote is sent. Comments like "V3" name lines of the pseudo-code in
//! docs/protocol/hybrid.md. This file only routes; the phases are in files of their own.

mod anatomy;
mod ancestry;
mod catch_up;
mod commit;
mod evidence;
pub mod message;
mod pacing;
mod policy;
mod propose;
mod reads;
mod recover;
mod reports;
mod rules;
mod safety;
pub mod select_tip;
mod timers;
mod verify;
mod view_change;
mod vote;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::marker::PhantomData;

use chain::block::Mode;
use chain::certificate::{Certificate, Finality, ViewStart};
use chain::crypto::{Signature, Signer};
use chain::finality::FinalityProof;
use chain::quorum::Quorums;
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::ValidatorSet;

pub use self::message::{
    Append, Draft, LeaveReason, Message, NewView, ReportAnchor, Suspect, ViewAck, ViewChange,
    ViewReport, ViewReports, VotedProposal, Votes,
};
pub use self::rules::{Chapter, Rules};
pub use self::safety::{LastVote, Safety};

use self::pacing::Pacing;
use self::policy::{History, Place};
use self::propose::Proposing;
use self::reports::DeepFinals;
use self::timers::Timers;
use crate::application::Finals;
use crate::catch_up::CatchUp;
use crate::decided::Decided;
use crate::engine::{
    Config, Engine, Fault, FaultModel, Input, Output, Promised, Reason, Recovered, Role, Status,
    Time, Verified, Voted,
};
use crate::evidence_pool::EvidencePool;
use crate::headers::Headers;
use crate::propose::Work;
use crate::reads::Reads;
use crate::tree::{BlockRef, Tree};
use crate::votes::VoteBook;

type Out = Output<Message, Draft>;

/// One validator (or observer) of the hybrid protocol.
#[derive(Clone, Debug)]
pub struct Hybrid<R: Rules = Chapter> {
    config: Config,
    now: Time,

    // The epoch.
    set: ValidatorSet,
    quorums: Quorums,
    /// This node's place in the set; an observer has none.
    me: Option<ValidatorIndex>,
    /// The block that opened the epoch, and the mode its first view inherits.
    opening: BlockRef,
    opening_mode: Mode,

    /// Every promise; the driver keeps it on disk.
    safety: Safety,
    /// Views up to this one were perhaps led before a restart: no header is signed in them.
    led_before: Option<View>,
    /// The record of an epoch that this node's chain has not reached again since it was reset.
    /// Until then it promises nothing.
    ahead: Option<Safety>,

    // Blocks and votes.
    tree: Tree,
    book: VoteBook,
    /// Proof that the root of the tree is final; none on genesis.
    final_proof: Option<FinalityProof>,
    /// The first header seen at each position: a second one is evidence.
    headers: Headers,
    /// Final blocks whose ancestors are not all here and executed: the highest, and the lowest, from
    /// which one far behind works its way up.
    pending_finals: Decided<FinalityProof>,
    history: History,
    evidence: EvidencePool,

    // The view.
    /// Whether this node holds what the view starts from: its certificate, or the epoch's opening.
    active: bool,
    /// When each validator said last that it suspects the leader.
    suspects: BTreeMap<ValidatorIndex, Time>,
    /// The highest view change of each validator, with the order of arrival.
    changes: BTreeMap<ValidatorIndex, (u64, ViewChange)>,
    arrivals: u64,
    /// A new-view message whose tip is not executed yet.
    pending_new_view: Option<NewView>,
    /// The first word of each validator on where this view starts.
    acks: BTreeMap<ValidatorIndex, (ViewStart, Signature)>,
    deep_finals: DeepFinals,
    /// The block of the last vote, once it is known to be part of the final chain.
    final_vote: Option<Digest>,
    /// Why each view of the epoch was left, as far as known here.
    reasons: BTreeMap<View, Reason>,

    proposing: Proposing,
    pacing: Pacing,
    timers: Timers,
    catch_up: CatchUp,
    /// Things to do after the grace time: (when, what).
    deferred: VecDeque<(Time, Deferred)>,
    /// Blocks in a row that needed the commit phase.
    slow_streak: u32,
    work: Work,
    reads: Reads,
    rules: PhantomData<R>,
}

/// Something that waits for the grace time.
#[derive(Clone, Debug)]
enum Deferred {
    /// Commit phase for a block that has a quorum but no fast quorum.
    Commit(Digest),
    /// Final in `pbft` mode: send the certificate to those whose votes are still missing.
    Share { certificate: Certificate, voters: BTreeSet<ValidatorIndex> },
}

impl<R: Rules> Hybrid<R> {
    fn view(&self) -> View {
        self.safety.view
    }

    fn epoch(&self) -> Epoch {
        self.set.epoch
    }

    fn leader(&self) -> ValidatorIndex {
        self.set.leader(self.view())
    }

    fn is_leader(&self) -> bool {
        self.me == Some(self.leader())
    }

    /// Whether this node votes at all.
    fn may_promise(&self) -> bool {
        self.me.is_some()
    }

    fn is_first_view(&self, view: View) -> bool {
        view == self.set.first_view
    }

    /// The block that a view of this epoch starts on, where this node knows it.
    fn view_tip(&self, view: View) -> Option<(Height, Digest)> {
        if self.is_first_view(view) {
            return Some((self.opening.position.height, self.opening.hash));
        }
        let start = self.safety.view_certificate(view)?.start;
        Some((start.tip_height, start.tip))
    }

    /// The mode that a view of this epoch begins in.
    fn start_mode(&self, view: View) -> Mode {
        if self.is_first_view(view) { self.opening_mode } else { Mode::Pbft }
    }

    /// The view that the policy is asked about.
    fn place(&self) -> Place {
        let view = self.view();
        Place { epoch: self.epoch(), view, start: self.start_mode(view) }
    }

    fn others(&self) -> impl Iterator<Item = ValidatorIndex> + use<R> {
        let me = self.me;
        self.set.indices().filter(move |index| Some(*index) != me)
    }

    /// The newest final certificate of this epoch.
    fn final_certificate(&self) -> Option<&Certificate> {
        self.final_proof
            .as_ref()
            .map(|proof| &proof.certificate)
            .filter(|certificate| certificate.ballot.position.epoch == self.epoch())
    }

    fn handle_message(&mut self, from: ValidatorIndex, message: Message, out: &mut Out) {
        match message {
            Message::Append(append) => self.handle_append(from, append, out),
            Message::Votes(votes) => self.handle_votes(from, votes, out),
            Message::Suspect(suspect) => self.handle_suspect(&suspect, out),
            Message::ViewChange(change) => self.handle_view_change(from, change, out),
            Message::NewView(new_view) => self.handle_new_view(new_view, out),
            Message::ViewAck(ack) => self.handle_view_ack(&ack, out),
            Message::FetchBlocks { block, above } => {
                self.handle_fetch_blocks(from, block, above, out);
            }
            Message::Blocks(blocks) => {
                for block in blocks {
                    self.handle_block(from, block, out);
                }
            }
            Message::FetchFinals { from: height } => self.handle_fetch_finals(from, height, out),
            Message::Finals(finals) => self.handle_finals(from, finals, out),
            Message::Decided(certificate) => self.handle_certificate(from, certificate, out),
            Message::Evidence(evidence) => self.handle_evidence(*evidence, out),
            Message::Status { final_height, .. } => self.handle_status(from, final_height, out),
            Message::Read { id, .. } => self.handle_read(from, id),
            Message::ReadAt { id, height, .. } => self.reads.heard(from, id, height),
        }
    }

    fn role(&self) -> Role {
        match self.me {
            None => Role::Observer,
            Some(_) if !self.active => Role::Changing,
            Some(me) if me == self.leader() => Role::Leader,
            Some(_) => Role::Follower,
        }
    }
}

impl<R: Rules> Engine for Hybrid<R> {
    const NAME: &'static str = "hybrid";
    const FAULT_MODEL: FaultModel = FaultModel::Byzantine;
    const SWITCHES_MODES: bool = true;

    type Message = Message;
    type Draft = Draft;
    type Record = Safety;

    fn recover(config: Config, recovered: Recovered<Safety>, now: Time, out: &mut Out) -> Self {
        recover::recover(config, recovered, now, out)
    }

    fn verify(&self, from: ValidatorIndex, message: Message) -> Result<Verified<Message>, Fault> {
        verify::verify(self, from, message).map(Verified::new)
    }

    fn sign(&self, draft: Draft, signer: &dyn Signer) -> Verified<Message> {
        let me = self.me.expect("only a validator has drafts to sign");
        Verified::new(draft.sign(me, &self.config.chain_id, signer))
    }

    fn finals_message(finals: Finals) -> Message {
        Message::Finals(finals)
    }

    fn step(&mut self, now: Time, input: Input<Message>, out: &mut Out) {
        self.now = self.now.max(now);
        match input {
            Input::Wake => self.handle_timers(out),
            Input::Message { from, message } => {
                self.handle_message(from, message.into_inner(), out);
            }
            Input::Built { request, payload } => self.handle_built(&request, payload, out),
            Input::Executed { block, verdict } => self.handle_executed(block, verdict, out),
            Input::FinalHash { height, hash } => self.handle_final_hash(height, hash, out),
            Input::Work { oldest_pending, pending_count } => {
                self.work = Work { oldest_pending, pending_count };
            }
            Input::Read { id } => self.reads.ask(id),
        }
        self.judge_leader(out);
        self.try_propose(out);
        self.advance_reads(out);
        self.arm_timers();
    }

    fn next_timeout(&self) -> Option<Time> {
        self.earliest_timer()
    }

    fn record(&self) -> Safety {
        self.ahead.as_ref().unwrap_or(&self.safety).clone()
    }

    fn promised(record: &Safety) -> Option<Promised> {
        let voted = record.last_vote.as_ref().map(|vote| Voted {
            view: vote.block.position.view,
            height: vote.block.position.height,
            block: vote.block.hash,
        });
        Some(Promised { epoch: record.epoch, view: record.view, led: record.led, voted })
    }

    fn status(&self) -> Status {
        let mut mode_reason = self.history.explain(self.config.policy, self.place());
        if !self.active {
            mode_reason = format!("changing to view {}; {mode_reason}", self.view());
        }
        let root = self.tree.root();
        let ordered = self
            .tree
            .nodes()
            .filter(|node| node.certificate.is_some())
            .map(|node| node.block.header.height)
            .max();
        let head = self
            .tree
            .nodes()
            .filter(|node| self.tree.is_valid(&node.block.hash()))
            .map(|node| node.block.header.height)
            .max();
        Status {
            role: self.role(),
            epoch: self.epoch(),
            view: self.view(),
            leader: self.active.then(|| self.leader()),
            mode: self.next_mode(),
            mode_reason,
            final_height: root.position.height,
            final_hash: root.hash,
            ordered_height: ordered.unwrap_or_default().max(root.position.height),
            head_height: head.unwrap_or_default().max(root.position.height),
            timeout: self.view_timeout(),
            pacing: self.may_lead().then(|| self.pacing.explain(&self.config)),
            me: self.me,
            certificate: self.final_proof.as_ref().map(|proof| proof.certificate.clone()),
            evidence_pending: self.evidence.len(),
        }
    }

    fn validators(&self) -> &ValidatorSet {
        &self.set
    }

    fn sets(&self) -> &[ValidatorSet] {
        std::slice::from_ref(&self.set)
    }

    fn me(&self) -> Option<ValidatorIndex> {
        self.me
    }

    fn check_invariants(&self) {
        let safety = &self.safety;
        assert_eq!(safety.epoch, self.epoch(), "the record is of the current epoch");
        if let Some(ahead) = &self.ahead {
            assert!(ahead.epoch > self.epoch(), "a record is taken up in its own epoch");
            assert_eq!(self.me, None, "nothing is promised before that");
        }
        assert!(safety.view >= self.set.first_view, "no view before the epoch's first");
        if let Some(vote) = &safety.last_vote {
            assert!(vote.block.position.view <= safety.view, "no vote above the view moved to");
            assert_eq!(vote.block.position.epoch, safety.epoch, "votes of this epoch only");
        }
        if self.active {
            assert!(self.view_tip(self.view()).is_some(), "an active view has its certificate");
        }
        if let Some(ack) = &safety.ack {
            assert_eq!(ack.view, safety.view, "an acknowledgement moves to its view");
        }
        if let Some(certificate) = self.final_certificate() {
            assert_eq!(certificate.finality(&self.set), Finality::Final);
        }
        for node in self.tree.nodes() {
            assert!(
                node.block.header.height > self.tree.root().position.height,
                "the tree holds only blocks above its root"
            );
        }
    }
}

/// Something happened that ends a view: how it is called outside.
fn reason_of(reason: LeaveReason) -> Reason {
    match reason {
        LeaveReason::Timeout => Reason::Timeout,
        LeaveReason::Evidence => Reason::Equivocation,
    }
}
