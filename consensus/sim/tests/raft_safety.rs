//! Random worlds in which validators crash and links fail, and nobody lies: Raft's fault model.
//! Safety must hold throughout, and once faults end all nodes must agree on something new. In every
//! other world members leave and join meanwhile.
//!
//! `SIM_SEEDS` multiplies the number of seeds for a soak, `SIM_FIRST` says where they start.

use std::time::Duration;

use consensus::engine::Time;
use consensus::raft::Raft;
use consensus_sim::application::membership;
use consensus_sim::dice::{Dice, Purpose};
use consensus_sim::genesis::Genesis;
use consensus_sim::plan::Plan;
use consensus_sim::report::Report;
use consensus_sim::world::World;
use consensus_sim::{runner, swarm};

/// The key that asks for changes of members: none of the clients'.
const OPERATOR: usize = 2_000;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}

/// A plan of the swarm in which nobody lies.
fn plan(seed: u64, n: usize) -> Plan {
    Plan { byzantine: Vec::new(), twins: Vec::new(), ..swarm::plan(seed, n) }
}

/// Runs a plan, with members leaving and joining where `changes`.
fn run(plan: &Plan, changes: bool, lines: usize) -> (Report, Vec<String>) {
    let mut world = World::<Raft>::new(plan.clone(), lines);
    if changes {
        change_members(&mut world, plan);
    }
    let report = runner::run_in(&mut world, "swarm");
    (report, world.trace().lines().map(str::to_owned).collect())
}

/// Up to three changes, one after the other, while faults happen.
fn change_members(world: &mut World<Raft>, plan: &Plan) {
    let mut dice = Dice::new(plan.seed ^ 0x5eed, Purpose::Plan);
    let operator = Genesis::signer(plan.signatures, plan.seed, OPERATOR);
    for nonce in 0..3 {
        let members = dice.between(1, plan.validators as u64) as u8;
        let at = dice.duration(Duration::ZERO, plan.faults_end / 3);
        let end = world.now() + at;
        world.run_until(end.min(Time::default() + plan.faults_end), |_| false);
        world.offer(&membership(world.chain_id(), operator.as_ref(), nonce, members));
    }
}

fn sweep(n: usize, seeds: u64) {
    let (factor, first) = (number("SIM_SEEDS", 1), number("SIM_FIRST", 0));
    let mut totals = [0_u64; 6];
    let mut failed = Vec::new();
    for seed in first..first + seeds * factor {
        let (plan, changes) = (plan(seed, n), seed % 2 == 1);
        let (report, _) = run(&plan, changes, 0);
        let counts =
            [1, report.blocks_final, report.views, report.epochs, report.crashes, report.messages];
        totals.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
        if !report.violations.is_empty() || !report.liveness.recovered {
            println!("seed {seed}, n = {n}: {:?} {:?}", report.violations, report.liveness.missing);
            failed.push((plan, changes));
        }
    }
    let [runs, blocks, terms, epochs, crashes, messages] = totals;
    println!(
        "n = {n}: {runs} runs, every other one with changes of members, {blocks} blocks, {terms} \
         terms, {epochs} epochs, {crashes} crashes, {messages} messages"
    );
    if let Some((plan, changes)) = failed.first() {
        let (report, lines) = run(plan, *changes, 200);
        for line in lines {
            println!("{line}");
        }
        panic!("{} of {runs} seeds went wrong, the first: {plan:#?} {report:#?}", failed.len());
    }
    assert!(blocks > runs && crashes > runs / 2 && epochs > runs / 4, "the worlds are busy");
}

#[test]
fn three_validators_are_safe_and_recover() {
    sweep(3, 400);
}

#[test]
fn four_validators_are_safe_and_recover() {
    sweep(4, 300);
}

#[test]
fn five_validators_are_safe_and_recover() {
    sweep(5, 300);
}
