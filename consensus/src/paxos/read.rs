//! Reads that are as new as their question, without a block of their own.
//!
//! docs/protocol/paxos.md, lines Q1-Q4.

use std::collections::{BTreeMap, BTreeSet};

use chain::types::{Height, ValidatorIndex, View};

use super::message::Message;
use super::{Out, Part, Paxos, Rules};
use crate::engine::{Event, Outgoing, Recipients, Time};

/// Most questions that wait at one node; further ones are dropped, and their clients ask again.
const MAX_WAITING: usize = 1024;

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asker {
    Client(u64),
    Peer(ValidatorIndex, u64),
}

/// Questions and the round that lets a leader answer them.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    /// Of own clients, until the leader says how new is new enough.
    asked: BTreeSet<u64>,
    /// Of own clients: final from which height on.
    answered: BTreeMap<u64, Height>,
    /// At the leader: what waits for the next round, and for the one that runs.
    next: BTreeSet<Asker>,
    running: Option<Round>,
    /// Rounds so far: an answer counts only for its own.
    rounds: u64,
    /// When the leader was asked last.
    sent: Time,
}

#[derive(Clone, Debug)]
struct Round {
    askers: BTreeSet<Asker>,
    /// Everything chosen when the questions came is at or below this.
    height: Height,
    confirmed: BTreeSet<ValidatorIndex>,
}

impl Reads {
    /// No ballot, no round: own clients' questions go to the next leader.
    pub(super) fn forget_round(&mut self) {
        let running = self.running.take().map(|round| round.askers).unwrap_or_default();
        let waiting = std::mem::take(&mut self.next);
        self.asked.extend(running.into_iter().chain(waiting).filter_map(|asker| match asker {
            Asker::Client(id) => Some(id),
            Asker::Peer(..) => None,
        }));
    }

    pub(super) fn clear(&mut self) {
        self.forget_round();
    }

    /// Whether something must be asked again after a while.
    pub(super) fn is_waiting(&self) -> bool {
        !self.asked.is_empty() || self.running.is_some()
    }

    pub(super) fn next_due(&self, retry: std::time::Duration) -> Option<Time> {
        self.is_waiting().then(|| self.sent + retry)
    }
}

impl<R: Rules> Paxos<R> {
    /// Q1: a client asks.
    pub(super) fn handle_read(&mut self, id: u64, out: &mut Out) {
        if self.is_leader() {
            self.enqueue(Asker::Client(id), out);
        } else if self.reads.asked.len() < MAX_WAITING {
            self.reads.asked.insert(id);
            self.forward(&[id], out);
        }
    }

    /// Q1: another validator's client asks.
    pub(super) fn handle_remote_read(&mut self, from: ValidatorIndex, id: u64, out: &mut Out) {
        if self.is_leader() {
            self.enqueue(Asker::Peer(from, id), out);
        }
    }

    fn enqueue(&mut self, asker: Asker, out: &mut Out) {
        if self.reads.next.len() < MAX_WAITING {
            self.reads.next.insert(asker);
            self.start_round(out);
        }
    }

    /// A follower's questions go to the leader, and again until it answers.
    fn forward(&mut self, ids: &[u64], out: &mut Out) {
        let leader = self.led_by().map(|ballot| self.owner(ballot));
        let Some(leader) = leader.filter(|leader| Some(*leader) != self.me) else {
            return;
        };
        self.reads.sent = self.now;
        for id in ids {
            let message = Message::Read { epoch: self.epoch(), id: *id };
            out.send.push(Outgoing::Ready(Recipients::One(leader), message));
        }
    }

    pub(super) fn ask_reads_again(&mut self, out: &mut Out) {
        if let Part::Leader(leader) = &self.part
            && self.reads.running.is_some()
        {
            let ballot = leader.ballot;
            self.send_confirm(ballot, out);
        }
        let asked: Vec<u64> = self.reads.asked.iter().copied().collect();
        self.reads.sent = self.now;
        if self.is_leader() {
            self.reads.asked.clear();
            asked.into_iter().for_each(|id| self.enqueue(Asker::Client(id), out));
        } else {
            self.forward(&asked, out);
        }
    }

    /// Q2: asks everyone whether the ballot still stands. The answers show that nothing was chosen
    /// in a higher ballot before the question; what lower ballots chose is at or below `start`.
    fn start_round(&mut self, out: &mut Out) {
        let root = self.final_height();
        let Part::Leader(leader) = &self.part else {
            return;
        };
        if self.reads.running.is_some() || self.reads.next.is_empty() {
            return;
        }
        let (ballot, height) = (leader.ballot, leader.start.max(root));
        let askers = std::mem::take(&mut self.reads.next);
        let confirmed = self.me.into_iter().collect();
        self.reads.running = Some(Round { askers, height, confirmed });
        self.reads.rounds += 1;
        self.send_confirm(ballot, out);
        self.try_end_round(out);
    }

    fn send_confirm(&mut self, ballot: View, out: &mut Out) {
        self.reads.sent = self.now;
        let message = Message::Confirm { epoch: self.epoch(), ballot, round: self.reads.rounds };
        out.send.push(Outgoing::Ready(Recipients::Others, message));
    }

    /// Q3: says so if nothing higher is promised.
    pub(super) fn handle_confirm(
        &mut self,
        from: ValidatorIndex,
        ballot: View,
        round: u64,
        out: &mut Out,
    ) {
        if self.me.is_none() {
            return;
        }
        if ballot < self.record.promised {
            return self.refuse(from, out);
        }
        let message = Message::Confirmed { epoch: self.epoch(), ballot, round };
        out.send.push(Outgoing::Ready(Recipients::One(from), message));
    }

    pub(super) fn handle_confirmed(
        &mut self,
        from: ValidatorIndex,
        ballot: View,
        round: u64,
        out: &mut Out,
    ) {
        let current = matches!(&self.part, Part::Leader(leader) if leader.ballot == ballot);
        if !current || round != self.reads.rounds {
            return;
        }
        if let Some(running) = &mut self.reads.running {
            running.confirmed.insert(from);
            self.try_end_round(out);
        }
    }

    /// Q4: with a majority the questions have their height, and the next round may start.
    fn try_end_round(&mut self, out: &mut Out) {
        let majority = self.majority();
        let Some(round) = self.reads.running.take_if(|round| round.confirmed.len() >= majority)
        else {
            return;
        };
        for asker in round.askers {
            match asker {
                Asker::Client(id) => {
                    self.reads.answered.insert(id, round.height);
                }
                Asker::Peer(to, id) => {
                    let epoch = self.epoch();
                    let message = Message::ReadAt { epoch, id, height: round.height };
                    out.send.push(Outgoing::Ready(Recipients::One(to), message));
                }
            }
        }
        self.answer_reads(out);
        self.start_round(out);
    }

    pub(super) fn handle_read_at(&mut self, id: u64, height: Height, out: &mut Out) {
        if self.reads.asked.remove(&id) {
            self.reads.answered.insert(id, height);
            self.answer_reads(out);
        }
    }

    /// Tells own clients whose height is final here.
    pub(super) fn answer_reads(&mut self, out: &mut Out) {
        let height = self.final_height();
        self.reads.answered.retain(|id, needed| {
            let ready = *needed <= height;
            if ready {
                out.events.push(Event::ReadReady { id: *id, height });
            }
            !ready
        });
    }
}
