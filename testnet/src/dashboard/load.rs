//! Load whose rate the page decides while it runs.
//!
//! It runs in stretches: what was submitted is forgotten at the end of each, so that hours of load
//! need no more memory than minutes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::event::{Event, Load};
use super::live::Live;
use crate::cli::PayloadKind;
use crate::cluster::Cluster;
use crate::load::pool::Pool;
use crate::load::progress::Progress;
use crate::load::pump::{Outcome, Pace, Pump, Until};
use crate::load::seen::Seen;

/// Greatest rate that may be asked for, per second.
pub(super) const MAX_RATE: f64 = 10_000.0;
/// Transactions of one stretch.
const STRETCH: u64 = 100_000;
/// Accounts that send, where there are so many.
const SENDERS: usize = 200;
/// How long the rate is zero before a stretch ends.
const REST: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_secs(1);

/// Runs load at the rate that was set last.
#[derive(Debug)]
pub(super) struct Loader {
    rate: watch::Sender<f64>,
    _tasks: JoinSet<()>,
}

impl Loader {
    /// Idle at first.
    pub(super) fn start(live: &Arc<Live>, cluster: &Arc<Cluster>) -> Self {
        let (rate, asked) = watch::channel(0.0);
        let progress = Progress::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(report(Arc::clone(live), asked.clone(), progress.clone()));
        tasks.spawn(run(Arc::clone(live), Arc::clone(cluster), asked, progress));
        Self { rate, _tasks: tasks }
    }

    /// Transactions per second as set last.
    pub(super) fn rate(&self) -> f64 {
        *self.rate.borrow()
    }

    /// Transactions per second from now on; 0 ends the load.
    ///
    /// # Errors
    /// Where that is no rate, or too much.
    pub(super) fn set(&self, rate: f64) -> anyhow::Result<()> {
        if !(0.0..=MAX_RATE).contains(&rate) {
            bail!("the rate is 0 to {MAX_RATE} transactions per second");
        }
        self.rate.send_replace(rate);
        Ok(())
    }
}

/// Tells how it goes once a second, until all is quiet.
async fn report(live: Arc<Live>, rate: watch::Receiver<f64>, progress: Progress) {
    let mut ticks = tokio::time::interval(TICK);
    let (mut before, mut was_quiet) = (progress.so_far(), true);
    loop {
        ticks.tick().await;
        let (now, rate) = (progress.so_far(), *rate.borrow());
        let is_quiet = rate == 0.0 && now == before;
        if !is_quiet || !was_quiet {
            let load = Load {
                submitted: now.submitted,
                finalized: now.finalized,
                failed: now.failed,
                tps: (now.finalized - before.finalized) as f64,
                rate,
                ..Load::default()
            };
            live.tell(Event::Load(load.with(progress.take_latencies())));
        }
        (before, was_quiet) = (now, is_quiet);
    }
}

/// Runs one stretch after the other while a rate is set.
async fn run(
    live: Arc<Live>,
    cluster: Arc<Cluster>,
    mut rate: watch::Receiver<f64>,
    progress: Progress,
) {
    while rate.wait_for(|rate| *rate > 0.0).await.is_ok() {
        if let Err(error) = stretch(&cluster, &rate, &progress).await {
            // Nobody answers, or all is cut: the next try may find it better.
            let output = format!("{error:#}");
            live.tell(Event::Command { command: "testnet load".into(), ok: false, output });
            tokio::time::sleep(TICK).await;
        }
    }
}

async fn stretch(
    cluster: &Cluster,
    rate: &watch::Receiver<f64>,
    progress: &Progress,
) -> anyhow::Result<Outcome> {
    let accounts = cluster.accounts()?.count as usize;
    let senders = SENDERS.min(accounts.saturating_sub(1));
    let nodes = cluster.manifest()?.nodes;
    let mut pool = Pool::open(cluster, senders, PayloadKind::Transfer).await?;
    let (stop, told) = watch::channel(false);
    let pump = Pump::new(nodes, &mut pool, Pace::Steered(rate.clone()), Seen::default());
    let running = pump.showing(progress.clone()).run(Until::Told(told), |_| {});
    tokio::pin!(running);
    tokio::select! {
        outcome = &mut running => outcome,
        () = enough(rate.clone(), progress) => {
            stop.send(true).context("the load ended unexpectedly")?;
            running.await
        }
    }
}

/// Waits until a stretch is long enough, or nothing is wanted for a while.
async fn enough(rate: watch::Receiver<f64>, progress: &Progress) {
    let first = progress.so_far().submitted;
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut rest_since = None;
    loop {
        let now = ticks.tick().await;
        let since = *rest_since.get_or_insert(now);
        if *rate.borrow() > 0.0 {
            rest_since = None;
        } else if now - since >= REST {
            return;
        }
        if progress.so_far().submitted - first >= STRETCH {
            return;
        }
    }
}
