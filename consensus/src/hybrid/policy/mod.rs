//! Which mode a leader proposes in, why, and whom nobody waits for as a leader: pure functions of
//! the last committed blocks, so every validator that has them comes to the same.
//!
//! docs/protocol/hybrid.md, lines M1-M6 and L1-L3. Safety never depends on it: followers accept
//! either mode, and a suspicion binds nothing.

mod explain;
mod fitness;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use chain::block::Mode;
use chain::certificate::Signers;
use chain::types::{Epoch, Height, ValidatorIndex, View};

use crate::engine::RECENT_HEADERS;
use crate::footprint::{Accusation, Footprint};
use crate::policy::Policy;

/// What the policy looks at in a committed block.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sample {
    height: Height,
    epoch: Epoch,
    view: View,
    mode: Mode,
    proposer: ValidatorIndex,
    /// Of the certificate that the block carries.
    signers: Option<Signers>,
    accusations: Vec<Accusation>,
}

impl Sample {
    fn of(block: &Footprint) -> Self {
        let header = &block.header;
        Self {
            height: header.height,
            epoch: header.epoch,
            view: header.view,
            mode: header.mode,
            proposer: header.proposer,
            signers: block.signers,
            accusations: block.accusations.clone(),
        }
    }

    /// Whether a view was given up between this block and one above it in this view. An epoch's
    /// first view follows its barrier's; any later one was changed to.
    fn was_left_for(&self, epoch: Epoch, view: View) -> bool {
        if self.epoch == epoch { self.view != view } else { view > self.view.next() }
    }
}

/// The view that is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) epoch: Epoch,
    pub(super) view: View,
    /// The mode it begins in (M1).
    pub(super) start: Mode,
}

/// The last [`RECENT_HEADERS`] committed blocks.
#[derive(Clone, Debug)]
pub(super) struct History {
    samples: VecDeque<Sample>,
    /// M3, by the number of view changes.
    calm_needed: fn(u32) -> u64,
}

impl History {
    pub(super) fn new(calm_needed: fn(u32) -> u64) -> Self {
        Self { samples: VecDeque::new(), calm_needed }
    }

    pub(super) fn push(&mut self, block: &Footprint) {
        self.samples.push_back(Sample::of(block));
        while self.samples.len() > RECENT_HEADERS {
            self.samples.pop_front();
        }
    }

    /// The mode of the newest committed block.
    pub(super) fn last_mode(&self) -> Option<Mode> {
        self.samples.back().map(|sample| sample.mode)
    }

    /// M4: the mode of the next block.
    pub(super) fn mode(&self, policy: Policy, place: Place) -> Mode {
        match policy {
            Policy::StaticFast => Mode::Fast,
            Policy::StaticPbft => Mode::Pbft,
            Policy::Adaptive if place.start == Mode::Fast => Mode::Fast,
            Policy::Adaptive if self.calm(place) >= self.calm_needed(place) => Mode::Fast,
            Policy::Adaptive => Mode::Pbft,
        }
    }

    /// Blocks in a row that became final in this view.
    fn calm(&self, place: Place) -> u64 {
        let here = |sample: &&Sample| (sample.epoch, sample.view) == (place.epoch, place.view);
        self.samples.iter().rev().take_while(here).count() as u64
    }

    /// How many view changes there were from the block at an index on, that to this view included.
    fn view_changes(&self, from: usize, place: Place) -> usize {
        let views = self.samples.range(from..).map(|sample| (sample.epoch, sample.view));
        let next = views.skip(1).chain([(place.epoch, place.view)]);
        let pairs = self.samples.range(from..).zip(next);
        pairs.filter(|(sample, (epoch, view))| sample.was_left_for(*epoch, *view)).count()
    }

    /// M3, by M2: the view changes in the window.
    fn calm_needed(&self, place: Place) -> u64 {
        let escalations = self.view_changes(0, place);
        (self.calm_needed)(u32::try_from(escalations).unwrap_or(u32::MAX))
    }
}
