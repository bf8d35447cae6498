//! Each fault that a world can have does what it says, seen from outside at the production engine.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use consensus::hybrid::{Hybrid, Message};
use consensus_sim::application::Workload;
use consensus_sim::disk::CrashPoint;
use consensus_sim::network::{Bandwidth, Link, Regions};
use consensus_sim::plan::{Fault, Load, Plan, Recovery, Timed, Who};
use consensus_sim::runner::{self, Outcome};
use consensus_sim::scenarios;
use consensus_sim::shape::Shape;
use consensus_sim::world::{Envelope, World};

const MS: Duration = Duration::from_millis(1);

/// A network that never runs out of work.
fn plan(n: usize) -> Plan {
    let load = Load { transactions: u64::MAX, ..Load::default() };
    Plan { load, faults_end: MS * 600_000, ..scenarios::calm(5, n) }
}

fn world(n: usize) -> World<Hybrid> {
    World::new(plan(n), 0)
}

fn height(world: &World<Hybrid>, node: usize) -> u64 {
    world.node(node).final_height().get()
}

/// Runs on until these nodes have so much more final.
fn grow(world: &mut World<Hybrid>, nodes: &[usize], more: u64, within: Duration) {
    let goal = nodes.iter().map(|node| height(world, *node)).max().unwrap_or_default() + more;
    let end = world.now() + within;
    let grown = world.run_until(end, |world| nodes.iter().all(|node| height(world, *node) >= goal));
    assert!(world.violations().is_empty(), "{:?}", world.violations());
    let heights: Vec<u64> = (0..world.nodes().len()).map(|node| height(world, node)).collect();
    assert!(grown, "at {heights:?} of {goal}");
}

#[test]
fn a_clogged_link_delivers_nothing_and_then_everything() {
    let mut world = world(4);
    let sent = Rc::new(Cell::new(0_u32));
    let count = Rc::clone(&sent);
    world.set_tap(Box::new(move |envelope: &Envelope<'_, Message>| {
        count.set(count.get() + u32::from((envelope.from, envelope.to) == (0, 3)));
        true
    }));
    grow(&mut world, &[0, 1, 2, 3], 5, MS * 500);
    world.strike(Fault::Clog { from: 0, to: 3 });
    world.run_for(MS * 10);
    let (stuck, before) = (height(&world, 3), sent.get());
    world.run_for(MS * 30);
    assert_eq!(height(&world, 3), stuck, "the leader is not heard");
    assert!(sent.get() > before, "and talks on");
    world.strike(Fault::Release { from: 0, to: 3 });
    let goal = height(&world, 0);
    world.run_for(MS * 3);
    assert!(height(&world, 3) >= goal - 1, "what was held arrives at once");
}

#[test]
fn a_paused_process_wakes_up_with_all_it_received() {
    let mut world = world(4);
    grow(&mut world, &[0, 1, 2, 3], 5, MS * 500);
    let stuck = height(&world, 2);
    world.strike(Fault::Pause { who: Who::Node(2), lasts: MS * 40 });
    world.run_for(MS * 39);
    assert_eq!(height(&world, 2), stuck);
    let goal = height(&world, 0);
    assert!(goal > stuck + 3, "the others went on");
    world.run_for(MS * 8);
    assert!(height(&world, 2) >= goal, "it had everything in its inbox");
    assert_eq!(world.record().counters.crashes, 0);
}

#[test]
fn a_failed_sync_takes_the_node_down_until_it_is_restarted() {
    let mut world = world(4);
    grow(&mut world, &[0, 1, 2, 3], 5, MS * 500);
    world.strike(Fault::SyncError { who: Who::Node(1), restart_after: MS * 100 });
    world.run_for(MS * 20);
    assert!(!world.node(1).is_running(), "the first sync failed");
    grow(&mut world, &[0, 2, 3], 5, MS * 500);
    world.run_for(MS * 100);
    assert!(world.node(1).is_running());
    grow(&mut world, &[0, 1, 2, 3], 5, MS * 500);
}

#[test]
fn a_node_whose_disk_is_damaged_never_comes_back_and_need_not() {
    let corruption = Fault::Corruption { who: Who::Node(2) };
    let faults = vec![Timed { at: MS * 100, fault: corruption }];
    let plan = Plan { faults, ..scenarios::calm(5, 4) };
    let mut world = World::<Hybrid>::new(plan, 0);
    let report = runner::run_in(&mut world, "damage");
    assert_eq!(Outcome::of(&report), Outcome::Ok, "{report:#?}");
    assert!(world.node(2).is_gone() && !world.node(2).is_running());
    assert_eq!(world.correct_nodes().collect::<Vec<_>>(), [0, 1, 3]);
    assert!(height(&world, 2) < height(&world, 0));
}

#[test]
fn a_node_that_lost_its_disk_is_counted_as_a_liar_and_fetches_everything_again() {
    let loss = Fault::DiskLoss { node: 3, restart_after: MS * 10 };
    let faults = vec![Timed { at: MS * 300, fault: loss }];
    let mut world = World::<Hybrid>::new(Plan { faults, ..plan(4) }, 0);
    assert!(!world.is_honest(3), "before it happens already");
    world.run_for(MS * 299);
    let before = height(&world, 3);
    world.run_for(MS * 2);
    assert!(before > 20 && height(&world, 3) == 0, "it had {before}");
    grow(&mut world, &[0, 1, 2, 3], 10, MS * 2_000);
}

#[test]
#[should_panic(expected = "put the loss of its disk into the plan")]
fn nobody_loses_a_disk_unannounced() {
    world(4).strike(Fault::DiskLoss { node: 3, restart_after: MS });
}

#[test]
fn a_torn_write_is_survived() {
    let mut world = world(4);
    for _ in 0..6 {
        grow(&mut world, &[0, 1, 2, 3], 3, MS * 2_000);
        let point = CrashPoint::MidWrite;
        world.strike(Fault::CrashAt { who: Who::Leader, point, restart_after: MS * 5 });
    }
    grow(&mut world, &[0, 1, 2, 3], 3, MS * 2_000);
    let torn: u64 = world.nodes().iter().map(|node| node.disk().torn()).sum();
    assert!(torn > 0, "{} crashes", world.record().counters.crashes);
}

#[test]
fn a_slow_disk_slows_down_the_leader() {
    let latency = |sync: Duration| {
        let mut world = world(4);
        for node in 0..4 {
            world.strike(Fault::SlowDisk { who: Who::Node(node), sync: (sync, sync) });
        }
        grow(&mut world, &[0, 1, 2, 3], 30, MS * 5_000);
        world.now()
    };
    assert!(latency(MS * 10).since(latency(Duration::ZERO)) > MS * 100);
}

#[test]
fn wrong_clocks_and_drift_never_stop_the_chain() {
    for workload in [Workload::HashChain, Workload::Ledger] {
        let mut world = World::<Hybrid>::new(Plan { workload, ..plan(4) }, 0);
        for (node, ppm) in [(0, 300_000), (1, -300_000), (2, 50), (3, -50_000)] {
            world.strike(Fault::ClockDrift { who: Who::Node(node), ppm });
        }
        for by_ms in [200_000, -400_000, 300_000, -100_000] {
            world.strike(Fault::ClockJump { who: Who::Leader, by_ms });
            grow(&mut world, &[0, 1, 2, 3], 10, MS * 1_000);
        }
    }
}

/// Half an hour is more than anybody votes for.
#[test]
fn a_leader_from_the_future_is_replaced_where_clocks_matter() {
    let mut world = World::<Hybrid>::new(Plan { workload: Workload::Ledger, ..plan(4) }, 0);
    grow(&mut world, &[0, 1, 2, 3], 5, MS * 500);
    world.strike(Fault::ClockJump { who: Who::Leader, by_ms: 1_800_000 });
    grow(&mut world, &[0, 1, 2, 3], 10, MS * 2_000);
    assert!(!world.record().views.is_empty(), "a view change was needed");
}

#[test]
fn the_production_ledger_conserves_what_is_owned() {
    let plan = Plan { workload: Workload::Ledger, ..scenarios::calm(5, 4) };
    let mut world = World::<Hybrid>::new(plan, 0);
    let report = runner::run_in(&mut world, "ledger");
    assert_eq!(Outcome::of(&report), Outcome::Ok, "{report:#?}");
    assert!(report.transactions_final >= 200, "{} transfers", report.transactions_final);
}

#[test]
fn validators_leave_and_come_back_as_members_that_vote() {
    let plan = Plan { max_faulty: 1, ..plan(5) };
    let mut world = World::<Hybrid>::new(plan, 0);
    let members = |world: &World<Hybrid>| {
        world.record().set.as_ref().map(chain::validator::ValidatorSet::len)
    };
    grow(&mut world, &[0, 1, 2, 3, 4], 5, MS * 500);
    world.strike(Fault::Members { away: 1 });
    grow(&mut world, &[0, 1, 2, 3], 10, MS * 500);
    assert_eq!(members(&world), Some(4));
    world.strike(Fault::Members { away: 0 });
    grow(&mut world, &[0, 1, 2, 3, 4], 10, MS * 1_000);
    assert_eq!(members(&world), Some(5));
    // Four of five are needed: without the fifth's votes nothing would move now.
    world.strike(Fault::Crash { who: Who::Node(1), restart_after: None });
    grow(&mut world, &[0, 2, 3, 4], 10, MS * 2_000);
    world.strike(Fault::Members { away: 2 });
    world.run_for(MS * 200);
    assert_eq!(members(&world), Some(5), "three tolerate no fault: nothing happens");
}

#[test]
fn distance_and_bandwidth_show_in_the_time_to_finality() {
    let time = |change: fn(&mut Plan)| {
        let mut plan = plan(4);
        change(&mut plan);
        let mut world = World::<Hybrid>::new(plan, 0);
        grow(&mut world, &[0, 1, 2, 3], 20, MS * 5_000);
        world.now()
    };
    let near = time(|_| ());
    let far = time(|plan| {
        let row = |ms: u32| vec![MS * ms; 4];
        plan.regions = Some(Regions { round_trip: vec![row(30); 4] });
    });
    let narrow = time(|plan| {
        let bandwidth = Some(Bandwidth { bytes_per_second: 100_000, queue_bytes: 50_000 });
        plan.link = Link { bandwidth, ..plan.link };
    });
    assert!(far.since(near) > MS * 25, "{far:?} after {near:?}");
    assert!(narrow > near, "{narrow:?} after {near:?}");
}

/// Node 0 stays cut off from 3 and dead nodes stay dead; the others go on among themselves.
#[test]
fn only_the_core_recovers_when_everything_else_is_frozen() {
    let mut frozen = 0;
    for seed in 0..20 {
        let faults = vec![
            Timed { at: MS * 50, fault: Fault::Crash { who: Who::Leader, restart_after: None } },
            Timed { at: MS * 90, fault: Fault::Cut { shape: Shape::Chained } },
        ];
        let faults_end = MS * 200;
        let recovery = Recovery::Frozen;
        let plan = Plan { faults, faults_end, recovery, ..scenarios::calm(seed, 4) };
        let mut world = World::<Hybrid>::new(plan, 0);
        let report = runner::run_in(&mut world, "frozen");
        assert_eq!(Outcome::of(&report), Outcome::Ok, "seed {seed}: {report:#?}");
        let core: Vec<usize> = world.correct_nodes().collect();
        assert_eq!(core.len(), 3, "seed {seed}");
        let outside = (0..4).find(|node| !core.contains(node)).expect("four less three");
        if outside == 0 {
            assert!(!world.node(0).is_running(), "the leader that died stays dead");
        }
        let cut = |from, to| world.network().is_blocked(from, to);
        assert!(core.iter().all(|from| core.iter().all(|to| !cut(*from, *to))));
        frozen += usize::from(core.iter().any(|node| cut(outside, *node) && cut(*node, outside)));
    }
    assert!(frozen > 10, "in {frozen} of 20 runs something stayed cut");
}

#[test]
fn faults_that_were_planned_for_later_do_not_strike_once_faults_are_over() {
    let mut world = world(4);
    world.strike(Fault::Flap { between: (0, 1), period: MS * 4, times: 1_000 });
    world.run_for(MS * 50);
    world.heal(Link::exact(MS));
    for _ in 0..20 {
        world.run_for(MS);
        assert!(!world.network().is_blocked(0, 1));
    }
}

/// The other three work with the leader, and nobody but the leader sends blocks.
#[test]
fn a_follower_that_alone_cannot_hear_the_leader_learns_what_is_final() {
    let mut world = world(4);
    grow(&mut world, &[0, 1, 2, 3], 5, MS * 500);
    world.strike(Fault::Cut { shape: Shape::Between { left: vec![0], right: vec![2] } });
    grow(&mut world, &[0, 1, 2, 3], 20, MS * 1_000);
    grow(&mut world, &[0, 1, 2, 3], 20, MS * 1_000);
    assert!(world.record().views.is_empty(), "the leader is no worse for it");
}
