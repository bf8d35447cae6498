//! How far catching up is, for people and for those who rely on this node.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chain::types::Height;

/// Over how long the speed is measured.
const WINDOW: Duration = Duration::from_secs(10);
/// Time between two lines in the log while catching up.
const LOG_EVERY: Duration = Duration::from_secs(5);

/// How far catching up is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SyncProgress {
    /// Whether blocks are being fetched.
    pub fetching: bool,
    /// The height that the chain surely has, as far as this node heard.
    pub target: Height,
    /// Validators that were heard of, this node included if it is one.
    pub heard: usize,
    /// So many must be heard of before this node can say that it is not behind: one of every quorum.
    pub needed: usize,
    /// Peers that have what is missing.
    pub peers: usize,
}

impl SyncProgress {
    /// Of a node that just started.
    pub const fn unknown() -> Self {
        Self { fetching: false, target: Height::new(0), heard: 0, needed: usize::MAX, peers: 0 }
    }

    /// Whether a node at this height is where the chain is, or nearly: not before it heard of
    /// enough others.
    pub fn is_synced(&self, height: Height, close: u64) -> bool {
        self.heard >= self.needed && self.target.get() <= height.get().saturating_add(close)
    }
}

/// Measures how fast the final height moves, and says so now and then.
#[derive(Debug)]
pub(super) struct Meter {
    samples: VecDeque<(Instant, Height)>,
    logged: Option<Instant>,
}

impl Meter {
    pub(super) const fn new() -> Self {
        Self { samples: VecDeque::new(), logged: None }
    }

    /// Notes the height, and writes a line to the log if it is time for one.
    pub(super) fn note(&mut self, height: Height, progress: &SyncProgress, now: Instant) {
        let last = self.samples.back().map(|(at, _)| *at);
        if last.is_none_or(|at| now.saturating_duration_since(at) >= WINDOW / 20) {
            self.samples.push_back((now, height));
        }
        while self
            .samples
            .pop_front_if(|(at, _)| now.saturating_duration_since(*at) > WINDOW)
            .is_some()
        {}
        let logged = *self.logged.get_or_insert(now);
        if now.saturating_duration_since(logged) < LOG_EVERY {
            return;
        }
        self.logged = Some(now);
        let speed = self.blocks_per_second(height, now);
        let left = progress.target.get().saturating_sub(height.get());
        let eta_s = if speed > 0.0 { (left as f64 / speed).ceil() } else { f64::INFINITY };
        tracing::info!(
            %height,
            target = %progress.target,
            peers = progress.peers,
            blocks_per_second = speed.round(),
            eta_s,
            "catching up"
        );
    }

    /// Nothing is being fetched.
    pub(super) fn rest(&mut self) {
        *self = Self::new();
    }

    fn blocks_per_second(&self, height: Height, now: Instant) -> f64 {
        let Some((at, first)) = self.samples.front() else {
            return 0.0;
        };
        let seconds = now.saturating_duration_since(*at).as_secs_f64();
        if seconds > 0.0 { height.get().saturating_sub(first.get()) as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_synced_before_a_quorum_was_heard() {
        let height = Height::new;
        let progress =
            SyncProgress { target: height(100), heard: 2, needed: 3, ..SyncProgress::default() };
        assert!(!progress.is_synced(height(100), 16));
        let progress = SyncProgress { heard: 3, ..progress };
        assert!(progress.is_synced(height(84), 16));
        assert!(!progress.is_synced(height(83), 16));
    }

    #[test]
    fn speed_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let mut meter = Meter::new();
        let progress = SyncProgress::default();
        for tenth in 0..300 {
            let now = start + Duration::from_millis(100 * tenth);
            // 10 blocks a second at first, then 100.
            let height = if tenth < 100 { tenth } else { 100 + (tenth - 100) * 10 };
            meter.note(Height::new(height), &progress, now);
        }
        let speed = meter.blocks_per_second(Height::new(2100), start + Duration::from_secs(30));
        assert!((99.0..101.0).contains(&speed), "{speed}");
    }
}
