//! When something is due: views that make no progress, signs of life, offers of what was missed.
//!
//! docs/protocol/hybrid.md, "Timers". One deadline for the host, recomputed after every step:
//! nothing is scheduled that could fire late.

use std::collections::VecDeque;
use std::time::Duration;

use chain::types::{Digest, View};

use super::message::{Draft, LeaveReason, Message};
use super::rules::Rules;
use super::{Deferred, Hybrid, Out};
use crate::engine::{Config, Outgoing, Recipients, Time};

/// A transaction left out of that many timeouts' worth of blocks with room is being censored.
const CENSORSHIP_STRIKES: u32 = 4;
/// A transaction that waits for this many timeouts is being censored in any case.
const CENSORSHIP_LIMIT: u32 = 64;

/// A suspicion that is not repeated is forgotten after so many heartbeats: it is repeated every two.
const SUSPICION_HEARTBEATS: u32 = 8;

/// The clockwork of one validator.
#[derive(Clone, Debug)]
pub(super) struct Timers {
    /// When lack of progress becomes a suspicion. `None`: nothing to wait for.
    deadline: Option<Time>,
    /// Whether anything became final in this view.
    finality_in_view: bool,
    /// Views in a row that made nothing final.
    fruitless_views: u32,
    heard: Time,
    spoke: Time,
    offered: Time,
    voted: Time,
    suspecting: bool,
    /// The leader leaves out the transaction that waits longest. Lasts until it is in.
    censoring: bool,
    /// The leader of this view said that it does not lead it.
    abdicated: bool,
    /// Whether the leader's fitness was looked at as this view began.
    judged: bool,
    /// L3: the last blocks show the leader of this view to be slow. Lasts until something is final.
    passing_over: bool,
    /// Smoothed finality latency of the last views, newest last: (view, latency).
    latencies: VecDeque<(View, Duration)>,
    censored: Option<Censorship>,
    blocks_with_room: u32,
}

/// The transaction that has waited longest.
#[derive(Clone, Copy, Debug)]
struct Censorship {
    transaction: Digest,
    since: Time,
    strikes: u32,
    periods: u32,
}

impl Timers {
    pub(super) fn new(now: Time) -> Self {
        Self {
            deadline: None,
            finality_in_view: false,
            fruitless_views: 0,
            heard: now,
            spoke: now,
            offered: now,
            voted: now,
            suspecting: false,
            censoring: false,
            abdicated: false,
            judged: false,
            passing_over: false,
            latencies: VecDeque::new(),
            censored: None,
            blocks_with_room: 0,
        }
    }

    pub(super) fn heard_leader(&mut self, now: Time) {
        self.heard = now;
    }

    pub(super) fn spoke(&mut self, now: Time) {
        self.spoke = now;
    }

    /// A vote left: it needs no second offer for a while.
    pub(super) fn voted(&mut self, now: Time) {
        self.voted = now;
    }

    /// A block became final: restarts the work timer and feeds the timeout.
    pub(super) fn finalized(&mut self, view: View, latency: Duration, now: Time) {
        self.finality_in_view = true;
        self.fruitless_views = 0;
        self.suspecting = false;
        self.passing_over = false;
        self.deadline = None;
        self.heard = now;
        match self.latencies.back_mut() {
            Some((last, smoothed)) if *last == view => *smoothed = (*smoothed * 7 + latency) / 8,
            _ => self.latencies.push_back((view, latency)),
        }
    }

    pub(super) fn block_had_room(&mut self) {
        self.blocks_with_room = self.blocks_with_room.saturating_add(1);
    }

    /// A view is left or entered: nothing is waited for yet.
    pub(super) fn enter_view(&mut self, now: Time) {
        self.deadline = None;
        self.finality_in_view = false;
        self.suspecting = false;
        self.censoring = false;
        self.abdicated = false;
        self.judged = false;
        self.passing_over = false;
        self.heard = now;
        self.spoke = Time::default();
        self.censored = None;
    }

    /// One whose leader was passed over says nothing of how long a view takes.
    pub(super) fn view_was_fruitless(&mut self) {
        if !self.finality_in_view && !self.passing_over {
            self.fruitless_views = self.fruitless_views.saturating_add(1);
        }
    }

    /// 4 × the median latency over the last `views` views, before clamps and doublings. One view
    /// raises it by at most a factor of two over the median of the others.
    fn base(&self, views: usize) -> Duration {
        let recent = self.latencies.iter().rev().take(views).map(|(_, latency)| *latency);
        let mut sorted: Vec<Duration> = recent.collect();
        let newest = sorted.first().copied();
        sorted.sort();
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
        let others: Vec<Duration> =
            sorted.iter().copied().filter(|latency| Some(*latency) != newest).collect();
        let bound = others.get(others.len() / 2).map_or(median, |others| *others * 2);
        median.min(bound) * 4
    }
}

impl<R: Rules> Hybrid<R> {
    /// How long this view may make nothing final.
    pub(super) fn view_timeout(&self) -> Duration {
        let Config { timeout_min, timeout_max, .. } = self.config;
        let base = self.timers.base(self.set.len()).clamp(timeout_min, timeout_max);
        let doubled = base * 2u32.pow(self.timers.fruitless_views.min(16));
        let capped = doubled.min(timeout_max);
        if self.timers.finality_in_view { capped } else { capped * 2 }
    }

    /// Whether something waits to become final.
    fn has_work(&self) -> bool {
        self.work.oldest_pending.is_some()
            || self.evidence.len() > 0
            || self
                .view_tip(self.view())
                .is_some_and(|(tip, _)| tip > self.tree.root().position.height)
            || self.tree.nodes().any(|node| {
                // A leader of another view could otherwise make work that nobody can do.
                node.block.header.view == self.view() && self.tree.is_valid(&node.block.hash())
            })
            || !self.pending_finals.is_empty()
    }

    /// Arms or disarms the progress deadline, after every step.
    pub(super) fn arm_timers(&mut self) {
        let waits = if self.active { self.has_work() } else { self.view_has_quorum() };
        // Nothing waits and the leader is heard: what was suspected is over.
        let silent = self.silence_deadline().is_some_and(|at| self.now >= at);
        self.timers.suspecting &= waits || silent;
        match (waits, self.timers.deadline) {
            (true, None) => self.timers.deadline = Some(self.now + self.view_timeout()),
            (false, Some(_)) => self.timers.deadline = None,
            _ => {}
        }
        while self.timers.latencies.len() > self.set.len() {
            self.timers.latencies.pop_front();
        }
        let oldest = self.work.oldest_pending;
        if self.timers.censored.map(|censored| censored.transaction) != oldest {
            self.timers.censoring = false;
            self.timers.censored = oldest.map(|transaction| Censorship {
                transaction,
                since: self.now,
                strikes: 0,
                periods: 0,
            });
            self.timers.blocks_with_room = 0;
        }
    }

    /// When the leader's silence becomes a suspicion.
    fn silence_deadline(&self) -> Option<Time> {
        (self.active && !self.is_leader() && self.may_promise())
            .then(|| self.timers.heard + self.view_timeout())
    }

    fn offer_due(&self) -> Time {
        let said = if self.active && !self.is_suspecting() {
            self.timers.offered.max(self.timers.voted)
        } else {
            self.timers.offered
        };
        said + self.config.heartbeat * 2
    }

    /// Whether something must be said again from time to time.
    fn has_offers(&self) -> bool {
        !self.active
            || self.is_suspecting()
            || self.evidence.len() > 0
            || self.unanswered_vote().is_some()
    }

    fn is_suspecting(&self) -> bool {
        self.timers.suspecting
            || self.timers.censoring
            || self.timers.abdicated
            || self.timers.passing_over
            || self.led_in_another_life()
    }

    /// A leader that suspects itself, because it led this view before a restart, need not be waited
    /// for.
    pub(super) fn leader_abdicates(&mut self, out: &mut Out) {
        if !self.timers.abdicated && self.may_promise() {
            self.timers.abdicated = true;
            self.timers.offered = self.now;
            self.send_suspicion(out);
        }
    }

    /// L3: a leader that the last blocks show to be slow or away is suspected as its view begins.
    pub(super) fn judge_leader(&mut self, out: &mut Out) {
        if self.timers.judged || !self.may_promise() {
            return;
        }
        self.timers.judged = true;
        let slow = self.history.passed_over(&self.set).contains(&self.leader());
        if slow && !self.timers.finality_in_view {
            self.timers.passing_over = true;
            self.timers.offered = self.now;
            self.send_suspicion(out);
        }
    }

    /// How many validators say, not long ago, that they suspect the leader. Finality does not
    /// acquit it: one that censors makes blocks final all the time.
    pub(super) fn now_suspected_by(&mut self) -> usize {
        let (now, memory) = (self.now, self.config.heartbeat * SUSPICION_HEARTBEATS);
        self.suspects.retain(|_, said| now.since(*said) < memory);
        self.suspects.len()
    }

    pub(super) fn earliest_timer(&self) -> Option<Time> {
        let suspicion = if self.timers.suspecting || !self.may_promise() {
            None
        } else {
            self.timers.deadline.into_iter().chain(self.silence_deadline()).min()
        };
        let heartbeat = self.may_lead().then(|| self.timers.spoke + self.config.heartbeat);
        let offer = self.has_offers().then(|| self.offer_due());
        let censorship = self.timers.censored.map(|censored| censored.since + self.view_timeout());
        let candidates = [
            suspicion,
            heartbeat,
            offer,
            censorship,
            self.deferred.front().map(|(at, _)| *at),
            self.proposal_timer(),
            self.catch_up.next_due(self.config.heartbeat),
            self.reads_due(),
        ];
        candidates.into_iter().flatten().min()
    }

    /// Whether this node led the current view before a restart: it must not lead on.
    pub(super) fn led_in_another_life(&self) -> bool {
        self.led_before.is_some_and(|led| self.view() <= led)
    }

    /// Whatever is due.
    pub(super) fn handle_timers(&mut self, out: &mut Out) {
        self.run_deferred(out);
        self.take_up_early(out);
        self.check_censorship(out);
        let late = self.timers.deadline.is_some_and(|at| self.now >= at)
            || self.silence_deadline().is_some_and(|at| self.now >= at);
        if late && !self.timers.suspecting && self.may_promise() {
            self.timers.suspecting = true;
            self.timers.offered = self.now;
            self.send_suspicion(out);
        }
        if self.may_lead() && self.now >= self.timers.spoke + self.config.heartbeat {
            self.heartbeat(out);
        }
        if self.has_offers() && self.now >= self.offer_due() {
            self.timers.offered = self.now;
            self.offer_again(out);
        }
        self.fetch(out);
    }

    fn run_deferred(&mut self, out: &mut Out) {
        while self.deferred.front().is_some_and(|(at, _)| *at <= self.now) {
            let Some((_, deferred)) = self.deferred.pop_front() else { break };
            match deferred {
                Deferred::Commit(block) => self.try_commit_vote(&block, out),
                Deferred::Share { certificate, voters } => {
                    for to in self.others().filter(|to| !voters.contains(to)) {
                        let message = Message::Decided(certificate.clone());
                        out.send.push(Outgoing::Ready(Recipients::One(to), message));
                    }
                }
            }
        }
    }

    /// A transaction that keeps being left out makes the leader suspect.
    fn check_censorship(&mut self, out: &mut Out) {
        let period = self.view_timeout();
        let room = std::mem::take(&mut self.timers.blocks_with_room);
        let Some(censored) = &mut self.timers.censored else {
            return;
        };
        if self.now < censored.since + period {
            self.timers.blocks_with_room = room;
            return;
        }
        censored.since = self.now;
        censored.periods += 1;
        if room > 0 {
            censored.strikes += 1;
        }
        if censored.strikes >= CENSORSHIP_STRIKES || censored.periods >= CENSORSHIP_LIMIT {
            censored.strikes = 0;
            censored.periods = 0;
            if !self.timers.censoring && self.may_promise() {
                self.timers.censoring = true;
                self.timers.offered = self.now;
                self.send_suspicion(out);
            }
        }
    }

    /// Says again what may have been lost, until it is superseded.
    fn offer_again(&mut self, out: &mut Out) {
        if !self.may_promise() {
            return;
        }
        if self.is_suspecting() {
            self.send_suspicion(out);
        }
        for evidence in self.evidence.all() {
            let message = Message::Evidence(Box::new(evidence));
            out.send.push(Outgoing::Ready(Recipients::Others, message));
        }
        if !self.active {
            self.offer_view_change(out);
        }
        if let Some(ballot) = self.unanswered_vote() {
            self.send_vote(ballot, true, out);
        }
    }

    fn send_suspicion(&mut self, out: &mut Out) {
        let draft = Draft::Suspect { epoch: self.epoch(), view: self.view() };
        out.send.push(Outgoing::Sign(Recipients::Others, draft));
    }

    pub(super) fn leave_after_suspicions(&mut self, out: &mut Out) {
        self.leave_view(self.view().next(), LeaveReason::Timeout, out);
    }
}
