//! Cuts the power of validators, and has their syncs fail.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};

use super::plan::Victims;
use super::player::Player;
use crate::disk::{Knobs, power};
use crate::said::SaidLog;

/// How long a validator has to make so many calls to its disk.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to stop once a sync failed.
const STOP: Duration = Duration::from_secs(1);

impl Player<'_> {
    /// From when the power is gone until something new is final.
    pub(super) async fn cut_power(
        &mut self,
        victims: Victims,
        call: Option<u64>,
        at_once: bool,
    ) -> anyhow::Result<Duration> {
        for id in self.ids(victims)? {
            if let Some(number) = call {
                let knobs = Knobs::of(&self.cluster.home(&self.cluster.node(id)?))?;
                knobs.die_before_call(number)?;
                self.gone(id, PATIENCE).await?;
                knobs.die_before_call(0)?;
            }
            if self.cluster.node(id)?.is_alive() {
                self.cluster.kill(id)?;
            }
        }
        self.lose_unsynced(victims)?;
        self.recover(victims, at_once).await
    }

    fn lose_unsynced(&mut self, victims: Victims) -> anyhow::Result<()> {
        for id in self.ids(victims)? {
            let home = self.cluster.home(&self.cluster.node(id)?);
            let lost = power::cut(&home, &mut self.random).context("cutting the power")?;
            self.findings.lost.add(lost);
        }
        Ok(())
    }

    /// From when the victim stopped because of its disk until something new is final. What it had not
    /// synced is lost.
    pub(super) async fn fail_syncs(
        &mut self,
        victim: usize,
        count: u64,
        at_once: bool,
    ) -> anyhow::Result<Duration> {
        let home = self.cluster.home(&self.cluster.node(victim)?);
        let knobs = Knobs::of(&home)?;
        knobs.fail_syncs(count)?;
        if !self.gone(victim, PATIENCE).await? {
            bail!("validator {victim} goes on although its disk fails");
        }
        let gone = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let (failed, said) =
            knobs.failed()?.context("it stopped before a sync of its log failed")?;
        knobs.fail_syncs(0)?;
        let took = gone.saturating_sub(failed);
        self.findings.slowest_stop = self.findings.slowest_stop.max(took);
        self.findings.late_stops += u32::from(took > STOP);
        let now = std::fs::metadata(SaidLog::path(&home))?.len();
        self.findings.said_afterwards += u32::from(now > said);
        self.lose_unsynced(Victims::One(victim))?;
        self.recover(Victims::One(victim), at_once).await
    }
}
