//! What it takes to replace a leader that died, for networks of different sizes.

use std::time::Duration;

use consensus_sim::plan::{Fault, Timed, Who};
use serde::{Deserialize, Serialize};

use super::{Profile, millis, ms};
use crate::contender::Contender;
use crate::experiment::{Experiment, Measured, Window};
use crate::progress::on_all_cores;
use crate::setup;

const SMALL: [usize; 5] = super::cost::SIZES;
const LARGE: [usize; 2] = super::cost::LARGE;
const CONTENDERS: [Contender; 4] = Contender::ENGINES;

/// The leader dies.
const DIES: Duration = Duration::from_millis(150);

/// One death of a leader under load. Counts are of all validators, from the last final transaction
/// before the network stood still to the first one after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub contender: Contender,
    pub validators: usize,
    pub seed: u64,
    /// How long nothing became final; empty where nothing became final any more.
    pub took_ms: Option<f64>,
    pub messages: u64,
    pub bytes: u64,
    pub signed: u64,
    pub checked: u64,
    /// How many leaders there were in all.
    pub leader_changes: u64,
}

pub fn run(profile: Profile) -> Vec<Row> {
    let mut jobs = Vec::new();
    for n in SMALL.into_iter().chain(LARGE) {
        let seeds = if LARGE.contains(&n) { 1 } else { profile.seeds };
        for contender in CONTENDERS {
            jobs.extend((1..=seeds).map(|seed| (contender, n, seed)));
        }
    }
    on_all_cores("view change", &jobs, |(contender, n, seed)| row(*contender, *n, *seed))
}

fn row(contender: Contender, n: usize, seed: u64) -> Row {
    let lasts = DIES + ms(if n < 64 { 600 } else { 700 });
    let mut plan = setup::calm(contender, n, seed, lasts);
    let dies = Fault::Crash { who: Who::Leader, restart_after: None };
    plan.faults = vec![Timed { at: DIES, fault: dies }];
    let measured = Experiment::new(contender, plan).run();
    let still = still(&measured, Window::new(DIES, lasts));
    let counted = measured.counted(still);
    Row {
        contender,
        validators: n,
        seed,
        took_ms: (still.to < lasts).then(|| millis(still.to - still.from)),
        messages: counted.messages,
        bytes: counted.bytes,
        signed: counted.signed,
        checked: counted.checked,
        leader_changes: measured.report.leader_changes,
    }
}

/// The longest time in which nothing became final.
fn still(measured: &Measured, window: Window) -> Window {
    let finals = measured.finals_in(window).map(|r#final| r#final.at);
    let moments: Vec<Duration> =
        std::iter::once(window.from).chain(finals).chain([window.to]).collect();
    let pauses = moments.windows(2).map(|pair| Window::new(pair[0], pair[1]));
    pauses.max_by_key(|pause| (pause.to - pause.from, pause.from)).unwrap_or(window)
}
