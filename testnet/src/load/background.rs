//! Load that goes on while other things happen.

use std::ops::Range;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::pool::Pool;
use super::progress::Progress;
use super::pump::{Outcome, Pace, Pump, Until};
use super::seen::Seen;
use crate::cli::PayloadKind;
use crate::cluster::Cluster;
use crate::live;

/// From when on blocks are new, by the clocks of this process and of validators.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    at: Instant,
    unix_ms: u64,
}

impl Since {
    /// # Errors
    /// Where the clock stands before 1970.
    pub fn now() -> anyhow::Result<Self> {
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        Ok(Self { at: Instant::now(), unix_ms: u64::try_from(unix_ms)? })
    }
}

/// Running load. Ends when dropped.
#[derive(Debug)]
pub struct Background {
    stop: watch::Sender<bool>,
    task: JoinHandle<anyhow::Result<Outcome>>,
    seen: Seen,
    progress: Progress,
}

impl Background {
    /// Starts transfers at a steady rate to all validators, also those that are down now.
    ///
    /// # Errors
    /// Where the testnet does not answer.
    pub async fn start(cluster: &Cluster, tps: f64, senders: usize) -> anyhow::Result<Self> {
        Self::at(cluster, Pace::Steady(tps), senders).await
    }

    /// The same at any pace.
    ///
    /// # Errors
    /// Where the testnet does not answer.
    pub async fn at(cluster: &Cluster, pace: Pace, senders: usize) -> anyhow::Result<Self> {
        Self::of(cluster, pace, 0..senders as u32).await
    }

    /// The same from any accounts, by their numbers.
    ///
    /// # Errors
    /// Where the testnet does not answer, or has too few accounts.
    pub async fn of(cluster: &Cluster, pace: Pace, senders: Range<u32>) -> anyhow::Result<Self> {
        let nodes = cluster.manifest()?.nodes;
        let mut pool = Pool::of(cluster, senders, PayloadKind::Transfer).await?;
        let seen = Seen::default();
        let (stop, told) = watch::channel(false);
        let progress = Progress::default();
        let (record, show) = (seen.clone(), progress.clone());
        let task = tokio::spawn(async move {
            let pump = Pump::new(nodes, &mut pool, pace, record).showing(show);
            pump.run(Until::Told(told), |_| {}).await
        });
        Ok(Self { stop, task, seen, progress })
    }

    /// What was reported final so far.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// How it goes so far.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// How long it takes from a moment on until a block is final that was proposed after it.
    ///
    /// # Errors
    /// Where none is within `patience`.
    pub async fn next_block(&self, since: Since, patience: Duration) -> anyhow::Result<Duration> {
        // A millisecond more: a block may have been proposed in this one.
        let seen = live::until("a new final block", patience, async || {
            Ok(self.seen.first_proposed_after(since.unix_ms + 1))
        })
        .await?;
        Ok(seen.saturating_duration_since(since.at))
    }

    /// Submits no more and waits until everything is final.
    ///
    /// # Errors
    /// Where no validator answers.
    pub async fn finish(mut self) -> anyhow::Result<Outcome> {
        // The task may have failed already: then this reaches nobody, and its error tells more.
        let _ = self.stop.send(true);
        (&mut self.task).await.context("the load ended unexpectedly")?
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.task.abort();
    }
}
