//! ReadIndex (6.4): reads that see everything that was final when they were asked, without an
//! entry in the log.
//!
//! docs/protocol/raft.md, lines R70-R74.

use std::collections::{BTreeMap, VecDeque};

use chain::types::{Height, ValidatorIndex};

use super::message::Message;
use super::rules::Rules;
use super::{Out, Raft};
use crate::engine::{Event, Outgoing, Recipients, Time};

/// Most reads that wait at one server, own and others'.
const MAX_READS: usize = 1024;

/// Reads under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    /// Own clients' reads, by number.
    own: BTreeMap<u64, Waiting>,
    /// As leader: whose read, and what it waits for.
    served: VecDeque<Served>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    asked: Option<Time>,
    /// The leader's answer.
    height: Option<Height>,
}

#[derive(Clone, Copy, Debug)]
struct Served {
    from: ValidatorIndex,
    id: u64,
    /// The commit index when it was taken up, and the round that confirms that this is the leader
    /// still.
    index: Option<(Height, u64)>,
}

impl Reads {
    pub(super) fn ask(&mut self, id: u64) {
        if self.own.len() >= MAX_READS {
            self.own.pop_first();
        }
        self.own.insert(id, Waiting::default());
    }

    pub(super) fn answered(&mut self, id: u64, height: Height) {
        if let Some(waiting) = self.own.get_mut(&id) {
            waiting.height = Some(height);
        }
    }

    /// A leader that is none any more confirms nothing: who asked asks again.
    pub(super) fn stop_serving(&mut self) {
        self.served.clear();
        for waiting in self.own.values_mut() {
            waiting.asked = None;
        }
    }
}

impl<R: Rules> Raft<R> {
    pub(super) fn handle_read_request(&mut self, from: ValidatorIndex, id: u64) {
        let served = &mut self.reads.served;
        let known = served.iter().any(|read| read.from == from && read.id == id);
        if self.stance == super::Stance::Leader && !known && served.len() < MAX_READS {
            served.push_back(Served { from, id, index: None });
        }
    }

    /// After every step: asks, confirms, answers.
    pub(super) fn advance_reads(&mut self, out: &mut Out) {
        if self.reads.own.is_empty() && self.reads.served.is_empty() {
            return;
        }
        self.forward_reads(out);
        if self.is_leader() && self.own_term_committed() {
            self.confirm_reads(out);
        }
        let root = self.root().position.height;
        self.reads.own.retain(|id, waiting| {
            let ready = waiting.height.is_some_and(|height| height <= root);
            if ready {
                out.events.push(Event::ReadReady { id: *id, height: root });
            }
            !ready
        });
    }

    /// R70: own reads go to the leader, again where no answer came.
    fn forward_reads(&mut self, out: &mut Out) {
        let Some(leader) = self.leader else { return };
        let (now, retry) = (self.now, self.config.heartbeat * 2);
        let due: Vec<u64> = self
            .reads
            .own
            .iter_mut()
            .filter(|(_, waiting)| waiting.height.is_none())
            .filter(|(_, waiting)| waiting.asked.is_none_or(|asked| now >= asked + retry))
            .map(|(id, waiting)| {
                waiting.asked = Some(now);
                *id
            })
            .collect();
        for id in due {
            if self.me == Some(leader) {
                self.handle_read_request(leader, id);
            } else {
                out.send.push(Outgoing::Ready(Recipients::One(leader), Message::Read { id }));
            }
        }
    }

    /// R71-R73: notes the commit index, confirms leadership with a round of heartbeats that starts
    /// afterwards, and answers.
    fn confirm_reads(&mut self, out: &mut Out) {
        let confirmed = |round: u64| {
            let heard = self.peers.iter().filter(|(_, peer)| peer.round >= round);
            self.is_quorum(&heard.map(|(peer, _)| *peer).chain(self.me).collect())
        };
        let done: Vec<Served> = self
            .reads
            .served
            .iter()
            .filter(|read| read.index.is_some_and(|(_, round)| confirmed(round)))
            .copied()
            .collect();
        self.reads
            .served
            .retain(|read| !done.iter().any(|d| d.from == read.from && d.id == read.id));
        for read in done {
            let height = read.index.map(|(height, _)| height).unwrap_or_default();
            if Some(read.from) == self.me {
                self.reads.answered(read.id, height);
            } else {
                let message = Message::ReadReply { id: read.id, height };
                out.send.push(Outgoing::Ready(Recipients::One(read.from), message));
            }
        }
        // One round at a time serves all reads that came meanwhile.
        let under_way = self.reads.served.iter().any(|read| read.index.is_some());
        if !under_way && !self.reads.served.is_empty() {
            let index = (self.root().position.height, self.round + 1);
            self.reads.served.iter_mut().for_each(|read| read.index = Some(index));
            self.heartbeat(out);
            if self.peers.is_empty() {
                self.confirm_reads(out);
            }
        }
    }

    pub(super) fn reads_due(&self) -> Option<Time> {
        self.leader?;
        let waiting = self.reads.own.values().filter(|waiting| waiting.height.is_none());
        waiting.filter_map(|waiting| waiting.asked).min().map(|at| at + self.config.heartbeat * 2)
    }
}
