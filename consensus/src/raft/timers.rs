//! When something is due. One deadline for the host, recomputed after every step.
//!
//! docs/protocol/raft.md, "Timers".

use std::time::Duration;

use chain::crypto::{Domain, Hasher};

use super::rules::Rules;
use super::{Out, Raft};
use crate::engine::{Config, Time};

/// The clockwork of one server.
#[derive(Clone, Debug)]
pub(super) struct Timers {
    /// A member that hears no leader until then stands for election; an observer asks around.
    election_at: Time,
    /// Smallest time without a leader before an election, with the back-off.
    base: Duration,
    min: Duration,
    max: Duration,
    /// When the leader was heard last.
    heard: Option<Time>,
    /// When this leader spoke to everybody last.
    spoke: Time,
    /// When this leader looked after its followers last.
    ticked: Time,
    /// Counts how often the timer was set, for its dice.
    draws: u64,
}

impl Timers {
    pub(super) fn new(config: &Config, now: Time) -> Self {
        let max = (config.timeout_max / 2).max(config.timeout_min);
        Self {
            election_at: now,
            base: config.timeout_min,
            min: config.timeout_min,
            max,
            heard: None,
            spoke: now,
            ticked: now,
            draws: 0,
        }
    }

    pub(super) fn election_timeout(&self) -> Duration {
        self.base
    }

    /// R4: an election that leads to nothing doubles the time to the next, up to the cap.
    pub(super) fn election_failed(&mut self) {
        self.base = (self.base * 2).min(self.max);
        self.heard = None;
    }

    pub(super) fn spoke(&mut self, now: Time) {
        self.spoke = now;
    }

    pub(super) fn lead(&mut self, now: Time) {
        self.base = self.min;
        self.spoke = now;
        self.ticked = now;
    }
}

impl<R: Rules> Raft<R> {
    /// R3 (3.4): a time from `base` to twice that, a function of key, term and how often one was
    /// drawn: split votes are rare, and the same run is the same run again.
    pub(super) fn restart_election_timer(&mut self) {
        self.timers.draws += 1;
        let place = (self.config.me, self.term(), self.timers.draws);
        let hash =
            Hasher::on_chain(Domain::ViewChange, &self.config.chain_id).value(&place).finish();
        let draw = u32::from(u16::from_le_bytes([hash.0[0], hash.0[1]]));
        let base = self.timers.base;
        self.timers.election_at = self.now + base + base * draw / u32::from(u16::MAX);
    }

    pub(super) fn heard_leader(&mut self) {
        self.timers.heard = Some(self.now);
        self.timers.base = self.timers.min;
        self.restart_election_timer();
    }

    /// Whether there is a leader, as far as this server can tell: it leads, or heard one within the
    /// smallest election timeout.
    pub(super) fn hears_leader(&self) -> bool {
        let recent = |heard: Time| self.now.since(heard) < self.timers.min;
        self.is_leader() || (self.leader.is_some() && self.timers.heard.is_some_and(recent))
    }

    pub(super) fn earliest_timer(&self) -> Option<Time> {
        let own = if self.is_leader() {
            self.timers.ticked + self.config.heartbeat
        } else {
            self.timers.election_at
        };
        let candidates = [
            Some(own),
            self.proposal_timer(),
            self.finals.next_due(self.config.heartbeat),
            self.reads_due(),
            self.early_due(),
        ];
        candidates.into_iter().flatten().min()
    }

    /// Whatever is due.
    pub(super) fn handle_timers(&mut self, out: &mut Out) {
        if self.is_leader() {
            if self.now >= self.timers.ticked + self.config.heartbeat {
                self.tick(out);
            }
        } else if self.now >= self.timers.election_at {
            if self.me.is_some() {
                self.campaign(out);
            } else {
                self.restart_election_timer();
                self.ask_around(out);
            }
        }
        self.try_adopt(out);
        self.fetch_finals(out);
    }

    /// Once per heartbeat: is there still a majority, does anybody lack anything?
    fn tick(&mut self, out: &mut Out) {
        self.timers.ticked = self.now;
        self.check_quorum(out);
        if !self.is_leader() {
            return;
        }
        if self.now >= self.timers.spoke + self.config.heartbeat {
            self.heartbeat(out);
        }
        self.send_again(out);
    }
}
