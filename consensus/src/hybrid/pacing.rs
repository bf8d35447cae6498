//! How many blocks a leader keeps in flight, and how large it lets them become: by the round trips
//! that it measures.
//!
//! docs/protocol/hybrid.md, lines A1-A4. A leader's own choice within what is valid: nobody checks
//! it, and nothing depends on it.

use std::collections::VecDeque;
use std::time::Duration;

use chain::block::Block;

use crate::engine::Config;

/// The shortest of so many round trips is the network's own.
const WINDOW: usize = 256;
/// Decided anew after so many, by their median: one that is lost or late says nothing.
const DECIDE_EVERY: usize = 16;
/// Blocks in flight at least, where the chain allows them.
const LEAST_DEPTH: u64 = 2;
/// Bytes of transactions that a block may always have.
const LEAST_BYTES: usize = 64 * 1024;

/// What one leader does, by what it measured.
#[derive(Clone, Debug)]
pub(super) struct Pacing {
    depth: u64,
    bytes: usize,
    /// From a proposal to its certificate, the newest last.
    round_trips: VecDeque<Duration>,
    /// Round trips since the last decision.
    fresh: usize,
}

impl Pacing {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            depth: config.pipeline,
            bytes: Block::MAX_TRANSACTION_BYTES,
            round_trips: VecDeque::new(),
            fresh: 0,
        }
    }

    /// Most own blocks above the highest certificate: at most what V5 lets followers vote for.
    pub(super) fn depth(&self) -> u64 {
        self.depth
    }

    /// Most bytes of transactions in the next block.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many waiting transactions are worth a block before the interval is over. Fewer blocks
    /// in flight are fuller ones.
    pub(super) fn batch(&self, config: &Config) -> usize {
        let times = usize::try_from(config.pipeline / self.depth).unwrap_or(usize::MAX);
        config.batch.saturating_mul(times)
    }

    /// An own block with so many bytes of transactions has its certificate.
    pub(super) fn certified(&mut self, round_trip: Duration, bytes: usize, config: &Config) {
        self.round_trips.push_back(round_trip);
        while self.round_trips.len() > WINDOW {
            self.round_trips.pop_front();
        }
        self.limit_bytes(round_trip, bytes, config);
        self.fresh += 1;
        if self.fresh >= DECIDE_EVERY {
            self.fresh = 0;
            self.decide_depth(config);
        }
    }

    /// A1: round trips three times as long as the shortest mean that blocks wait for each other:
    /// more of them in flight only wait longer.
    fn decide_depth(&mut self, config: &Config) {
        let (Some(median), Some(shortest)) = (self.median(), self.shortest()) else {
            return;
        };
        let least = LEAST_DEPTH.min(config.pipeline);
        if median > shortest * 3 {
            self.depth = (self.depth - 1).max(least);
        } else if median < shortest * 2 {
            self.depth = (self.depth + 1).min(config.pipeline);
        }
    }

    /// A3: a block that takes half of the shortest view timeout longer than the network needs costs
    /// a view if the next one is larger.
    fn limit_bytes(&mut self, round_trip: Duration, bytes: usize, config: &Config) {
        let Some(shortest) = self.shortest() else {
            return;
        };
        let excess = round_trip.saturating_sub(shortest);
        if excess > config.timeout_min / 2 && bytes > LEAST_BYTES {
            self.bytes = (bytes / 2).max(LEAST_BYTES);
        } else if excess < config.timeout_min / 4 && bytes >= self.bytes / 4 * 3 {
            self.bytes = (self.bytes + self.bytes / 8).min(Block::MAX_TRANSACTION_BYTES);
        }
    }

    fn shortest(&self) -> Option<Duration> {
        self.round_trips.iter().min().copied()
    }

    /// Of the last ones.
    fn median(&self) -> Option<Duration> {
        let mut last: Vec<Duration> =
            self.round_trips.iter().rev().take(DECIDE_EVERY).copied().collect();
        last.sort_unstable();
        last.get(last.len() / 2).copied()
    }

    /// What it does, in a sentence.
    pub(super) fn explain(&self, config: &Config) -> String {
        let Some(median) = self.median() else {
            return format!("at most {} blocks in flight; no round trip measured yet", self.depth);
        };
        format!(
            "at most {} of {} blocks in flight, {} KiB each; a round trip takes {:.1} ms",
            self.depth,
            config.pipeline,
            self.bytes / 1024,
            median.as_secs_f64() * 1e3,
        )
    }
}

#[cfg(test)]
mod tests;
