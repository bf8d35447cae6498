//! The questions that are asked of the simulator. One file per question: the runs it takes, the
//! rows of its table, and what one run says.

pub mod cost;
pub mod faults;
pub mod load;
pub mod membership;
pub mod outside;
pub mod partition;
pub mod view_change;
pub mod weather;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::setup::MS;

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Few seeds and short runs, for a look within minutes.
    pub quick: bool,
    /// Seeds of every study that compares under faults; the first is 1.
    pub seeds: u64,
    /// Seeds where the question is how often something happens.
    pub many_seeds: u64,
    /// How long a phase of the weather schedule lasts, in milliseconds.
    pub phase_ms: u64,
}

impl Profile {
    pub const FULL: Self = Self { quick: false, seeds: 20, many_seeds: 200, phase_ms: 1_000 };
    pub const QUICK: Self = Self { quick: true, seeds: 3, many_seeds: 20, phase_ms: 500 };

    pub fn phase(self) -> Duration {
        Duration::from_millis(self.phase_ms)
    }
}

/// In milliseconds, to the microsecond.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

/// So many milliseconds.
pub(crate) fn ms(count: u32) -> Duration {
    MS * count
}

/// A share of something; nothing is kept of nothing.
pub(crate) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
