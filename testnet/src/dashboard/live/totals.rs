//! The network in numbers: sums of every second, and what they come to over the last few.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::dashboard::event::{Load, Metrics};

/// Seconds that a number is the mean of: one alone jumps.
const SECONDS: usize = 5;

/// Sums of the present second and those before.
#[derive(Debug, Default)]
pub(super) struct Totals(Mutex<Sums>);

#[derive(Debug, Default)]
struct Sums {
    now: Second,
    before: VecDeque<Second>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Second {
    messages: u64,
    bytes: u64,
    blocks: u64,
    transactions: u64,
}

impl Totals {
    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Messages left some node.
    pub(super) fn sent(&self, messages: u64, bytes: u64) {
        let mut sums = self.sums();
        sums.now.messages += messages;
        sums.now.bytes += bytes;
    }

    /// A block became final.
    pub(super) fn block(&self, transactions: u32) {
        let mut sums = self.sums();
        sums.now.blocks += 1;
        sums.now.transactions += u64::from(transactions);
    }

    /// The present second is over, in which so much of the machine was idle.
    pub(super) fn metrics(&self, load: Option<Load>, machine_idle: Option<f64>) -> Metrics {
        let mut sums = self.sums();
        let now = std::mem::take(&mut sums.now);
        sums.before.push_back(now);
        if sums.before.len() > SECONDS {
            sums.before.pop_front();
        }
        let total = |part: fn(&Second) -> u64| sums.before.iter().map(part).sum::<u64>() as f64;
        let blocks = total(|second| second.blocks);
        let per_block = |sum: f64| (blocks > 0.0).then(|| sum / blocks);
        let seconds = sums.before.len() as f64;
        Metrics {
            messages_per_block: per_block(total(|second| second.messages)),
            bytes_per_block: per_block(total(|second| second.bytes)),
            blocks_per_second: blocks / seconds,
            tps: now.transactions as f64,
            latency_p50_ms: load.and_then(|load| load.p50_ms),
            latency_p99_ms: load.and_then(|load| load.p99_ms),
            machine_idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_means_over_seconds() {
        let totals = Totals::default();
        assert_eq!(totals.metrics(None, None).messages_per_block, None);
        for _ in 0..SECONDS {
            totals.sent(120, 12_000);
            totals.block(30);
            totals.block(10);
            totals.metrics(None, None);
        }
        totals.block(5);
        let metrics = totals.metrics(None, None);
        assert_eq!(metrics.tps, 5.0, "of the last second");
        // Four full seconds and one with a block and no message.
        assert_eq!(metrics.messages_per_block, Some(480.0 / 9.0));
        assert_eq!(metrics.bytes_per_block, Some(48_000.0 / 9.0));
        assert_eq!(metrics.blocks_per_second, 9.0 / 5.0);
    }
}
