//! Random worlds for Paxos, one per seed: crashes at any point between persist and release, loss,
//! delay, reordering, partitions and changes of the validator set, and nobody who lies. Safety must
//! hold throughout, and once faults end all nodes must agree on something new.
//!
//! `SIM_SEEDS` multiplies the number of seeds for a soak, `SIM_FIRST` says where they start.

use consensus::paxos::Paxos;
use consensus_sim::plan::Plan;
use consensus_sim::{runner, swarm};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}

/// A plan of the swarm in which nobody lies.
fn crashes(seed: u64, n: usize) -> Plan {
    Plan { byzantine: Vec::new(), twins: Vec::new(), ..swarm::plan(seed, n) }
}

/// Runs seeds of `n` validators; panics with the trace of the first that goes wrong.
fn sweep(n: usize, seeds: u64) {
    let (factor, first) = (number("SIM_SEEDS", 1), number("SIM_FIRST", 0));
    let (mut blocks, mut views, mut crashed, mut slowest) = (0, 0, 0, 0);
    let mut failed = Vec::new();
    let runs = seeds * factor;
    for seed in first..first + runs {
        let plan = crashes(seed, n);
        let report = runner::run::<Paxos>(&plan, "swarm");
        blocks += report.blocks_final;
        views += report.views;
        crashed += report.crashes;
        slowest = slowest.max(report.liveness.recovery_ms.unwrap_or_default());
        if !report.violations.is_empty() || !report.liveness.recovered {
            println!("seed {seed}, n = {n}: {:?} {:?}", report.violations, report.liveness.missing);
            failed.push(plan);
        }
    }
    println!(
        "n = {n}: {runs} runs, {blocks} blocks, {views} ballots that led, {crashed} crashes, \
         slowest recovery {slowest} ms"
    );
    if let Some(plan) = failed.first() {
        let (report, lines) = runner::explain::<Paxos>(plan, "swarm", 200);
        for line in lines {
            println!("{}", line.chars().take(600).collect::<String>());
        }
        panic!("{} of {runs} seeds went wrong, the first: {plan:#?} {report:#?}", failed.len());
    }
    assert!(blocks > runs && crashed > runs, "the worlds make blocks and crash");
}

#[test]
fn three_validators_are_safe_and_recover() {
    sweep(3, 300);
}

#[test]
fn four_validators_are_safe_and_recover() {
    sweep(4, 300);
}

#[test]
fn five_validators_are_safe_and_recover() {
    sweep(5, 300);
}
