//! PBFT: Castro and Liskov, "Practical Byzantine Fault Tolerance" (OSDI 1999), with signatures
//! throughout.
//!
//! A request batch at sequence number n is the block at height n. Comments like "B3" name lines of
//! the pseudo-code in docs/protocol/pbft.md. This file only routes; the phases are in files of
//! their own.

mod anatomy;
mod catch_up;
mod checkpoint;
mod commit;
mod evidence;
pub mod message;
mod pre_prepare;
mod prepare;
mod primary;
mod promises;
mod reads;
mod recover;
pub mod rules;
pub mod select;
mod status;
mod timers;
mod verify;
mod view_change;

use std::collections::BTreeMap;
use std::marker::PhantomData;

use chain::block::Mode;
use chain::certificate::{Certificate, Finality, VoteKind};
use chain::crypto::Signer;
use chain::finality::FinalityProof;
use chain::quorum::Quorums;
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::ValidatorSet;

pub use self::message::{
    Checkpoint, Draft, Message, NewView, PrePrepare, Prepared, Report, ViewChange, ViewStart,
};
pub use self::promises::Promises;
pub use self::rules::{Paper, Rules};

use self::checkpoint::Checkpoints;
use self::select::Selection;
use self::timers::Timers;
use crate::application::Finals;
use crate::catch_up::CatchUp;
use crate::decided::Decided;
use crate::engine::{
    Config, Engine, Fault, FaultModel, Input, Output, Promised, Recovered, Role, Status, Time,
    Verified, Voted,
};
use crate::evidence_pool::EvidencePool;
use crate::headers::Headers;
use crate::propose::{Pace, Work};
use crate::reads::Reads;
use crate::tree::{BlockRef, Tree};
use crate::votes::VoteBook;

type Out = Output<Message, Draft>;

/// One replica (or observer) of PBFT.
#[derive(Clone, Debug)]
pub struct Pbft<R: Rules = Paper> {
    config: Config,
    now: Time,

    // The epoch.
    set: ValidatorSet,
    quorums: Quorums,
    /// This node's place in the set; an observer has none.
    me: Option<ValidatorIndex>,
    /// The block that opened the epoch.
    opening: BlockRef,

    /// Every promise; the driver keeps it on disk.
    promises: Promises,
    /// Views up to this one were perhaps led before a restart: nothing is pre-prepared in them.
    led_before: Option<View>,
    /// The record of an epoch that this node's chain has not reached again since it was reset.
    /// Until then it promises nothing.
    ahead: Option<Promises>,

    // Blocks and votes.
    tree: Tree,
    book: VoteBook,
    /// Proof that the root of the tree is final; none on genesis.
    final_proof: Option<FinalityProof>,
    /// The first header seen at each position: a second one is evidence.
    headers: Headers,
    /// Final blocks whose ancestors are not all here and executed: the highest and the lowest.
    pending_finals: Decided<FinalityProof>,
    /// Blocks above the last final one that f+1 replicas hold prepared.
    ordered: BTreeMap<Height, Digest>,
    checkpoints: Checkpoints,
    evidence: EvidencePool,

    // The view.
    /// What it started from.
    selection: Selection,
    /// The pre-prepares accepted in it above the last final block.
    accepted: BTreeMap<Height, Digest>,
    /// The highest view change of each replica.
    changes: BTreeMap<ValidatorIndex, ViewChange>,
    /// The view whose new-view message is being signed.
    starting: Option<View>,

    pace: Pace,
    work: Work,
    timers: Timers,
    catch_up: CatchUp,
    reads: Reads,
    rules: PhantomData<R>,
}

impl<R: Rules> Pbft<R> {
    fn view(&self) -> View {
        self.promises.view
    }

    fn epoch(&self) -> Epoch {
        self.set.epoch
    }

    fn primary(&self) -> ValidatorIndex {
        self.set.leader(self.view())
    }

    fn is_primary(&self) -> bool {
        self.me == Some(self.primary())
    }

    /// Whether this node votes at all.
    fn may_promise(&self) -> bool {
        self.me.is_some()
    }

    /// Whether this node holds what the view starts from: its new-view message, or nothing in the
    /// epoch's first view.
    fn active(&self) -> bool {
        self.view() == self.set.first_view || self.promises.new_view.is_some()
    }

    fn root(&self) -> Height {
        self.tree.root().position.height
    }

    /// The newest final certificate of this epoch.
    fn final_certificate(&self) -> Option<&Certificate> {
        self.promises.final_certificate.as_ref()
    }

    fn handle_message(&mut self, from: ValidatorIndex, message: Message, out: &mut Out) {
        match message {
            Message::PrePrepare(pre_prepare) => self.handle_pre_prepare(from, pre_prepare, out),
            Message::Votes(votes) => self.handle_votes(from, votes, out),
            Message::Checkpoint(checkpoint) => self.handle_checkpoint(checkpoint, out),
            Message::ViewChange(change) => self.handle_view_change(from, change, out),
            Message::NewView(new_view) => self.handle_new_view(new_view, out),
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
            Message::Evidence(evidence) => self.handle_evidence(*evidence, out),
            Message::Status(status) => self.handle_status(from, status, out),
            Message::Read { id, .. } => self.handle_read(from, id),
            Message::ReadAt { id, height, .. } => self.reads.heard(from, id, height),
        }
    }

    fn role(&self) -> Role {
        match self.me {
            None => Role::Observer,
            Some(_) if !self.active() => Role::Changing,
            Some(me) if me == self.primary() => Role::Leader,
            Some(_) => Role::Follower,
        }
    }
}

impl<R: Rules> Engine for Pbft<R> {
    const NAME: &'static str = "pbft";
    const FAULT_MODEL: FaultModel = FaultModel::Byzantine;

    type Message = Message;
    type Draft = Draft;
    type Record = Promises;

    fn recover(config: Config, recovered: Recovered<Promises>, now: Time, out: &mut Out) -> Self {
        recover::recover(config, recovered, now, out)
    }

    fn verify(&self, from: ValidatorIndex, message: Message) -> Result<Verified<Message>, Fault> {
        verify::verify(self, from, message).map(Verified::new)
    }

    fn sign(&self, draft: Draft, signer: &dyn Signer) -> Verified<Message> {
        let me = self.me.expect("only a replica has drafts to sign");
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
            Input::Work { oldest_pending, pending_count } => {
                self.work = Work { oldest_pending, pending_count };
            }
            Input::Read { id } => self.reads.ask(id),
            Input::FinalHash { .. } => {}
        }
        self.try_propose(out);
        self.advance_reads(out);
        self.arm_timers();
    }

    fn next_timeout(&self) -> Option<Time> {
        self.earliest_timer()
    }

    fn record(&self) -> Promises {
        self.ahead.as_ref().unwrap_or(&self.promises).clone()
    }

    fn promised(record: &Promises) -> Option<Promised> {
        let newest = record.votes.iter().max_by_key(|ballot| ballot.position);
        let voted = newest.map(|ballot| Voted {
            view: ballot.position.view,
            height: ballot.position.height,
            block: ballot.block,
        });
        Some(Promised { epoch: record.epoch, view: record.view, led: record.led, voted })
    }

    fn status(&self) -> Status {
        let root = self.tree.root();
        let ordered = self.ordered.keys().next_back().copied().unwrap_or_default();
        let valid = self.tree.nodes().filter(|node| self.tree.is_valid(&node.block.hash()));
        let head = valid.map(|node| node.block.header.height).max().unwrap_or_default();
        let mode_reason = if self.active() {
            "PBFT has no other".to_owned()
        } else {
            format!("changing to view {}", self.view())
        };
        Status {
            role: self.role(),
            epoch: self.epoch(),
            view: self.view(),
            leader: self.active().then(|| self.primary()),
            mode: Mode::Pbft,
            mode_reason,
            final_height: root.position.height,
            final_hash: root.hash,
            ordered_height: ordered.max(root.position.height),
            head_height: head.max(root.position.height),
            timeout: self.view_timeout(),
            pacing: None,
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
        let promises = &self.promises;
        assert_eq!(promises.epoch, self.epoch(), "the record is of the current epoch");
        if let Some(ahead) = &self.ahead {
            assert!(ahead.epoch > self.epoch(), "a record is taken up in its own epoch");
            assert_eq!(self.me, None, "nothing is promised before that");
        }
        assert!(promises.view >= self.set.first_view, "no view before the epoch's first");
        self.check_votes();
        for prepared in &promises.prepared {
            let certificate = &prepared.certificate;
            assert_eq!(certificate.ballot.kind, VoteKind::PbftPrepare);
            assert!(certificate.signatures.count() >= self.quorums.quorum, "a quorum prepared");
        }
        if let Some(certificate) = self.final_certificate() {
            assert_eq!(certificate.finality(&self.set), Finality::Final);
        }
        for node in self.tree.nodes() {
            assert!(
                node.block.header.height > self.root(),
                "the tree holds only blocks above its root"
            );
        }
    }
}

impl<R: Rules> Pbft<R> {
    /// B3, B6: what the votes of the view must look like.
    fn check_votes(&self) {
        let (low, view) = (self.low(), self.view());
        let highest = self.accepted.keys().next_back();
        assert!(
            highest.is_none_or(|height| height.get() <= low.get() + rules::LOG_SIZE),
            "{highest:?} was accepted above the high watermark of {low}"
        );
        for vote in &self.promises.votes {
            assert_eq!(vote.position.view, view, "votes of the current view");
            if vote.kind == VoteKind::Commit {
                let mut below = (low.get() + 1..=vote.position.height.get()).map(Height::new);
                let all = below.all(|height| {
                    self.promises.prepared_at(height).is_some_and(|held| held.view() == view)
                });
                assert!(all, "a commit of {vote:?} without all prepared from {low} on");
            }
        }
    }
}
