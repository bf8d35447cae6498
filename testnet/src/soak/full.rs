//! Fills a validator's disk, slowly or at once, and frees it again.

use std::time::Duration;

use anyhow::bail;

use super::PATIENCE;
use super::plan::Victims;
use super::player::Player;
use crate::disk::{Knobs, Room};
use crate::live::{self, until};
use crate::load::background::Since;
use crate::said::SaidLog;

/// How long a validator has to notice.
const NOTICE: Duration = Duration::from_secs(1);
/// How long it must then be silent.
const SILENCE: Duration = Duration::from_secs(2);
/// How long it has to stop where it cannot write.
const STOP: Duration = Duration::from_secs(10);

impl Player<'_> {
    /// From when the disk was full until something new is final.
    pub(super) async fn fill_disk(
        &mut self,
        victim: usize,
        room: Room,
    ) -> anyhow::Result<Duration> {
        let node = self.cluster.node(victim)?;
        let home = self.cluster.home(&node);
        let (knobs, said) = (Knobs::of(&home)?, SaidLog::path(&home));
        let broken = Since::now()?;
        knobs.leave(room)?;
        // Too sudden to be foreseen, unless it looked just then: it is silent, and goes on.
        if room == Room::None && self.gone(victim, STOP).await? {
            knobs.leave(Room::Enough)?;
            return self.recover(Victims::One(victim), true).await;
        }
        tokio::time::sleep(NOTICE).await;
        let before = std::fs::metadata(&said)?.len();
        tokio::time::sleep(SILENCE).await;
        let after = std::fs::metadata(&said)?.len();
        let reads = live::chain_status(&node).await.is_some();
        let took = self.lives(broken).await;
        knobs.leave(Room::Enough)?;
        if after > before {
            self.findings.damage.unnoticed.push(format!("a full disk of validator {victim}"));
        }
        if !reads {
            bail!("validator {victim} answers no reads while its disk is full");
        }
        until("the validator to vote again", PATIENCE, async || {
            Ok((std::fs::metadata(&said)?.len() > after).then_some(()))
        })
        .await?;
        took
    }
}
