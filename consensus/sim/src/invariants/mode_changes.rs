//! Modes do not flap. Written from M1-M4 of docs/protocol/hybrid.md: a view that was changed to
//! begins in `pbft`, an epoch's first one in its barrier's mode; within a view the final chain goes
//! from `pbft` to `fast` at most once and never back, after the calm that the view changes of the
//! last blocks ask for; so at most six times in 256 blocks. Under a static policy there is one mode.
//!
//! Holds for what honest leaders propose; a liar picks the modes of its own views.

use std::collections::{BTreeMap, VecDeque};

use chain::block::{Header, Mode};
use chain::types::{Epoch, View};
use consensus::policy::Policy;

use super::{Facts, Invariant, Observation};

/// How far back view changes count.
const WINDOW: u64 = 256;
/// Changes to `fast` in so many blocks: with 8, 16, 32, 64 and 128 calm blocks between two of them,
/// six fit and a seventh does not.
const MOST_CHANGES: usize = 6;

/// What matters of a final block.
#[derive(Clone, Copy, Debug)]
struct Seen {
    epoch: Epoch,
    view: View,
    mode: Mode,
}

impl Seen {
    fn of(header: &Header) -> Self {
        Self { epoch: header.epoch, view: header.view, mode: header.mode }
    }

    fn same_view(&self, other: &Self) -> bool {
        (self.epoch, self.view) == (other.epoch, other.view)
    }

    /// Whether the next block's view was changed to.
    fn was_left_for(&self, next: &Self) -> bool {
        let first_of_epoch = next.epoch > self.epoch && next.view == self.view.next();
        !self.same_view(next) && !first_of_epoch
    }
}

#[derive(Debug, Default)]
pub(super) struct ModeChanges {
    /// The newest of the final chain, by height.
    chain: BTreeMap<u64, Seen>,
    /// Heights at which honest leaders went to `fast`.
    to_fast: VecDeque<u64>,
}

impl ModeChanges {
    fn check(&mut self, height: u64, before: &Seen, here: &Seen) -> Result<(), String> {
        let view = here.view;
        match (before.same_view(here), before.was_left_for(here)) {
            (false, true) if here.mode == Mode::Fast => {
                Err(format!("view {view} was changed to and begins in fast at height {height}"))
            }
            (false, false) if here.mode != before.mode => {
                Err(format!("epoch {} does not begin in its barrier's mode", here.epoch))
            }
            (true, _) => match (before.mode, here.mode) {
                (Mode::Fast, Mode::Pbft) => {
                    Err(format!("view {view} went back from fast at height {} to pbft", height - 1))
                }
                (Mode::Pbft, Mode::Fast) => self.check_calm(height, here),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn check_calm(&mut self, height: u64, here: &Seen) -> Result<(), String> {
        let below = self.chain.range(height.saturating_sub(WINDOW)..height);
        let below: Vec<Seen> = below.map(|(_, seen)| *seen).collect();
        let calm = below.iter().rev().take_while(|seen| seen.same_view(here)).count();
        let changes = below.windows(2).filter(|pair| pair[0].was_left_for(&pair[1])).count();
        let needed = (8 << changes.saturating_sub(1).min(6)).min(512);
        if calm < needed {
            return Err(format!(
                "fast at height {height} after {calm} calm blocks, where {changes} view changes \
                 ask for {needed}"
            ));
        }
        self.to_fast.push_back(height);
        if self.to_fast.len() > MOST_CHANGES {
            let first = self.to_fast.pop_front().unwrap_or_default();
            if height - first < WINDOW {
                let many = MOST_CHANGES + 1;
                return Err(format!("{many} changes to fast from height {first} to {height}"));
            }
        }
        Ok(())
    }
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
        let (height, here) = (header.height.get(), Seen::of(header));
        if self.chain.last_key_value().is_some_and(|(newest, _)| height <= *newest) {
            return Ok(());
        }
        let before = self.chain.get(&(height - 1)).copied();
        let honest = facts.is_honest(header.epoch, header.proposer) == Some(true);
        let checked = match (facts.policy, before) {
            _ if !honest => Ok(()),
            (None, _) => Ok(()),
            (Some(Policy::Adaptive), Some(before)) => self.check(height, &before, &here),
            (Some(Policy::Adaptive), None) => Ok(()),
            (Some(Policy::StaticFast), _) if here.mode == Mode::Fast => Ok(()),
            (Some(Policy::StaticPbft), _) if here.mode == Mode::Pbft => Ok(()),
            (Some(policy), _) => Err(format!("height {height} in {} under {policy}", here.mode)),
        };
        self.chain.insert(height, here);
        while self.chain.len() as u64 > WINDOW + 1 {
            self.chain.pop_first();
        }
        checked
    }
}
