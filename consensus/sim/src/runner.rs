//! A run in two phases: faults, in which safety must hold; then faults end, everywhere or around a
//! core, and the correct nodes that are left whole must agree on something new within a bound.

use std::time::Duration;

use consensus::engine::{Engine, Time};
use serde::{Deserialize, Serialize};

use crate::network::Link;
use crate::plan::{Plan, Recovery};
use crate::report::{Liveness, Report};
use crate::world::{self, World};

/// Transactions that clients send once faults are over: what must become final then.
const FRESH_TRANSACTIONS: usize = 3;

/// The weather once faults are over.
const CALM: Link = Link::exact(Duration::from_millis(1));

/// How a run ended. Worse comes first: a run that broke two promises is called by the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every promise held.
    Ok,
    /// Production code failed an assertion of its own.
    Crash,
    /// A safety property did not hold.
    Safety,
    /// Safe, and not back within the bound once faults were over.
    Liveness,
}

impl Outcome {
    pub fn of(report: &Report) -> Self {
        let own = |property: &str| property == world::ASSERTION || property == world::SPINNING;
        match report.violations.first() {
            Some(violation) if own(&violation.property) => Self::Crash,
            Some(_) => Self::Safety,
            None if report.lost_transactions > 0 => Self::Safety,
            None if report.liveness.recovered => Self::Ok,
            None => Self::Liveness,
        }
    }

    /// What a program exits with: 0 is good; 10 an assertion, 11 safety, 12 liveness.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Crash => 10,
            Self::Safety => 11,
            Self::Liveness => 12,
        }
    }
}

/// Runs a plan from start to end.
pub fn run<E: Engine>(plan: &Plan, name: &str) -> Report {
    run_in(&mut World::<E>::new(plan.clone(), 0), name)
}

/// Runs a plan once more and gives its last lines: for a run that went wrong.
pub fn explain<E: Engine>(plan: &Plan, name: &str, lines: usize) -> (Report, Vec<String>) {
    let mut world = World::<E>::new(plan.clone(), lines);
    let report = run_in(&mut world, name);
    (report, world.trace().lines().map(str::to_owned).collect())
}

/// Runs a world through both phases of its plan.
pub fn run_in<E: Engine>(world: &mut World<E>, name: &str) -> Report {
    let plan = world.plan().clone();
    world.run_until(Time::default() + plan.faults_end, |_| false);
    let liveness = recover(world, &plan);
    world.end(liveness.recovered);
    Report::of(world, &plan, name, liveness)
}

/// Ends the faults and waits until the nodes that have to recover have everything final.
fn recover<E: Engine>(world: &mut World<E>, plan: &Plan) -> Liveness {
    let start = world.now();
    let mut recovered = false;
    if world.violations().is_empty() {
        match plan.recovery {
            Recovery::Healed => world.heal(CALM),
            Recovery::Frozen => {
                world.freeze(CALM);
            }
        }
        for _ in 0..FRESH_TRANSACTIONS {
            world.submit();
        }
        recovered = world.run_until(start + plan.recovery_bound, World::is_recovered);
    }
    let missing = (!recovered).then(|| {
        format!(
            "nodes {:?} have to recover: heights {} to {}, {} transactions open",
            world.correct_nodes().collect::<Vec<_>>(),
            world.min_final(),
            world.max_final(),
            world.open_transactions()
        )
    });
    Liveness {
        stalled_ms: millis(world.record().waiting.longest(world.now())),
        recovered,
        recovery_ms: recovered.then(|| millis(world.now().since(start))),
        missing,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
