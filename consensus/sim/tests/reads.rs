//! Reads that are as new as their question, on every engine: answered where a quorum is in reach,
//! never old, and not at all where a node is cut off. In random worlds with liars the invariant
//! "linearizable clients" judges every answer.

use std::time::Duration;

use consensus::engine::{Engine, FaultModel};
use consensus::registry::{EngineName, Visitor};
use consensus_sim::plan::{Fault, Load, Plan, Who};
use consensus_sim::world::World;
use consensus_sim::{runner, scenarios, soak, swarm};

const MS: Duration = Duration::from_millis(1);

struct CutOff;

impl Visitor for CutOff {
    type Output = ();

    fn visit<E: Engine>(self) {
        let load = Load { transactions: 0, senders: 2, reads: false, interval: MS };
        let plan = Plan { load, faults_end: Duration::ZERO, ..scenarios::calm(3, 4) };
        let mut world = World::<E>::new(plan, 0);
        world.run_for(MS * 400);
        for asker in 0..4 {
            world.submit();
            world.run_for(MS * 50);
            let newest = world.max_final();
            let read = world.read_within(asker, MS * 400);
            assert!(read.is_some_and(|height| height >= newest), "{}: {asker}: {read:?}", E::NAME);
        }
        let leader = (0..4)
            .find(|node| {
                let status = world.node(*node).status().expect("all are up");
                status.leader.is_some() && status.leader == status.me
            })
            .expect("somebody leads");
        world.strike(Fault::Isolate { who: Who::Node(leader) });
        // The others go on without it, and what it had told anybody is what they see.
        let told = world.node(leader).final_height();
        world.submit();
        world.run_for(MS * 2_000);
        assert!(world.max_final() > told, "{}: three of four go on", E::NAME);
        assert_eq!(world.read_within(leader, MS * 500), None, "{}: it is cut off", E::NAME);
        let newest = world.max_final();
        let other = (leader + 1) % 4;
        let read = world.read_within(other, MS * 500);
        assert!(read.is_some_and(|height| height >= newest), "{}: {read:?}", E::NAME);
        assert!(world.violations().is_empty(), "{}: {:?}", E::NAME, world.violations());
    }
}

#[test]
fn a_node_that_is_cut_off_answers_no_read_and_the_others_see_everything() {
    for engine in EngineName::ALL {
        engine.visit(CutOff);
    }
}

struct WithLiars;

impl Visitor for WithLiars {
    type Output = ();

    fn visit<E: Engine>(self) {
        let (mut runs, mut writes, mut answered, mut liars) = (0, 0, 0, 0);
        for seed in soak::seeds(60) {
            let plan = swarm::plan_for(E::FAULT_MODEL, seed, 4);
            let mut world = World::<E>::new(plan.clone(), 0);
            let report = runner::run_in(&mut world, "reads");
            assert!(report.violations.is_empty(), "seed {seed}: {:?}", report.violations);
            runs += 1;
            writes += plan.load.transactions;
            answered += world.record().reads.len();
            liars += usize::from(!plan.byzantine.is_empty());
        }
        println!(
            "{}: {runs} worlds, {liars} with liars, {answered} reads answered beside {writes} writes",
            E::NAME
        );
        assert!(answered as u64 > writes / 4, "most worlds have a quorum most of the time");
        assert!(E::FAULT_MODEL == FaultModel::Crash || liars > 0);
    }
}

#[test]
fn answers_in_random_worlds_are_linearizable() {
    for engine in EngineName::ALL {
        engine.visit(WithLiars);
    }
}
