//! Random worlds in which the validator set changes all the time, down to one validator and up
//! again, on the engines that tolerate crashes: nobody lies, everybody comes back.
//!
//! `SIM_SEEDS` multiplies the number of seeds for a soak, `SIM_FIRST` says where they start.

use std::time::Duration;

use consensus::engine::{Engine, FaultModel, Time};
use consensus::registry::{EngineName, Visitor};
use consensus_sim::application::membership;
use consensus_sim::dice::{Dice, Purpose};
use consensus_sim::genesis::Genesis;
use consensus_sim::plan::Plan;
use consensus_sim::report::Report;
use consensus_sim::world::World;
use consensus_sim::{runner, soak, swarm};

const MS: Duration = Duration::from_millis(1);

/// Changes the validator set every so often while faults happen.
fn reconfigure<E: Engine>(world: &mut World<E>) {
    let plan = world.plan().clone();
    let mut dice = Dice::new(plan.seed ^ 0x5e7, Purpose::Plan);
    let signer = Genesis::signer(plan.signatures, plan.seed, 2_000);
    let mut changes = Vec::new();
    while world.now() < Time::default() + plan.faults_end && world.violations().is_empty() {
        world.run_for(MS * dice.between(10, 120) as u32);
        let members = dice.index(plan.validators) + 1;
        let nonce = changes.len() as u64;
        let members = u8::try_from(members).expect("few validators");
        changes.push(membership(world.chain_id(), signer.as_ref(), nonce, members));
        changes.iter().for_each(|change| world.offer(change));
    }
}

fn run<E: Engine>(plan: &Plan, lines: usize) -> (Report, Vec<String>) {
    let mut world = World::<E>::new(plan.clone(), lines);
    reconfigure(&mut world);
    let report = runner::run_in(&mut world, "membership");
    (report, world.trace().lines().map(str::to_owned).collect())
}

/// Runs seeds of `n` validators; panics with the trace of the first that goes wrong.
fn sweep<E: Engine>(n: usize, seeds: u64) {
    let (mut blocks, mut epochs, mut crashed, mut slowest) = (0, 0, 0, 0);
    let mut failed = Vec::new();
    let runs = seeds * soak::factor();
    for seed in soak::seeds(seeds) {
        let plan = swarm::crashes(seed, n);
        let (report, _) = run::<E>(&plan, 0);
        blocks += report.blocks_final;
        epochs += report.epochs;
        crashed += report.crashes;
        slowest = slowest.max(report.liveness.recovery_ms.unwrap_or_default());
        if !report.violations.is_empty() || !report.liveness.recovered {
            println!(
                "{} n = {n} seed {seed}: {:?} {:?}",
                E::NAME,
                report.violations,
                report.liveness.missing
            );
            failed.push(plan);
        }
    }
    println!(
        "{} n = {n}: {runs} runs, {blocks} blocks, {epochs} epochs, {crashed} crashes, slowest \
         recovery {slowest} ms",
        E::NAME
    );
    if let Some(plan) = failed.first() {
        let (report, lines) = run::<E>(plan, 200);
        for line in lines {
            println!("{}", line.chars().take(400).collect::<String>());
        }
        panic!("{} of {runs} seeds went wrong, the first: {plan:#?} {report:#?}", failed.len());
    }
    assert!(blocks > runs && crashed > runs && epochs > runs, "blocks, crashes and changes");
}

struct Sweeps;

impl Visitor for Sweeps {
    type Output = ();

    fn visit<E: Engine>(self) {
        if E::FAULT_MODEL == FaultModel::Crash {
            for (n, seeds) in [(2, 60), (3, 150), (4, 120), (5, 100), (7, 40)] {
                sweep::<E>(n, seeds);
            }
        }
    }
}

#[test]
fn crash_tolerant_engines_are_safe_while_members_change() {
    std::thread::scope(|scope| {
        for engine in EngineName::ALL {
            scope.spawn(|| engine.visit(Sweeps));
        }
    });
}
