//! What each side of a split network does, and what happens when it is whole again.

use std::time::Duration;

use consensus_sim::plan::{Fault, Timed};
use serde::{Deserialize, Serialize};

use super::{Profile, millis, share};
use crate::contender::Contender;
use crate::experiment::{Experiment, Window};
use crate::progress::on_all_cores;
use crate::setup;
use crate::statistics::rounded;

pub const VALIDATORS: usize = 7;
/// How many are on the smaller side.
pub const SMALLER: [usize; 4] = [0, 1, 2, 3];

const BEGINS: Duration = Duration::from_millis(500);
const ENDS: Duration = Duration::from_millis(2_500);
const LASTS: Duration = Duration::from_millis(3_500);
/// The network had time to settle in its parts.
const SETTLED: Duration = Duration::from_millis(1_500);

const CONTENDERS: [Contender; 4] = Contender::ENGINES;

/// One partition. The leader of the beginning is on the smaller side, if there is one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub contender: Contender,
    pub smaller: usize,
    pub seed: u64,
    /// Share of the throughput before, once the network is settled in its parts.
    pub kept: f64,
    /// Final blocks per second on either side then: of its validator that got furthest.
    pub larger_blocks: f64,
    pub smaller_blocks: f64,
    /// From the end of the partition to the next final transaction.
    pub resumed_ms: Option<f64>,
    pub violations: usize,
}

pub fn run(profile: Profile) -> Vec<Row> {
    let mut jobs = Vec::new();
    for contender in CONTENDERS {
        for smaller in SMALLER {
            jobs.extend((1..=profile.seeds).map(|seed| (contender, smaller, seed)));
        }
    }
    on_all_cores("partition", &jobs, |(contender, smaller, seed)| row(*contender, *smaller, *seed))
}

fn row(contender: Contender, smaller: usize, seed: u64) -> Row {
    let plan = setup::calm(contender, VALIDATORS, seed, LASTS);
    let mut experiment = Experiment::new(contender, plan);
    let leader = experiment.leader_at(BEGINS);
    let order = |place: usize| (leader + place) % VALIDATORS;
    let few: Vec<usize> = (0..smaller).map(order).collect();
    let many: Vec<usize> = (smaller..VALIDATORS).map(order).collect();
    let groups = vec![few.clone(), many.clone()];
    experiment.plan.faults = vec![
        Timed { at: BEGINS, fault: Fault::Partition { groups } },
        Timed { at: ENDS, fault: Fault::HealNetwork },
    ];
    let measured = experiment.run();
    let window = Window::new(SETTLED, ENDS);
    let heights = measured.counted(window).heights;
    let blocks = |side: &[usize]| {
        let most = side.iter().filter_map(|node| heights.get(*node)).max();
        rounded(most.copied().unwrap_or_default() as f64 / window.seconds(), 1)
    };
    let before = measured.throughput(Window::new(BEGINS / 5, BEGINS));
    Row {
        contender,
        smaller,
        seed,
        kept: rounded(share(measured.throughput(window), before), 4),
        larger_blocks: blocks(&many),
        smaller_blocks: blocks(&few),
        resumed_ms: measured.next_final(ENDS).map(millis),
        violations: measured.report.safety_violations,
    }
}
