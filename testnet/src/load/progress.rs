//! How load goes while it runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::sample::{Latencies, Percentiles};

/// Counts that somebody else may look at; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    so_far: SoFar,
    /// Since somebody looked last.
    latencies: Latencies,
}

/// Totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoFar {
    pub submitted: u64,
    pub finalized: u64,
    /// Of those, refused by execution.
    pub failed: u64,
}

impl Progress {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn submitted(&self, count: u64) {
        self.counts().so_far.submitted += count;
    }

    pub(super) fn finalized(&self, latency: Duration, failed: bool) {
        let mut counts = self.counts();
        counts.so_far.finalized += 1;
        counts.so_far.failed += u64::from(failed);
        counts.latencies.record(latency);
    }

    pub fn so_far(&self) -> SoFar {
        self.counts().so_far
    }

    /// Percentiles of what became final since the last call; `None` where nothing did.
    pub fn take_latencies(&self) -> Option<Percentiles> {
        let latencies = std::mem::take(&mut self.counts().latencies);
        (latencies.count() > 0).then(|| latencies.percentiles())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_stay_and_latencies_are_of_late() {
        let progress = Progress::default();
        progress.submitted(3);
        progress.finalized(Duration::from_millis(10), false);
        progress.finalized(Duration::from_millis(30), true);
        let expected = SoFar { submitted: 3, finalized: 2, failed: 1 };
        assert_eq!(progress.so_far(), expected);
        assert!(progress.take_latencies().is_some_and(|found| found.max > 29.0));
        assert_eq!(progress.take_latencies(), None);
        assert_eq!(progress.so_far(), expected);
    }
}
