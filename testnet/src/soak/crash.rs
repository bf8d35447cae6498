//! Ends a validator at a named point; where nobody would come there by itself, has something happen.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::plan::Victims;
use super::player::Player;
use crate::byzantine::control::Request;
use crate::crash_point::CrashPoint;
use crate::load::background::Since;
use crate::{faults, membership};

/// How long a validator has to come to a point.
const PATIENCE: Duration = Duration::from_secs(20);

impl Player<'_> {
    /// `None` where it did not come there.
    pub(super) async fn crash(
        &mut self,
        victim: usize,
        point: CrashPoint,
        passes: u32,
        at_once: bool,
    ) -> anyhow::Result<Option<Duration>> {
        faults::order(self.cluster, victim, Request::Crash { point, passes })?;
        let crashed = match point {
            CrashPoint::ViewChange | CrashPoint::ModeChange | CrashPoint::ModeChanged => {
                self.crash_without_a_leader(victim).await?
            }
            CrashPoint::EpochEnd | CrashPoint::EpochEnded => {
                self.crash_in_an_epoch_change(victim).await?
            }
            _ => self.gone(victim, PATIENCE).await?,
        };
        if !crashed {
            faults::order(self.cluster, victim, Request::Crash { point, passes: 0 })?;
            self.findings.missed += 1;
            return Ok(None);
        }
        Ok(Some(self.recover(Victims::One(victim), at_once).await?))
    }

    /// Stops whoever leads, so that the others change view, and with it mode. A victim that leads
    /// gives another one its place first.
    async fn crash_without_a_leader(&self, victim: usize) -> anyhow::Result<bool> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let Some(leader) = faults::leader(self.cluster).await? else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            self.cluster.signal(leader, Signal::SIGSTOP)?;
            let patience = Duration::from_secs(if leader == victim { 2 } else { 5 });
            let gone = self.gone(victim, patience).await;
            self.cluster.signal(leader, Signal::SIGCONT)?;
            if gone? {
                return Ok(true);
            }
            self.lives(Since::now()?).await?;
        }
        Ok(false)
    }

    /// Jails another validator and lets it go again: two new epochs.
    async fn crash_in_an_epoch_change(&self, victim: usize) -> anyhow::Result<bool> {
        let count = self.cluster.manifest()?.nodes.len();
        let other = (victim + 1) % count;
        membership::jail(self.cluster, other, &mut |_| {}).await?;
        membership::pardon(self.cluster, other, &mut |_| {}).await?;
        self.gone(victim, Duration::from_secs(1)).await
    }
}
