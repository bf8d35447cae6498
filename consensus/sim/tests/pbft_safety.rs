//! PBFT in random worlds, one per seed: crashes at any point between persist and release, loss,
//! delay, reordering, partitions and at most one Byzantine validator, twins included. Safety must
//! hold throughout, and once faults end all correct nodes must agree on something new.
//!
//! `SIM_SEEDS` multiplies the number of seeds for a soak, `SIM_FIRST` says where they start.

use std::collections::BTreeMap;

use consensus::pbft::Pbft;
use consensus_sim::{runner, scenarios, swarm};

type Engine = Pbft;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}

/// Runs seeds of `n` validators; panics with the trace of the first that goes wrong.
fn sweep(n: usize, seeds: u64) {
    let (factor, first) = (number("SIM_SEEDS", 1), number("SIM_FIRST", 0));
    let (mut blocks, mut views, mut crashes, mut epochs, mut slowest) = (0, 0, 0, 0, 0);
    let mut behaviours: BTreeMap<String, u64> = BTreeMap::new();
    let mut failed = Vec::new();
    for seed in first..first + seeds * factor {
        let plan = swarm::plan(seed, n);
        let report = runner::run::<Engine>(&plan, "swarm");
        blocks += report.blocks_final;
        views += report.views;
        crashes += report.crashes;
        epochs += report.epochs;
        slowest = slowest.max(report.liveness.recovery_ms.unwrap_or_default());
        let liars = plan.byzantine.iter().map(|(_, kind)| format!("{kind:?}"));
        for behaviour in liars.chain(plan.twins.iter().map(|_| "Twins".to_owned())) {
            *behaviours.entry(behaviour).or_default() += 1;
        }
        if !report.violations.is_empty() || !report.liveness.recovered {
            println!("seed {seed}, n = {n}: {:?} {:?}", report.violations, report.liveness.missing);
            failed.push(plan);
        }
    }
    let runs = seeds * factor;
    println!(
        "n = {n}: {runs} runs, Byzantine validators {behaviours:?}, {blocks} blocks, {views} view \
         changes, {epochs} epochs, {crashes} crashes, slowest recovery {slowest} ms"
    );
    if let Some(plan) = failed.first() {
        let (report, lines) = runner::explain::<Engine>(plan, "swarm", 200);
        for line in lines {
            println!("{}", line.chars().take(400).collect::<String>());
        }
        panic!("{} of {runs} seeds went wrong, the first: {plan:#?} {report:#?}", failed.len());
    }
    assert!(blocks > runs, "the worlds make blocks");
    assert!(crashes > runs, "the worlds crash");
}

#[test]
fn four_replicas_are_safe_and_recover() {
    sweep(4, 600);
}

#[test]
fn five_replicas_are_safe_and_recover() {
    sweep(5, 200);
}

#[test]
fn seven_replicas_are_safe_and_recover() {
    sweep(7, 100);
}

#[test]
fn every_scenario_is_safe_and_recovers() {
    let mut runs = 0;
    for scenario in scenarios::ALL {
        for n in [4, 7] {
            let report = runner::run::<Engine>(&scenario.plan(1, n), scenario.name);
            assert_eq!(report.violations, Vec::new(), "{} n={n}", scenario.name);
            assert!(report.liveness.recovered, "{} n={n}: {report:#?}", scenario.name);
            runs += 1;
        }
    }
    println!("{runs} runs of {} scenarios", scenarios::ALL.len());
}

#[test]
fn the_same_seed_gives_the_same_trace_hash_twice() {
    for seed in 0..10 {
        let hash = || runner::run::<Engine>(&swarm::plan(seed, 4), "swarm").trace_hash;
        assert_eq!(hash(), hash(), "seed {seed}");
    }
    println!("20 runs, each seed with one hash");
}
