//! How many transactions to keep in flight for the highest rate at a bearable latency.

use std::time::{Duration, Instant};

/// How often the window is reconsidered.
const PERIOD: Duration = Duration::from_millis(250);
/// Latency that the window aims for: enough in flight to fill blocks, well below the limit of one
/// second for the slowest hundredth.
const TARGET: Duration = Duration::from_millis(500);
const MIN: usize = 64;

/// A closed loop: grows while latency is below the target, shrinks when it is above.
#[derive(Debug)]
pub(super) struct Window {
    size: usize,
    max: usize,
    /// Latencies of this period.
    seen: Vec<Duration>,
    since: Instant,
}

impl Window {
    pub(super) fn new(max: usize, now: Instant) -> Self {
        Self { size: 1024.min(max), max, seen: Vec::new(), since: now }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// A transaction became final after `latency`.
    pub(super) fn record(&mut self, latency: Duration) {
        self.seen.push(latency);
    }

    /// Nodes refuse transactions: too many are in flight.
    pub(super) fn refused(&mut self) {
        self.size = (self.size * 3 / 4).max(MIN);
    }

    /// Reconsiders where it is time.
    pub(super) fn adjust(&mut self, now: Instant) {
        if now.duration_since(self.since) < PERIOD || self.seen.is_empty() {
            return;
        }
        self.seen.sort_unstable();
        let p95 = self.seen[(self.seen.len() * 95 / 100).min(self.seen.len() - 1)];
        // In proportion to how far it is off, in small steps: one slow block is not a trend.
        let ratio = TARGET.as_secs_f64() / p95.as_secs_f64().max(0.001);
        let size = self.size as f64 * ratio.clamp(0.75, 1.25);
        self.size = (size as usize).clamp(MIN, self.max);
        self.seen.clear();
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the window with a network that finishes `tps` transactions per second.
    fn settle(tps: f64) -> (usize, Duration) {
        let mut now = Instant::now();
        let mut window = Window::new(100_000, now);
        let mut latency = Duration::ZERO;
        for _ in 0..60 {
            latency = Duration::from_secs_f64(window.size() as f64 / tps);
            for _ in 0..100 {
                window.record(latency);
            }
            now += PERIOD;
            window.adjust(now);
        }
        (window.size(), latency)
    }

    #[test]
    fn it_settles_at_the_target_latency_of_any_network() {
        for tps in [500.0, 8_000.0, 30_000.0] {
            let (size, latency) = settle(tps);
            let off = latency.as_secs_f64() / TARGET.as_secs_f64();
            assert!((0.8..1.25).contains(&off), "{tps} tx/s: window {size}, latency {latency:?}");
        }
    }

    #[test]
    fn refusals_shrink_it_but_never_to_nothing() {
        let mut window = Window::new(10_000, Instant::now());
        for _ in 0..100 {
            window.refused();
        }
        assert_eq!(window.size(), MIN);
    }
}
