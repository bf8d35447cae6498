//! What it costs to change who votes.

use std::time::Duration;

use consensus_sim::plan::{Fault, Plan, Timed};
use serde::{Deserialize, Serialize};

use super::{Profile, millis, share};
use crate::contender::Contender;
use crate::experiment::{Experiment, Window};
use crate::progress::on_all_cores;
use crate::setup;
use crate::statistics::rounded;

/// The set before: one more than it takes to tolerate one liar.
pub const VALIDATORS: usize = 5;
/// One leaves after the first, and comes back after the second.
const PERIOD: Duration = Duration::from_millis(800);
/// A change is looked at for so long.
const AROUND: Duration = Duration::from_millis(250);

const CONTENDERS: [Contender; 5] = super::cost::CONTENDERS;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    Leave,
    Join,
}

/// One change under load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub contender: Contender,
    pub change: Change,
    pub seed: u64,
    /// From the transaction that asks for it to the first validator in the next epoch; empty where
    /// there was none.
    pub took_ms: Option<f64>,
    /// Longest time without a final transaction around the change.
    pub silence_ms: f64,
    /// The same as long before the change.
    pub silence_before_ms: f64,
    /// Share of the throughput before that is left around the change.
    pub kept: f64,
}

pub fn run(profile: Profile) -> Vec<Row> {
    let mut jobs = Vec::new();
    for contender in CONTENDERS {
        jobs.extend((1..=profile.seeds).map(|seed| (contender, seed)));
    }
    on_all_cores("membership", &jobs, |(contender, seed)| rows(*contender, *seed)).concat()
}

fn rows(contender: Contender, seed: u64) -> Vec<Row> {
    let calm = setup::calm(contender, VALIDATORS, seed, PERIOD * 3);
    let away = |at, away| Timed { at, fault: Fault::Members { away } };
    let faults = vec![away(PERIOD, 1), away(PERIOD * 2, 0)];
    let plan = Plan { max_faulty: (VALIDATORS as u16 - 2) / 3, faults, ..calm };
    let measured = Experiment::new(contender, plan).run();
    let row = |(place, change): (u32, Change)| {
        let asked = PERIOD * (place + 1);
        let (before, around) =
            (Window::new(asked - AROUND, asked), Window::new(asked, asked + AROUND));
        let kept = share(measured.throughput(around), measured.throughput(before));
        let began = measured.epochs.iter().find(|began| **began > asked);
        Row {
            contender,
            change,
            seed,
            took_ms: began.map(|began| millis(*began - asked)),
            silence_ms: millis(measured.silence(around)),
            silence_before_ms: millis(measured.silence(before)),
            kept: rounded(kept, 4),
        }
    };
    [(0, Change::Leave), (1, Change::Join)].map(row).into()
}
