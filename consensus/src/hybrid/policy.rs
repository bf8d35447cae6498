//! Which mode a leader proposes in: a pure function of committed headers.
//!
//! docs/protocol/hybrid.md, lines M1-M4. Safety never depends on it: followers accept either mode.

use std::collections::VecDeque;

use chain::block::{Header, Mode};
use chain::types::{Epoch, Height, View};

use crate::engine::RECENT_HEADERS;
use crate::policy::Policy;

/// Calm blocks wanted after a first escalation.
const CALM_MIN: u64 = 8;
/// The most calm blocks ever wanted.
const CALM_MAX: u64 = 512;

/// What the policy looks at in a committed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    height: Height,
    epoch: Epoch,
    view: View,
    mode: Mode,
}

/// The committed headers of the last [`RECENT_HEADERS`] blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    samples: VecDeque<Sample>,
    /// Blocks in a row that became final in the newest sample's view. Counts past the window.
    in_view: u64,
}

/// The policy's answer, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) mode: Mode,
    pub(super) reason: String,
}

impl Verdict {
    fn by_setting(policy: Policy, mode: Mode) -> Self {
        Self { mode, reason: format!("in {mode} at all times: the policy is {policy}") }
    }
}

impl History {
    pub(super) fn push(&mut self, header: &Header) {
        let sample = Sample {
            height: header.height,
            epoch: header.epoch,
            view: header.view,
            mode: header.mode,
        };
        let same = self
            .samples
            .back()
            .is_some_and(|last| (last.epoch, last.view) == (sample.epoch, sample.view));
        self.in_view = if same { self.in_view + 1 } else { 1 };
        self.samples.push_back(sample);
        while self.samples.len() > RECENT_HEADERS {
            self.samples.pop_front();
        }
    }

    /// The mode of the newest committed block.
    pub(super) fn last_mode(&self) -> Option<Mode> {
        self.samples.back().map(|sample| sample.mode)
    }

    /// M2: how many view changes the window holds.
    fn escalations(&self) -> u32 {
        let pairs = self.samples.iter().zip(self.samples.iter().skip(1));
        // An epoch's first view follows its barrier's; any later one was changed to.
        let changed = |a: &Sample, b: &Sample| {
            if a.epoch == b.epoch { a.view != b.view } else { b.view > a.view.next() }
        };
        let count = pairs.filter(|(a, b)| changed(a, b)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// M3: doubles with each escalation in the window, capped.
    fn calm_needed(&self) -> u64 {
        let doublings = self.escalations().saturating_sub(1).min(6);
        (CALM_MIN << doublings).min(CALM_MAX)
    }

    /// M4: the mode of the next block of a view that began in `start`.
    pub(super) fn verdict(&self, policy: Policy, epoch: Epoch, view: View, start: Mode) -> Verdict {
        match policy {
            Policy::Adaptive => self.adaptive(epoch, view, start),
            Policy::StaticFast => Verdict::by_setting(policy, Mode::Fast),
            Policy::StaticPbft => Verdict::by_setting(policy, Mode::Pbft),
        }
    }

    fn adaptive(&self, epoch: Epoch, view: View, start: Mode) -> Verdict {
        if start == Mode::Fast {
            return Verdict { mode: Mode::Fast, reason: "calm since the epoch began".into() };
        }
        let in_this_view =
            self.samples.back().is_some_and(|last| (last.epoch, last.view) == (epoch, view));
        let calm = if in_this_view { self.in_view } else { 0 };
        let needed = self.calm_needed();
        if calm >= needed {
            let reason = format!("{calm} calm blocks in view {view}, {needed} were wanted");
            Verdict { mode: Mode::Fast, reason }
        } else {
            let since = match (in_this_view, self.samples.back()) {
                (true, Some(last)) => format!(" since height {}", last.height.get() + 1 - calm),
                _ => String::new(),
            };
            let reason =
                format!("view {view} in pbft{since}; fast again after {} more", needed - calm);
            Verdict { mode: Mode::Pbft, reason: reason + " calm blocks" }
        }
    }
}
