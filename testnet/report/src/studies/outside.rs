//! What happens to an engine outside of what it promises.

use std::time::Duration;

use consensus_sim::byzantine::BehaviourKind;
use consensus_sim::plan::{Fault, Timed};
use serde::{Deserialize, Serialize};

use super::Profile;
use super::ms;
use crate::contender::Contender;
use crate::experiment::{Experiment, Measured};
use crate::progress::on_all_cores;
use crate::setup;

pub const VALIDATORS: usize = 4;
const LASTS: Duration = Duration::from_millis(600);
/// They begin to lie.
const BEGINS: Duration = Duration::from_millis(200);

/// How many of four validators lie. None but the first is within what anybody promises.
pub const LIARS: [usize; 2] = [1, 2];

/// One run in which the leader, and the next validators after it, sign two chains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub contender: Contender,
    pub liars: usize,
    pub seed: u64,
    pub within_fault_model: bool,
    /// The first property that did not hold; empty where all did.
    pub broken: String,
    /// Transactions that a client was told are final, and that are not in the longest final chain.
    pub lost_transactions: u64,
    /// Everybody had everything final in the end.
    pub recovered: bool,
    pub evidence: u64,
}

pub fn run(profile: Profile) -> Vec<Row> {
    let mut jobs = Vec::new();
    for liars in LIARS {
        for contender in Contender::ENGINES {
            jobs.extend((1..=profile.many_seeds).map(|seed| (contender, liars, seed)));
        }
    }
    on_all_cores("outside", &jobs, |(contender, liars, seed)| row(*contender, *liars, *seed))
}

fn row(contender: Contender, liars: usize, seed: u64) -> Row {
    let plan = setup::calm(contender, VALIDATORS, seed, LASTS);
    let mut experiment = Experiment::new(contender, plan);
    let leader = experiment.leader_at(BEGINS);
    for liar in (leader..leader + liars).map(|node| node % VALIDATORS) {
        experiment.plan.byzantine.push((liar, BehaviourKind::Equivocate));
        let quiet = Fault::HoldBack { node: liar, holds_back: true };
        experiment.plan.faults.push(Timed { at: Duration::ZERO, fault: quiet });
        // The second begins a little later, so that the two do not agree on their lies.
        let at = BEGINS + ms(u32::try_from(liar).unwrap_or_default());
        let lies = Fault::HoldBack { node: liar, holds_back: false };
        experiment.plan.faults.push(Timed { at, fault: lies });
    }
    let Measured { report, .. } = experiment.run();
    Row {
        contender,
        liars,
        seed,
        within_fault_model: report.within_fault_model,
        broken: report.violations.first().map(|first| first.property.clone()).unwrap_or_default(),
        lost_transactions: report.lost_transactions,
        recovered: report.liveness.recovered,
        evidence: report.evidence_found,
    }
}
