//! A run in two phases: faults, in which safety must hold; then faults end, and all correct nodes
//! must agree on something new within a bound.

use std::time::Duration;

use consensus::engine::Time;

use crate::network::Link;
use crate::plan::Plan;
use crate::report::{Liveness, Report};
use crate::world::World;
use consensus::engine::Engine;

/// Transactions that clients send once faults are over: what must become final then.
const FRESH_TRANSACTIONS: usize = 3;

/// The weather once faults are over.
const CALM: Link = Link::exact(Duration::from_millis(1));

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
    Report::of(world, &plan, name, liveness)
}

/// Ends the faults and waits until every honest node has everything final.
fn recover<E: Engine>(world: &mut World<E>, plan: &Plan) -> Liveness {
    let start = world.now();
    let mut recovered = false;
    if world.violations().is_empty() {
        world.heal(CALM);
        for _ in 0..FRESH_TRANSACTIONS {
            world.submit();
        }
        recovered = world.run_until(start + plan.recovery_bound, is_recovered);
    }
    let missing = (!recovered).then(|| {
        format!(
            "heights {} to {}, {} transactions open",
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

fn is_recovered<E: Engine>(world: &World<E>) -> bool {
    world.open_transactions() == 0 && world.min_final() == world.max_final()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
