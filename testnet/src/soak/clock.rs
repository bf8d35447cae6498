//! Sets a validator's wall clock wrong while it runs, and right again.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chain::ledger::MAX_CLOCK_LEAD_MS;
use chain::types::Height;

use super::PATIENCE;
use super::player::Player;
use crate::disk::Knobs;
use crate::live::until;

/// How long the clock is wrong: a few view timeouts, so that it also tells when to leave a view.
const LASTS: Duration = Duration::from_secs(3);
/// Blocks that must become final meanwhile.
const BLOCKS: u64 = 10;

impl Player<'_> {
    /// How long the first blocks under the wrong clock take.
    pub(super) async fn shift_clock(
        &mut self,
        victim: usize,
        shift_ms: i64,
    ) -> anyhow::Result<Duration> {
        let knobs = Knobs::of(&self.cluster.home(&self.cluster.node(victim)?))?;
        let height = self.load.seen().highest().unwrap_or_default();
        let begun = Instant::now();
        knobs.shift_clock(shift_ms)?;
        let first = self.reach(height.next()).await;
        let took = begun.elapsed();
        tokio::time::sleep(LASTS.saturating_sub(took)).await;
        let reached = self.reach(Height::new(height.get() + BLOCKS)).await;
        self.note_time()?;
        // Backwards, for those that were ahead.
        knobs.shift_clock(0)?;
        first.and(reached)?;
        let height = self.load.seen().highest().unwrap_or_default();
        self.reach(Height::new(height.get() + BLOCKS)).await?;
        Ok(took)
    }

    /// Whether the chain's time is as near to the real one as validators promise, with a second for
    /// the way of a block.
    fn note_time(&mut self) -> anyhow::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let latest = u64::try_from(now)? + MAX_CLOCK_LEAD_MS + 1_000;
        let newest = self.load.seen().newest(1);
        let ahead = newest.iter().any(|(_, block)| block.timestamp_ms > latest);
        self.findings.blocks_ahead += u32::from(ahead);
        Ok(())
    }

    async fn reach(&self, height: Height) -> anyhow::Result<()> {
        until("blocks under a wrong clock", PATIENCE, async || {
            Ok((self.load.seen().highest() >= Some(height)).then_some(()))
        })
        .await
    }
}
