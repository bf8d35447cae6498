//! When something is due: requests that make no progress, and what must be said again.
//!
//! docs/protocol/pbft.md, line B10. One deadline for the host, recomputed after every step:
//! nothing is scheduled that could fire late.

use std::time::Duration;

use chain::types::Digest;

use super::rules::Rules;
use super::status::Offers;
use super::{Out, Pbft};
use crate::engine::{Reason, Time};

/// So many final blocks in a row halve the timeout again.
const BLOCKS_PER_HALVING: u32 = 8;
/// A transaction that waits for so many timeouts while others become final is left out on purpose.
const CENSORSHIP_TIMEOUTS: u32 = 16;

/// The clockwork of one replica.
#[derive(Clone, Debug)]
pub(super) struct Timers {
    /// When lack of progress ends the view. None: nothing is waited for.
    deadline: Option<Time>,
    /// How often the timeout is doubled.
    doublings: u32,
    blocks: u32,
    /// Smoothed time from a block's arrival to its finality.
    latency: Duration,
    /// The transaction that waits longest, and since when.
    oldest: Option<(Digest, Time)>,
    progress: Time,
    pub(super) offers: Offers,
}

impl Timers {
    pub(super) fn new(now: Time) -> Self {
        Self {
            deadline: None,
            doublings: 0,
            blocks: 0,
            latency: Duration::ZERO,
            oldest: None,
            progress: now,
            offers: Offers::default(),
        }
    }

    /// Something was accepted, prepared or made final.
    pub(super) fn progressed(&mut self, now: Time) {
        self.progress = now;
    }

    pub(super) const fn progress(&self) -> Time {
        self.progress
    }

    /// A block became final: restarts the request timer.
    pub(super) fn finalized(&mut self, latency: Duration, now: Time) {
        self.progress = now;
        self.deadline = None;
        self.latency = (self.latency * 7 + latency) / 8;
        self.blocks += 1;
        if self.blocks >= BLOCKS_PER_HALVING {
            self.blocks = 0;
            self.doublings = self.doublings.saturating_sub(1);
        }
    }

    pub(super) fn enter_view(&mut self, now: Time) {
        self.deadline = None;
        self.blocks = 0;
        self.oldest = None;
        self.progress = now;
    }

    pub(super) fn enter_epoch(&mut self, now: Time) {
        self.enter_view(now);
        self.offers = Offers::default();
    }

    /// The next view gets twice the time.
    pub(super) fn double(&mut self) {
        self.doublings = (self.doublings + 1).min(16);
    }
}

impl<R: Rules> Pbft<R> {
    /// How long this view may make nothing final.
    pub(super) fn view_timeout(&self) -> Duration {
        let (min, max) = (self.config.timeout_min, self.config.timeout_max);
        let base = (self.timers.latency * 4).clamp(min, max);
        (base * 2u32.pow(self.timers.doublings)).min(max)
    }

    /// Whether something waits to become final.
    pub(super) fn is_waiting(&self) -> bool {
        self.work.oldest_pending.is_some()
            || self.evidence.len() > 0
            || !self.accepted.is_empty()
            || !self.pending_finals.is_empty()
            || self.selection.top() > self.root()
    }

    /// Arms or disarms the request timer, after every step. Between two views it runs only once a
    /// quorum is there: else one replica alone would run ahead of all others.
    pub(super) fn arm_timers(&mut self) {
        let waits = if self.active() { self.is_waiting() } else { self.view_has_quorum() };
        match (waits, self.timers.deadline) {
            (true, None) => self.timers.deadline = Some(self.now + self.view_timeout()),
            (false, Some(_)) => self.timers.deadline = None,
            _ => {}
        }
        let oldest = self.work.oldest_pending;
        if self.timers.oldest.map(|(transaction, _)| transaction) != oldest {
            self.timers.oldest = oldest.map(|transaction| (transaction, self.now));
        }
    }

    /// When the view is left: no progress, or a transaction that is left out.
    fn leave_due(&self) -> Option<Time> {
        let patience = self.view_timeout() * CENSORSHIP_TIMEOUTS;
        let censored =
            self.timers.oldest.filter(|_| self.active()).map(|(_, since)| since + patience);
        self.timers.deadline.into_iter().chain(censored).min().filter(|_| self.may_promise())
    }

    pub(super) fn earliest_timer(&self) -> Option<Time> {
        let candidates = [
            self.leave_due(),
            self.status_due(),
            self.proposal_timer(),
            self.catch_up.next_due(self.config.heartbeat),
            self.reads_due(),
        ];
        candidates.into_iter().flatten().min()
    }

    /// Whatever is due.
    pub(super) fn handle_timers(&mut self, out: &mut Out) {
        self.take_up_early(out);
        if self.leave_due().is_some_and(|due| self.now >= due) {
            self.leave_view(self.view().next(), Reason::Timeout, out);
        }
        self.try_status(out);
        self.fetch(out);
    }
}
