//! Raft, after Ongaro's thesis ("Consensus: Bridging Theory and Practice", 2014).
//!
//! One leader per term appends blocks to its log; an entry that a majority has on disk is committed.
//! Crashes are tolerated, lies are not. An entry is a block: height is the log index, the header's
//! view the term. Comments like "R3" name lines of the pseudo-code in docs/protocol/raft.md, bare
//! numbers sections of the thesis. This file only routes.

mod anatomy;
mod catch_up;
mod commit;
pub mod configuration;
mod election;
mod follow;
mod log;
pub mod message;
mod propose;
mod reads;
mod record;
mod recover;
mod replicate;
pub mod rules;
mod timers;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use chain::block::{BlockKind, Mode};
use chain::crypto::Signer;
use chain::types::{Digest, Height, ValidatorIndex, View};
use chain::validator::ValidatorSet;

pub use self::configuration::Configuration;
pub use self::message::{Append, AppendReply, Conflict, LogEnd, Message, VoteReply, VoteRequest};
pub use self::record::Promises;
pub use self::rules::{Rules, Thesis};

use self::follow::Incoming;
use self::reads::Reads;
use self::replicate::Progress;
use self::timers::Timers;
use crate::application::Finals;
use crate::engine::{
    Config, Engine, Fault, FaultModel, Input, Output, Promised, Recovered, Role, Status, Time,
    Verified, Voted,
};
use crate::finals::FinalsSync;
use crate::propose::{Pace, Work};
use crate::tree::Tree;

type Out = Output<Message, Message>;

/// One server: a validator, or an observer outside the set.
#[derive(Clone, Debug)]
pub struct Raft<R: Rules = Thesis> {
    config: Config,
    now: Time,

    /// In force after the last final block.
    set: ValidatorSet,
    /// That set; or, where a change is in the log, the sets before and after it.
    sets: Vec<ValidatorSet>,
    /// Those of them that have a say.
    configuration: Configuration,
    /// This server's place in the configuration; an observer has none.
    me: Option<ValidatorIndex>,

    /// Every promise; the driver keeps it on disk.
    promises: Promises,
    /// The log's entries above the last final block.
    tree: Tree,

    stance: Stance,
    /// Who leads the term, as far as known.
    leader: Option<ValidatorIndex>,

    // As follower.
    /// Up to here the log equals that of the term's leader.
    matched: Height,
    /// Entries that are here and not executed.
    incoming: Option<Incoming>,

    // As candidate.
    granted: BTreeSet<ValidatorIndex>,

    // As leader.
    peers: BTreeMap<ValidatorIndex, Progress>,
    /// Up to here the own log is on disk.
    durable: Height,
    /// The newest round of heartbeats.
    round: u64,
    /// A block of its own that is not executed.
    proposal: Option<Digest>,
    pace: Pace,
    work: Work,

    reads: Reads,
    finals: FinalsSync,
    timers: Timers,
    rules: PhantomData<R>,
}

/// What a member does in its term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stance {
    Follower,
    /// Asks whether it could win (9.6).
    PreCandidate,
    Candidate,
    Leader,
}

impl<R: Rules> Raft<R> {
    fn term(&self) -> View {
        self.promises.term
    }

    fn is_leader(&self) -> bool {
        self.stance == Stance::Leader
    }

    fn handle_message(&mut self, from: ValidatorIndex, message: Message, out: &mut Out) {
        // R57: what somebody says who has left counts for nothing. Final blocks stand for themselves.
        let stranger = self.key_of(from).is_none();
        if stranger && !matches!(message, Message::Finals(_) | Message::FetchFinals { .. }) {
            return;
        }
        match message {
            Message::Append(append) => self.handle_append(from, append, out),
            Message::AppendReply(reply) => self.handle_append_reply(from, &reply, out),
            Message::VoteRequest(request) => self.handle_vote_request(from, &request, out),
            Message::VoteReply(reply) => self.handle_vote_reply(from, &reply, out),
            Message::TimeoutNow { term } => self.handle_timeout_now(from, term, out),
            Message::Read { id } => self.handle_read_request(from, id),
            Message::ReadReply { id, height } => self.reads.answered(id, height),
            Message::FetchFinals { from: height } => self.handle_fetch_finals(from, height, out),
            Message::Finals(finals) => self.handle_finals(finals, out),
        }
    }

    fn role(&self) -> Role {
        match (self.me, self.stance) {
            (None, _) => Role::Observer,
            (_, Stance::Leader) => Role::Leader,
            (_, Stance::Follower) => Role::Follower,
            (_, Stance::PreCandidate | Stance::Candidate) => Role::Changing,
        }
    }
}

impl<R: Rules> Engine for Raft<R> {
    const NAME: &'static str = "raft";
    const FAULT_MODEL: FaultModel = FaultModel::Crash;

    type Message = Message;
    type Draft = Message;
    type Record = Promises;

    fn recover(config: Config, recovered: Recovered<Promises>, now: Time, out: &mut Out) -> Self {
        recover::recover(config, recovered, now, out)
    }

    fn verify(&self, from: ValidatorIndex, message: Message) -> Result<Verified<Message>, Fault> {
        verify::verify(&self.config.chain_id, from, message).map(Verified::new)
    }

    /// Nothing is signed: a draft is a message that waits for the disk.
    fn sign(&self, draft: Message, _signer: &dyn Signer) -> Verified<Message> {
        Verified::new(draft)
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
            Input::FinalHash { .. } => {}
            Input::Read { id } => self.reads.ask(id),
            Input::Work { oldest_pending, pending_count } => {
                self.work = Work { oldest_pending, pending_count };
            }
        }
        self.try_propose(out);
        self.advance_reads(out);
    }

    fn next_timeout(&self) -> Option<Time> {
        self.earliest_timer()
    }

    fn record(&self) -> Promises {
        self.promises.clone()
    }

    fn promised(record: &Promises) -> Option<Promised> {
        let (position, hash) = (record.tip.position, record.tip.hash);
        // An empty log ends at genesis.
        let voted = (position.height > Height::default()).then_some(Voted {
            view: position.view,
            height: position.height,
            block: hash,
        });
        Some(Promised { epoch: record.epoch, view: record.term, led: None, voted })
    }

    fn status(&self) -> Status {
        let root = self.root();
        Status {
            role: self.role(),
            epoch: self.set.epoch,
            view: self.term(),
            leader: self.leader,
            mode: Mode::Fast,
            mode_reason:
                "crash-final: a majority has it on disk; there is no certificate, and one \
                          validator that lies may undo it"
                    .to_owned(),
            final_height: root.position.height,
            final_hash: root.hash,
            ordered_height: root.position.height,
            head_height: self.tip().position.height,
            timeout: self.timers.election_timeout(),
            pacing: None,
            me: self.me,
            certificate: None,
            evidence_pending: 0,
        }
    }

    fn validators(&self) -> &ValidatorSet {
        &self.set
    }

    fn sets(&self) -> &[ValidatorSet] {
        &self.sets
    }

    fn me(&self) -> Option<ValidatorIndex> {
        self.me
    }

    fn check_invariants(&self) {
        let (root, tip) = (self.root(), self.tip());
        assert!(tip.position.height >= root.position.height, "the log ends above what is final");
        let mut term = root.position.view;
        for node in self.log() {
            let header = &node.block.header;
            assert!(node.stored, "the log is on disk, or on its way there");
            assert!(header.kind != BlockKind::Seal, "Raft makes no seals");
            assert!(header.view >= term, "terms grow along the log");
            term = header.view;
        }
        assert!(term <= self.term(), "no entry of a term to come");
        match self.stance {
            Stance::Leader => {
                assert!(self.me.is_some() && self.leader == self.me, "a leader is a member");
                let voted = self.promises.voted_for;
                assert_eq!(voted, Some(self.config.me), "a leader voted for itself");
                let known = self.peers.values().all(|peer| peer.matched <= tip.position.height);
                assert!(known, "nobody has more of the leader's log than the leader");
            }
            Stance::Candidate => {
                let voted = self.promises.voted_for;
                assert_eq!(voted, Some(self.config.me), "a candidate votes for itself");
            }
            Stance::PreCandidate | Stance::Follower => {
                assert!(self.peers.is_empty(), "only a leader keeps track of others");
            }
        }
    }
}
