//! Modes do not flap: within a view the final chain goes from `pbft` to `fast` at most once and
//! never back, so there are at most two changes of mode per view. Holds for what honest leaders
//! propose; a liar picks the modes of its own views.
//! docs/protocol/hybrid.md, "Modes", M1-M4.

use std::collections::BTreeMap;

use chain::block::Mode;
use chain::types::{Epoch, Height, View};

use super::{Facts, Invariant, Observation};

#[derive(Debug, Default)]
pub(super) struct ModeChanges {
    /// The highest final block of each view, and its mode.
    views: BTreeMap<(Epoch, View), (Height, Mode)>,
}

impl Invariant for ModeChanges {
    fn name(&self) -> &'static str {
        "bounded mode changes"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        let Observation::Finalized { block, .. } = seen else {
            return Ok(());
        };
        let header = &block.commit.block.header;
        if facts.is_honest(header.epoch, header.proposer) != Some(true) {
            return Ok(());
        }
        let here = (header.height, header.mode);
        let last = self.views.entry((header.epoch, header.view)).or_insert(here);
        if header.height <= last.0 {
            return Ok(());
        }
        let before = std::mem::replace(last, here);
        if (before.1, header.mode) == (Mode::Fast, Mode::Pbft) {
            let (view, from) = (header.view, before.0);
            return Err(format!(
                "view {view} went back from fast at height {from} to pbft at {}",
                header.height
            ));
        }
        Ok(())
    }
}
