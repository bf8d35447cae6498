//! Random worlds for Paxos, one per seed: crashes at any point between persist and release, loss,
//! delay, reordering, partitions and changes of the validator set, and nobody who lies. Safety must
//! hold throughout, and once faults end all nodes must agree on something new.
//!
//! `SIM_SEEDS` multiplies the number of seeds for a soak, `SIM_FIRST` says where they start.

use std::time::Duration;

use consensus::engine::Time;
use consensus::paxos::Paxos;
use consensus_sim::application::membership;
use consensus_sim::dice::{Dice, Purpose};
use consensus_sim::genesis::Genesis;
use consensus_sim::plan::Plan;
use consensus_sim::report::Report;
use consensus_sim::world::World;
use consensus_sim::{runner, swarm};

const MS: Duration = Duration::from_millis(1);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}

/// A plan of the swarm in which nobody lies.
fn crashes(seed: u64, n: usize) -> Plan {
    Plan { byzantine: Vec::new(), twins: Vec::new(), ..swarm::plan(seed, n) }
}

/// Changes the validator set every so often while faults happen, up and down from one to all.
fn reconfigure(world: &mut World<Paxos>) {
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

fn run(plan: &Plan, changes: bool, lines: usize) -> (Report, Vec<String>) {
    let mut world = World::<Paxos>::new(plan.clone(), lines);
    if changes {
        reconfigure(&mut world);
    }
    let report = runner::run_in(&mut world, "swarm");
    (report, world.trace().lines().map(str::to_owned).collect())
}

/// Runs seeds of `n` validators; panics with the trace of the first that goes wrong.
fn sweep(n: usize, seeds: u64, changes: bool) {
    let (factor, first) = (number("SIM_SEEDS", 1), number("SIM_FIRST", 0));
    let (mut blocks, mut views, mut epochs, mut crashed, mut slowest) = (0, 0, 0, 0, 0);
    let mut failed = Vec::new();
    let runs = seeds * factor;
    for seed in first..first + runs {
        let plan = crashes(seed, n);
        let (report, _) = run(&plan, changes, 0);
        blocks += report.blocks_final;
        views += report.views;
        epochs += report.epochs;
        crashed += report.crashes;
        slowest = slowest.max(report.liveness.recovery_ms.unwrap_or_default());
        if !report.violations.is_empty() || !report.liveness.recovered {
            println!("seed {seed}, n = {n}: {:?} {:?}", report.violations, report.liveness.missing);
            failed.push(plan);
        }
    }
    println!(
        "n = {n}: {runs} runs, {blocks} blocks, {views} ballots that led, {epochs} epochs, \
         {crashed} crashes, slowest recovery {slowest} ms"
    );
    if let Some(plan) = failed.first() {
        let (report, lines) = run(plan, changes, 200);
        for line in lines {
            println!("{}", line.chars().take(600).collect::<String>());
        }
        panic!("{} of {runs} seeds went wrong, the first: {plan:#?} {report:#?}", failed.len());
    }
    assert!(blocks > runs && crashed > runs, "the worlds make blocks and crash");
    assert!(epochs > runs || !changes, "the validator set changes");
}

#[test]
fn three_validators_are_safe_and_recover() {
    sweep(3, 300, false);
}

#[test]
fn four_validators_are_safe_and_recover() {
    sweep(4, 300, false);
}

#[test]
fn five_validators_are_safe_and_recover() {
    sweep(5, 300, false);
}

#[test]
fn three_validators_are_safe_while_the_set_changes() {
    sweep(3, 200, true);
}

#[test]
fn four_validators_are_safe_while_the_set_changes() {
    sweep(4, 200, true);
}

#[test]
fn five_validators_are_safe_while_the_set_changes() {
    sweep(5, 200, true);
}
