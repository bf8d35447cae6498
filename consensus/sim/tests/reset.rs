//! A validator whose chain was deleted fetches it again and keeps its promises meanwhile.

use std::time::Duration;

use consensus::engine::{Role, Time};
use consensus::hybrid::Hybrid;
use consensus_sim::plan::{Fault, Load, Plan, Who};
use consensus_sim::scenarios;
use consensus_sim::world::World;

const MS: Duration = Duration::from_millis(1);
const RESET: usize = 3;

fn plan() -> Plan {
    let scenario = scenarios::named("equivocation").expect("a scenario");
    let plan = scenario.plan(7, 4);
    Plan { load: Load { transactions: u64::MAX, ..plan.load }, faults_end: MS * 60_000, ..plan }
}

fn role(world: &World<Hybrid>) -> Role {
    world.nodes()[RESET].status().expect("it runs").role
}

/// Its record is of a later epoch than its empty chain: until it is back there it votes nowhere,
/// and the promises stay on disk; then its vote is as good as any.
#[test]
fn a_validator_reset_after_an_epoch_comes_back_and_votes() {
    let mut world = World::<Hybrid>::new(plan(), 0);
    let end = |ms: u32| Time::default() + MS * ms;
    let caught = world.run_until(end(10_000), |world| {
        world.nodes().iter().all(|node| node.status().is_some_and(|status| status.epoch.get() == 1))
    });
    assert!(caught, "the equivocator ends the epoch");

    world.strike(Fault::Crash { who: Who::Node(RESET), restart_after: None });
    let (promised, _) = world.nodes()[RESET].disk().recover();
    let promised = promised.record.expect("it voted");
    world.nodes()[RESET].disk().forget_chain();
    world.strike(Fault::Restart { node: RESET });
    assert_eq!(role(&world), Role::Observer, "bound by a record that it cannot judge by");

    let goal = world.nodes()[0].final_height();
    let back = world.run_until(end(20_000), |world| world.nodes()[RESET].final_height() >= goal);
    assert!(back, "it fetches what it lost");
    assert!(matches!(role(&world), Role::Leader | Role::Follower | Role::Changing));
    let view = world.nodes()[RESET].status().map(|status| status.view);
    assert!(view >= Some(promised.view), "in {view:?}, promised {:?}", promised.view);

    // Of the other three one dies: only with the vote of the one that was reset they go on.
    world.strike(Fault::Crash { who: Who::Node(0), restart_after: None });
    let goal = world.nodes()[2].final_height().get() + 20;
    let live = world.run_until(end(40_000), |world| world.nodes()[2].final_height().get() >= goal);
    assert!(live, "its votes count again");
    assert!(world.violations().is_empty(), "{:?}", world.violations());
}
