//! Random worlds for every engine, one per seed: crashes at any point between persist and release,
//! broken disks, loss, delay, reordering, partitions, changes of the validator set, and as many
//! liars as the engine tolerates. Safety must hold throughout, and once faults end all nodes that
//! are whole must agree on something new.
//!
//! `SIM_SEEDS` multiplies the number of seeds for a soak, `SIM_FIRST` says where they start.

use std::collections::BTreeMap;
use std::time::Instant;

use consensus::engine::{Engine, FaultModel};
use consensus::policy::Policy;
use consensus::registry::{EngineName, Visitor};
use consensus_sim::application::Workload;
use consensus_sim::plan::Plan;
use consensus_sim::report::Report;
use consensus_sim::signatures::SignatureRule;
use consensus_sim::{runner, soak, swarm};

#[derive(Default)]
struct Totals {
    runs: u64,
    blocks: u64,
    views: u64,
    epochs: u64,
    crashes: u64,
    messages: u64,
    ledger: u64,
    ed25519: u64,
    byzantine: u64,
    simulated_ms: u64,
    recovery_max_ms: u64,
    behaviours: BTreeMap<String, u64>,
}

impl Totals {
    fn add(&mut self, plan: &Plan, report: &Report) {
        self.runs += 1;
        self.blocks += report.blocks_final;
        self.views += report.views;
        self.epochs += report.epochs;
        self.crashes += report.crashes;
        self.messages += report.messages;
        self.ledger += u64::from(plan.workload != Workload::HashChain);
        self.ed25519 += u64::from(plan.signatures == SignatureRule::Ed25519);
        self.byzantine += u64::from(!plan.byzantine.is_empty() || !plan.twins.is_empty());
        self.simulated_ms += report.simulated_ms;
        self.recovery_max_ms =
            self.recovery_max_ms.max(report.liveness.recovery_ms.unwrap_or_default());
        for (_, kind) in &plan.byzantine {
            *self.behaviours.entry(format!("{kind:?}")).or_default() += 1;
        }
        if !plan.twins.is_empty() {
            *self.behaviours.entry("Twins".to_owned()).or_default() += 1;
        }
    }
}

/// Runs seeds of `n` validators; panics with the trace of the first that goes wrong.
fn sweep<E: Engine>(n: usize, seeds: u64, policy: Policy) {
    let started = Instant::now();
    let mut totals = Totals::default();
    let mut failed = Vec::new();
    for seed in soak::seeds(seeds) {
        let mut plan = swarm::plan_for(E::FAULT_MODEL, seed, n);
        plan.options.policy = policy;
        let report = runner::run::<E>(&plan, "swarm");
        totals.add(&plan, &report);
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
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} n = {n} {policy}: {} runs ({} with the production ledger, {} with Ed25519, {} with a Byzantine \
         validator: {:?}), {} blocks, {} views, {} epochs, {} crashes, {} messages, slowest \
         recovery {} ms, {:.0} simulated seconds in {seconds:.1} s",
        E::NAME,
        totals.runs,
        totals.ledger,
        totals.ed25519,
        totals.byzantine,
        totals.behaviours,
        totals.blocks,
        totals.views,
        totals.epochs,
        totals.crashes,
        totals.messages,
        totals.recovery_max_ms,
        totals.simulated_ms as f64 / 1e3,
    );
    if let Some(plan) = failed.first() {
        let (report, lines) = runner::explain::<E>(plan, "swarm", 200);
        for line in lines {
            println!("{}", line.chars().take(400).collect::<String>());
        }
        panic!(
            "{} of {} seeds went wrong, the first: {plan:#?} {report:#?}",
            failed.len(),
            totals.runs
        );
    }
    assert!(totals.blocks > totals.runs, "the worlds make blocks");
    assert!(totals.crashes > totals.runs, "the worlds crash");
    assert!(totals.epochs > 0 || n == 3, "the validator set changes");
}

struct Sweeps;

impl Visitor for Sweeps {
    type Output = ();

    fn visit<E: Engine>(self) {
        let sizes = match E::FAULT_MODEL {
            FaultModel::Crash => [(3, 300), (4, 200), (5, 100)],
            FaultModel::Byzantine => [(4, 400), (5, 120), (7, 80)],
        };
        for (n, seeds) in sizes {
            sweep::<E>(n, seeds, Policy::Adaptive);
        }
        // Safety reads no mode, so none of them can break it.
        if E::SWITCHES_MODES {
            sweep::<E>(4, 100, Policy::StaticFast);
            sweep::<E>(4, 100, Policy::StaticPbft);
        }
    }
}

#[test]
fn every_engine_is_safe_and_recovers() {
    std::thread::scope(|scope| {
        for engine in EngineName::ALL {
            scope.spawn(|| engine.visit(Sweeps));
        }
    });
}
