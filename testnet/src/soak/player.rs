//! Plays rounds, and what they have in common.

use std::time::{Duration, Instant};

use anyhow::Context;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::plan::{Fault, Round, Victims};
use super::{Findings, PATIENCE};
use crate::cluster::Cluster;
use crate::live;
use crate::load::background::{Background, Since};

pub(super) struct Player<'a> {
    pub cluster: &'a Cluster,
    pub load: &'a Background,
    pub random: ChaCha8Rng,
    pub findings: Findings,
}

/// How long the network stood still, and how long it might have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recovery {
    pub took: Duration,
    pub timeout: Duration,
}

impl<'a> Player<'a> {
    pub(super) fn new(cluster: &'a Cluster, load: &'a Background, seed: u64) -> Self {
        let random = ChaCha8Rng::seed_from_u64(seed.wrapping_add(1));
        Self { cluster, load, random, findings: Findings::default() }
    }

    /// Plays one round and waits until everybody is up and caught up. What is to be told of it.
    pub(super) async fn play(&mut self, round: &Round) -> anyhow::Result<String> {
        tokio::time::sleep(round.calm).await;
        let timeout = live::view_timeout(self.cluster).await?;
        let took = match &round.fault {
            Fault::Kill(victims) => Some(self.kill(*victims, round.at_once).await?),
            Fault::Crash { victim, point, passes } => {
                self.crash(*victim, *point, *passes, round.at_once).await?
            }
            Fault::Pause(lasts) => Some(self.pause(*lasts).await?),
            Fault::PowerCut { victims, call } => {
                Some(self.cut_power(*victims, *call, round.at_once).await?)
            }
            Fault::SyncError { victim, count } => {
                Some(self.fail_syncs(*victim, *count, round.at_once).await?)
            }
            Fault::FullDisk { victim, room } => Some(self.fill_disk(*victim, *room).await?),
            Fault::Clock { victim, shift_ms } => Some(self.shift_clock(*victim, *shift_ms).await?),
            Fault::BitFlip { victim, files } => Some(self.flip_bit(*victim, *files).await?),
            Fault::OldDisk { victim } => Some(self.put_back_old_disk(*victim).await?),
            Fault::Twin { victim } => {
                let broken = Since::now()?;
                self.start_twin(*victim).await?;
                Some(self.lives(broken).await?)
            }
        };
        self.all_well().await?;
        let Some(took) = took else {
            return Ok(", which nobody came to".into());
        };
        self.findings.recovered(&round.fault.name(), Recovery { took, timeout });
        Ok(format!(", live again after {} ms", took.as_millis()))
    }

    async fn kill(&mut self, victims: Victims, at_once: bool) -> anyhow::Result<Duration> {
        for id in self.ids(victims)? {
            self.cluster.kill(id)?;
        }
        self.recover(victims, at_once).await
    }

    /// The numbers of the victims.
    pub(super) fn ids(&self, victims: Victims) -> anyhow::Result<Vec<usize>> {
        Ok(match victims {
            Victims::One(id) => vec![id],
            Victims::All => self.cluster.manifest()?.nodes.iter().map(|node| node.id).collect(),
        })
    }

    /// From when the victims are gone until something new is final; whether they are started before
    /// that or after it.
    pub(super) async fn recover(
        &self,
        victims: Victims,
        at_once: bool,
    ) -> anyhow::Result<Duration> {
        let broken = Since::now()?;
        if at_once || victims == Victims::All {
            self.cluster.start_all()?;
        }
        let live = self.lives(broken).await?;
        self.cluster.start_all()?;
        Ok(live)
    }

    /// How long it takes from a moment on until a block is final that was proposed after it.
    pub(super) async fn lives(&self, broken: Since) -> anyhow::Result<Duration> {
        self.load.next_block(broken, PATIENCE).await
    }

    /// Waits until a process is gone; whether it is, in time.
    pub(super) async fn gone(&self, id: usize, patience: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + patience;
        while self.cluster.node(id)?.is_alive() {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(true)
    }

    async fn all_well(&self) -> anyhow::Result<()> {
        self.cluster.start_all()?;
        live::all_answer(self.cluster).await.context("after the fault")?;
        live::caught_up(self.cluster, self.load.seen().highest()).await
    }
}
