//! Multi-Paxos over a chain of blocks: one value per slot, and every value names the one below.
//!
//! Lamport, "Paxos Made Simple": section 2 is [`single`], section 3 the rest. A ballot is a view,
//! a slot is a height, a value is a block. Comments like "A3" name lines of the pseudo-code in
//! docs/protocol/paxos.md. This file only routes; the phases are in files of their own.

mod accept;
mod anatomy;
mod catch_up;
mod learn;
pub mod message;
mod prepare;
mod read;
pub mod record;
mod recover;
pub mod rules;
pub mod single;
mod timers;
mod verify;

use std::marker::PhantomData;

use chain::block::{Mode, SealedBlock};
use chain::crypto::Signer;
use chain::types::{Epoch, Height, ValidatorIndex, View};
use chain::validator::ValidatorSet;

pub use self::message::{Draft, Lead, Message, Promise};
pub use self::record::{Entry, Record};
pub use self::rules::Rules;
pub use self::single::Paper;

use self::accept::{Leader, Proposal};
use self::prepare::Candidate;
use self::read::Reads;
use self::timers::Timers;
use crate::application::Finals;
use crate::catch_up::CatchUp;
use crate::decided::Decided;
use crate::engine::{
    Config, Engine, Fault, FaultModel, Input, Output, Promised, Recovered, Role, Status, Time,
    Verified, Voted,
};
use crate::propose::{Pace, Work};
use crate::tree::Tree;

type Out = Output<Message, Draft>;

/// One validator (or observer): proposer, acceptor and learner at once.
#[derive(Clone, Debug)]
pub struct Paxos<R: Rules = Paper> {
    config: Config,
    now: Time,

    // The epoch.
    set: ValidatorSet,
    /// This node's place in the set; an observer has none.
    me: Option<ValidatorIndex>,
    /// Height of the block that opened the epoch.
    opening: Height,

    /// The acceptor; the driver keeps it on disk.
    record: Record,
    /// The record of an epoch that this node's chain has not reached again since it was reset.
    /// Until then it promises nothing.
    ahead: Option<Ahead>,

    // Blocks.
    tree: Tree,
    /// Chosen blocks that are not all here and executed: the highest, and the lowest.
    chosen: Decided<()>,

    // The proposer.
    part: Part,
    /// The newest proposal of the highest ballot whose leader was heard.
    proposal: Option<Proposal>,
    /// The highest ballot that anybody spoke of.
    highest: View,
    pace: Pace,
    work: Work,

    timers: Timers,
    catch_up: CatchUp,
    reads: Reads,
    rules: PhantomData<R>,
}

/// A record of a later epoch, with the blocks it rests on.
#[derive(Clone, Debug)]
struct Ahead {
    record: Record,
    blocks: Vec<SealedBlock>,
}

/// What this node is as a proposer.
#[derive(Clone, Debug)]
enum Part {
    Follower,
    /// In phase 1.
    Candidate(Candidate),
    /// In phase 2, until a higher ballot comes along.
    Leader(Leader),
}

impl<R: Rules> Paxos<R> {
    fn epoch(&self) -> Epoch {
        self.set.epoch
    }

    /// Who may use a ballot.
    fn owner(&self, ballot: View) -> ValidatorIndex {
        self.set.leader(ballot)
    }

    fn majority(&self) -> usize {
        R::majority(self.set.len())
    }

    fn is_leader(&self) -> bool {
        matches!(self.part, Part::Leader(_))
    }

    fn final_height(&self) -> Height {
        self.tree.root().position.height
    }

    /// The ballot whose leader this node follows or is.
    fn led_by(&self) -> Option<View> {
        self.proposal
            .map(|proposal| proposal.ballot)
            .filter(|ballot| *ballot == self.record.promised)
    }

    fn handle_message(&mut self, from: ValidatorIndex, message: Message, out: &mut Out) {
        // An own message may come back from an epoch that ended meanwhile.
        if message.epoch().is_some_and(|epoch| epoch != self.epoch()) {
            return;
        }
        match message {
            Message::Prepare { ballot, from: slot, .. } => {
                self.handle_prepare(from, ballot, slot, out);
            }
            Message::Promise(promise) => self.handle_promise(from, promise, out),
            Message::Accept { lead, blocks } => self.handle_accept(from, lead, blocks, out),
            Message::Accepted { ballot, slot, block, .. } => {
                self.handle_accepted(from, ballot, slot, block, out);
            }
            Message::Nack { ballot, .. } => self.handle_nack(ballot),
            Message::Chosen(lead) => self.handle_lead(from, lead, out),
            Message::Heartbeat(lead) => self.handle_heartbeat(from, lead, out),
            Message::Confirm { ballot, round, .. } => self.handle_confirm(from, ballot, round, out),
            Message::Confirmed { ballot, round, .. } => {
                self.handle_confirmed(from, ballot, round, out);
            }
            Message::Read { id, .. } => self.handle_remote_read(from, id, out),
            Message::ReadAt { id, height, .. } => self.handle_read_at(id, height, out),
            Message::FetchBlocks { block, above } => {
                self.handle_fetch_blocks(from, block, above, out);
            }
            Message::Blocks(blocks) => self.handle_blocks(blocks, out),
            Message::FetchFinals { from: height } => self.handle_fetch_finals(from, height, out),
            Message::Finals(finals) => self.handle_finals(from, finals, out),
            Message::Status { final_height, .. } => self.handle_status(from, final_height, out),
        }
    }

    fn role(&self) -> Role {
        match (&self.part, self.me) {
            (_, None) => Role::Observer,
            (Part::Leader(_), _) => Role::Leader,
            (Part::Candidate(_), _) => Role::Changing,
            (Part::Follower, _) if self.led_by().is_some() => Role::Follower,
            (Part::Follower, _) => Role::Changing,
        }
    }
}

impl<R: Rules> Engine for Paxos<R> {
    const NAME: &'static str = "paxos";
    const FAULT_MODEL: FaultModel = FaultModel::Crash;

    type Message = Message;
    type Draft = Draft;
    type Record = Record;

    fn recover(config: Config, recovered: Recovered<Record>, now: Time, out: &mut Out) -> Self {
        recover::recover(config, recovered, now, out)
    }

    fn verify(&self, from: ValidatorIndex, message: Message) -> Result<Verified<Message>, Fault> {
        verify::verify(self, from, message).map(Verified::new)
    }

    fn sign(&self, draft: Draft, _signer: &dyn Signer) -> Verified<Message> {
        Verified::new(draft.0)
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
            Input::Work { oldest_pending, pending_count } => {
                self.work = Work { oldest_pending, pending_count };
                // A turn begins: what earlier turns committed is written, so nobody will ever be
                // asked what was accepted there.
                self.record.prune(self.final_height());
            }
            Input::Read { id } => self.handle_read(id, out),
        }
        self.try_propose(out);
        self.try_announce(out);
    }

    fn next_timeout(&self) -> Option<Time> {
        self.earliest_timer()
    }

    fn record(&self) -> Record {
        self.ahead.as_ref().map_or(&self.record, |ahead| &ahead.record).clone()
    }

    fn promised(record: &Record) -> Option<Promised> {
        let voted = record.accepted.last().map(|entry| Voted {
            view: entry.ballot,
            height: entry.slot,
            block: entry.block,
        });
        Some(Promised { epoch: record.epoch, view: record.promised, led: None, voted })
    }

    fn status(&self) -> Status {
        let root = self.tree.root();
        let head = self
            .tree
            .nodes()
            .filter(|node| self.tree.is_valid(&node.block.hash()))
            .map(|node| node.block.header.height)
            .max();
        Status {
            role: self.role(),
            epoch: self.epoch(),
            view: self.record.promised,
            leader: self.led_by().map(|ballot| self.owner(ballot)),
            mode: Mode::Fast,
            mode_reason: "crash-final: a majority accepted, no certificate".to_owned(),
            final_height: root.position.height,
            final_hash: root.hash,
            ordered_height: root.position.height,
            head_height: head.unwrap_or_default().max(root.position.height),
            timeout: self.timers.timeout,
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
        std::slice::from_ref(&self.set)
    }

    fn me(&self) -> Option<ValidatorIndex> {
        self.me
    }

    fn check_invariants(&self) {
        let Record { epoch, promised, accepted, floor: _ } = &self.record;
        assert_eq!(*epoch, self.epoch(), "the record is of the current epoch");
        assert!(*promised >= self.set.first_view, "no ballot before the epoch's first");
        assert!(
            accepted.windows(2).all(|pair| pair[0].slot < pair[1].slot),
            "one acceptance per slot, in order"
        );
        if let Some(ahead) = &self.ahead {
            assert!(ahead.record.epoch > self.epoch(), "a record is taken up in its own epoch");
            assert_eq!(self.me, None, "nothing is promised before that");
        }
        for entry in accepted.iter().filter(|entry| entry.slot > self.final_height()) {
            let node = self.tree.get(&entry.block).expect("an accepted block is held");
            assert!(node.stored, "an accepted block is on disk");
        }
        match &self.part {
            Part::Follower => {}
            Part::Candidate(candidate) => {
                assert!(candidate.ballot <= *promised, "a candidate promises to itself first");
            }
            Part::Leader(leader) => {
                assert_eq!(Some(self.owner(leader.ballot)), self.me, "ballots have one owner");
                assert!(self.proposal.is_some(), "a leader has a head");
            }
        }
        assert!(
            self.tree.nodes().all(|node| node.block.header.height > self.final_height()),
            "the tree holds only blocks above its root"
        );
    }
}

#[cfg(test)]
mod tests;
