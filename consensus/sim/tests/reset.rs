//! A validator whose chain was deleted fetches it again and keeps its promises meanwhile.

use std::time::Duration;

use consensus::engine::{Role, Time};
use consensus::hybrid::Hybrid;
use consensus::paxos::Paxos;
use consensus_sim::application::membership;
use consensus_sim::genesis::Genesis;
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

/// A validator whose chain was deleted, in the epoch of its record or before it, fetches the chain
/// again, keeps its promises meanwhile, and then its acceptance is as good as any.
#[test]
fn a_validator_that_was_reset_comes_back_and_accepts() {
    for changes in [0, 2] {
        let calm = scenarios::calm(3, 4);
        let load = Load { transactions: u64::MAX, interval: MS * 10, ..calm.load };
        let plan = Plan { load, ..calm };
        let mut world = World::<Paxos>::new(plan.clone(), 0);
        let signer = Genesis::signer(plan.signatures, plan.seed, 2_000);
        for change in 0..changes {
            let members = [3, 4][change as usize];
            world.offer(&membership(world.chain_id(), signer.as_ref(), change, members));
            world.run_for(MS * 200);
        }
        world.run_for(MS * 300);
        let reset = 2;
        world.strike(Fault::Crash { who: Who::Node(reset), restart_after: None });
        let (held, _) = world.node(reset).disk().recover();
        let promised = held.record.expect("it accepted").promised;
        world.node(reset).disk().forget_chain();
        world.strike(Fault::Restart { node: reset });
        let status = world.node(reset).status().expect("it runs");
        assert_eq!(status.me.is_none(), changes > 0, "bound by a record it cannot judge by");

        let goal = world.node(0).final_height();
        assert!(goal.get() > 20, "there is something to fetch");
        let end = world.now() + MS * 5_000;
        let back = world.run_until(end, |world| world.node(reset).final_height() >= goal);
        assert!(back, "{changes} changes: it fetches what it lost");
        let status = world.node(reset).status().expect("it runs");
        assert!(status.view >= promised, "in {}, promised {promised}", status.view);

        // Of the other three one dies: three of four are needed.
        world.strike(Fault::Crash { who: Who::Node(0), restart_after: None });
        let goal = world.max_final().get() + 20;
        let end = world.now() + MS * 5_000;
        let live = world.run_until(end, |world| world.node(reset).final_height().get() >= goal);
        assert!(live, "{changes} changes: its acceptances count again");
        assert!(world.violations().is_empty(), "{:?}", world.violations());
    }
}
