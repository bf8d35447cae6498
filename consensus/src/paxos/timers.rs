//! When something is due: a silent leader, signs of life, what was lost on the way.
//!
//! docs/protocol/paxos.md, "Timers". One deadline for the host, recomputed after every step:
//! nothing is scheduled that could fire late.

use std::time::Duration;

use chain::crypto::{Domain, Hasher};

use super::{Out, Part, Paxos, Rules};
use crate::engine::Time;

/// The clockwork of one validator.
#[derive(Clone, Debug)]
pub(super) struct Timers {
    /// A proposer that heard no leader until then starts phase 1.
    pub(super) deadline: Time,
    /// How long it waits: drawn anew for every attempt.
    pub(super) timeout: Duration,
    /// Phases 1 in a row without anything chosen.
    pub(super) attempts: u32,
    /// Counts the draws.
    draws: u64,
}

impl Timers {
    pub(super) fn new(now: Time) -> Self {
        Self { deadline: now, timeout: Duration::ZERO, attempts: 0, draws: 0 }
    }
}

impl<R: Rules> Paxos<R> {
    /// T1, T2: draws a timeout between one and two times the base, which doubles with every attempt.
    /// Chance is a hash of the key and a counter, so that two validators rarely draw the same.
    pub(super) fn rearm(&mut self) {
        let (min, max) = (self.config.timeout_min, self.config.timeout_max);
        let doubled = min.saturating_mul(1 << self.timers.attempts.min(16));
        let base = doubled.min(max / 2).max(min);
        self.timers.draws += 1;
        let seed = (self.config.me, self.timers.draws);
        let draw = Hasher::on_chain(Domain::Handshake, &self.config.chain_id).value(&seed).finish();
        let part = u32::from(u16::from_le_bytes([draw.0[0], draw.0[1]]));
        self.timers.timeout = base + base * part / (1 << 16);
        self.timers.deadline = self.now + self.timers.timeout;
    }

    /// The leader is alive.
    pub(super) fn heard_leader(&mut self) {
        self.timers.deadline = self.now + self.timers.timeout;
    }

    /// Whatever is due.
    pub(super) fn handle_timers(&mut self, out: &mut Out) {
        self.fetch(out);
        self.try_accept(out);
        self.try_lead(out);
        if self.reads.next_due(self.config.heartbeat).is_some_and(|due| due <= self.now) {
            self.ask_reads_again(out);
        }
        let heartbeat = self.config.heartbeat;
        match &self.part {
            Part::Leader(leader) => {
                let spoke = leader.spoke;
                if self.stuck_at().is_some_and(|due| due <= self.now) {
                    // T4: nobody hears it, or it hears nobody.
                    self.step_down();
                    self.rearm();
                } else if self.now >= spoke + heartbeat {
                    self.send_heartbeat(out);
                }
            }
            Part::Candidate(candidate) => {
                if self.now >= self.timers.deadline {
                    self.campaign(out);
                } else if self.now >= candidate.asked + heartbeat {
                    self.ask_again(out);
                }
            }
            Part::Follower => {
                if self.me.is_some() && self.now >= self.timers.deadline {
                    self.campaign(out);
                }
            }
        }
    }

    /// When a leader gives up on what it has in flight.
    fn stuck_at(&self) -> Option<Time> {
        let Part::Leader(leader) = &self.part else {
            return None;
        };
        self.in_flight().then(|| leader.progress + self.config.timeout_max)
    }

    pub(super) fn earliest_timer(&self) -> Option<Time> {
        let heartbeat = self.config.heartbeat;
        let part = match &self.part {
            Part::Leader(leader) => {
                let build = self.wanted().map(|(_, due)| due);
                [Some(leader.spoke + heartbeat), self.stuck_at(), build]
            }
            Part::Candidate(candidate) => {
                [Some(self.timers.deadline), Some(candidate.asked + heartbeat), None]
            }
            Part::Follower => [self.me.map(|_| self.timers.deadline), None, None],
        };
        let early =
            self.tree.nodes().map(|node| node.early_until).filter(|until| *until > self.now).min();
        let others = [early, self.catch_up.next_due(heartbeat), self.reads.next_due(heartbeat)];
        part.into_iter().chain(others).flatten().min()
    }
}
