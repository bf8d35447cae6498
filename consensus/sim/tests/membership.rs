//! Random worlds in which the validator set changes twenty times in a row on every engine: somebody
//! joins, leaves, has a new key, is jailed or pardoned, from any seat, while links and disks fail and
//! nodes are killed, some of them in the middle of a change. On the engines that stand it one of the
//! nodes lies. Once on the hash chain, where a change is an order of the application, and once on the
//! production ledger, where the validators govern: proposals, approvals, the word of who joins.
//!
//! `SIM_SEEDS` multiplies the number of seeds for a soak, `SIM_FIRST` says where they start.

use std::collections::BTreeMap;
use std::time::Duration;

use consensus::engine::Engine;
use consensus::hybrid::Hybrid;
use consensus::pbft::Pbft;
use consensus::registry::{EngineName, Visitor};
use consensus_sim::application::Workload;
use consensus_sim::membership::{CHANGES, churn, plan};
use consensus_sim::plan::{Fault, Load, Plan, Who};
use consensus_sim::report::Report;
use consensus_sim::signatures::SignatureRule;
use consensus_sim::world::{Tally, World};
use consensus_sim::{runner, scenarios, soak};

const MS: Duration = Duration::from_millis(1);

/// A run, and what was done to its world beside its plan.
struct Ran {
    report: Report,
    changes: u64,
    kills: u64,
    governance: Tally,
    lines: Vec<String>,
}

fn run<E: Engine>(plan: &Plan, lines: usize) -> Ran {
    let mut world = World::<E>::new(plan.clone(), lines);
    let kills = churn(&mut world);
    let report = runner::run_in(&mut world, "membership");
    let (changes, governance) = (world.changes(), world.governance().clone());
    Ran {
        report,
        changes,
        kills,
        governance,
        lines: world.trace().lines().map(str::to_owned).collect(),
    }
}

/// What came of many runs.
#[derive(Debug, Default)]
struct Sum {
    runs: u64,
    /// With Ed25519 instead of the cheap signatures.
    real: u64,
    changes: u64,
    epochs: u64,
    kills: u64,
    crashes: u64,
    blocks: u64,
    slowest_ms: u64,
    governance: Tally,
}

impl Sum {
    fn add(&mut self, plan: &Plan, ran: &Ran) {
        let Ran { report, changes, kills, governance, .. } = ran;
        self.runs += 1;
        self.real += u64::from(plan.signatures == SignatureRule::Ed25519);
        self.changes += changes;
        self.epochs += report.epochs;
        self.kills += kills;
        self.crashes += report.crashes;
        self.blocks += report.blocks_final;
        let recovery_ms = report.liveness.recovery_ms.unwrap_or_default();
        self.slowest_ms = self.slowest_ms.max(recovery_ms);
        self.governance.proposed += governance.proposed;
        self.governance.abandoned += governance.abandoned;
        self.governance.attempts += governance.attempts;
        for (refusal, count) in &governance.refused {
            *self.governance.refused.entry(refusal.clone()).or_default() += count;
        }
    }

    fn print(&self, engine: &str, workload: Workload, n: usize) {
        let Self { runs, real, changes, epochs, kills, crashes, blocks, slowest_ms, governance } =
            self;
        println!(
            "{engine} {workload:?} n = {n}: {runs} runs ({real} Ed25519), {changes} changes, \
             {epochs} epochs, {kills} killed in the middle, {crashes} crashes in all, {blocks} \
             blocks, slowest recovery {slowest_ms} ms"
        );
        if workload == Workload::Ledger {
            let Tally { proposed, abandoned, attempts, refused, .. } = governance;
            println!(
                "    {proposed} proposals, {abandoned} given up, {attempts} forbidden \
                 transactions, refused {}",
                refused.iter().map(|(why, n)| format!("{why} {n}")).collect::<Vec<_>>().join(", ")
            );
        }
    }
}

/// Runs seeds of `n` validators; panics with the trace of the first that goes wrong.
fn sweep<E: Engine>(workload: Workload, n: usize, seeds: u64) {
    let (mut sum, mut failed) = (Sum::default(), Vec::new());
    for seed in soak::seeds(seeds) {
        let plan = plan(E::FAULT_MODEL, workload, seed, n);
        let ran = run::<E>(&plan, 0);
        sum.add(&plan, &ran);
        let Ran { report, changes, governance, .. } = ran;
        let good = report.violations.is_empty()
            && report.lost_transactions == 0
            && report.liveness.recovered
            && changes == CHANGES;
        if !good {
            println!(
                "{} {workload:?} n = {n} seed {seed}: {changes} changes, {:?} {:?} {governance:?}",
                E::NAME,
                report.violations,
                report.liveness.missing
            );
            failed.push(plan);
        }
    }
    sum.print(E::NAME, workload, n);
    if let Some(plan) = failed.first() {
        let Ran { report, lines, .. } = run::<E>(plan, 200);
        for line in lines {
            println!("{}", line.chars().take(400).collect::<String>());
        }
        panic!("{} of {} went wrong, the first: {plan:#?} {report:#?}", failed.len(), sum.runs);
    }
    let Sum { runs, changes, epochs, kills, crashes, blocks, .. } = sum;
    // A change in the middle of an accusation may do nothing; nearly all do something.
    assert!(epochs >= changes * 9 / 10, "{epochs} epochs of {changes} changes");
    assert!(blocks > epochs && crashes > runs && kills > runs, "blocks, crashes and kills");
}

struct Sweeps(Workload);

impl Visitor for Sweeps {
    type Output = ();

    fn visit<E: Engine>(self) {
        let seeds: BTreeMap<usize, u64> = match self.0 {
            Workload::HashChain => BTreeMap::from([(1, 6), (2, 6), (3, 8), (4, 12), (5, 8)]),
            Workload::Ledger => BTreeMap::from([(1, 1), (2, 1), (3, 2), (4, 4), (5, 2)]),
        };
        for (n, seeds) in seeds {
            sweep::<E>(self.0, n, seeds);
        }
    }
}

/// How many of the last 64 final blocks carry a certificate with the signature of each of `n`
/// validators, the last of which is always a little later than the others.
fn participation<E: Engine>(n: usize) -> Vec<usize> {
    let load = Load { transactions: 100, interval: MS * 5, ..Load::default() };
    let plan = Plan { load, ..scenarios::calm(1, n) };
    let mut world = World::<E>::new(plan, 0);
    world.strike(Fault::Lag { who: Who::Node(n - 1), extra: MS });
    world.run_for(MS * 600);
    let blocks = world.node(0).disk().final_blocks();
    assert!(blocks.len() > 64, "{} blocks", blocks.len());
    let mut shown = vec![0; n];
    for block in blocks.iter().rev().take(64) {
        let certificate = block.justification.certificate.as_ref().expect("not the first block");
        certificate.signatures.signers().for_each(|signer| shown[signer.as_usize()] += 1);
    }
    shown
}

/// Whoever votes shows up on the chain, though a quorum of others is always quicker.
#[test]
fn the_chain_shows_who_takes_part() {
    for n in [4, 7] {
        let (hybrid, pbft) = (participation::<Hybrid>(n), participation::<Pbft>(n));
        println!("n = {n}: certificates of 64 blocks by signer: hybrid {hybrid:?}, pbft {pbft:?}");
        assert!(hybrid.iter().chain(&pbft).all(|shown| *shown >= 8), "n = {n}");
    }
}

fn every_engine(workload: Workload) {
    std::thread::scope(|scope| {
        for engine in EngineName::ALL {
            scope.spawn(move || engine.visit(Sweeps(workload)));
        }
    });
}

#[test]
fn every_engine_is_safe_and_goes_on_while_members_change() {
    every_engine(Workload::HashChain);
}

#[test]
fn every_engine_is_safe_and_goes_on_while_validators_govern() {
    every_engine(Workload::Ledger);
}
