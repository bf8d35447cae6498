//! Random worlds in which the validator set changes twenty times in a row on every engine: somebody
//! joins, leaves, has a new key, is jailed or pardoned, from any seat, while links and disks fail and
//! nodes are killed, some of them right after a change was asked for. On the engines that stand it
//! one of the nodes lies.
//!
//! `SIM_SEEDS` multiplies the number of seeds for a soak, `SIM_FIRST` says where they start.

use std::time::Duration;

use consensus::engine::{Engine, FaultModel, Time};
use consensus::hybrid::Hybrid;
use consensus::pbft::Pbft;
use consensus::registry::{EngineName, Visitor};
use consensus_sim::application::Workload;
use consensus_sim::dice::{Dice, Purpose};
use consensus_sim::network::Link;
use consensus_sim::plan::{Fault, Load, Plan, Recovery, Who};
use consensus_sim::report::Report;
use consensus_sim::world::World;
use consensus_sim::{runner, scenarios, soak, swarm};

const MS: Duration = Duration::from_millis(1);
/// Changes in every world.
const CHANGES: u64 = 20;
/// Nodes that may join.
const JOINERS: usize = 3;
/// After so long all changes must be final, and everybody must agree.
const PATIENCE: Duration = Duration::from_secs(60);

/// The faults of the seed among all nodes, those that join included, of which at most as many lie as
/// `n` validators stand. Nothing is lost for good but what a liar loses.
fn plan(model: FaultModel, seed: u64, n: usize) -> Plan {
    let mut plan = swarm::plan_for(model, seed, n + JOINERS);
    plan.faults.retain(|timed| {
        !matches!(
            timed.fault,
            Fault::Corruption { .. } | Fault::Members { .. } | Fault::DiskLoss { .. }
        )
    });
    let tolerated = (n - 1) / 3;
    plan.byzantine.truncate(tolerated);
    Plan {
        validators: n,
        joiners: JOINERS,
        max_faulty: tolerated as u16,
        twins: Vec::new(),
        workload: Workload::HashChain,
        recovery: Recovery::Healed,
        recovery_bound: PATIENCE,
        ..plan
    }
}

/// What was done to a world beside its plan.
#[derive(Default)]
struct Done {
    changes: u64,
    kills: u64,
}

/// Asks for change after change, and kills somebody in the middle of some; gives up after a while.
fn churn<E: Engine>(world: &mut World<E>) -> Done {
    let plan = world.plan().clone();
    let mut dice = Dice::new(plan.seed ^ 0x5e7, Purpose::Plan);
    let (end, mut done, mut healed) = (Time::default() + PATIENCE, Done::default(), false);
    while done.changes < CHANGES && world.now() < end && world.violations().is_empty() {
        world.run_for(MS * dice.between(5, 40) as u32);
        if !healed && world.now() >= Time::default() + plan.faults_end {
            healed = true;
            world.heal(Link::exact(MS));
        }
        if !world.change() {
            continue;
        }
        done.changes += 1;
        if dice.below(3) == 0 {
            done.kills += 1;
            let node = dice.index(plan.nodes());
            let who = if dice.below(2) == 0 { Who::Leader } else { Who::Node(node) };
            let restart_after = Some(MS * *dice.pick(&[1, 20, 150]));
            world.run_for(MS * dice.between(0, 8) as u32);
            world.strike(Fault::Crash { who, restart_after });
        }
    }
    done
}

fn run<E: Engine>(plan: &Plan, lines: usize) -> (Report, Done, Vec<String>) {
    let mut world = World::<E>::new(plan.clone(), lines);
    let done = churn(&mut world);
    let report = runner::run_in(&mut world, "membership");
    (report, done, world.trace().lines().map(str::to_owned).collect())
}

/// Runs seeds of `n` validators; panics with the trace of the first that goes wrong.
fn sweep<E: Engine>(n: usize, seeds: u64) {
    let (mut blocks, mut epochs, mut asked, mut kills, mut crashed, mut slowest) =
        (0, 0, 0, 0, 0, 0);
    let mut failed = Vec::new();
    let runs = seeds * soak::factor();
    for seed in soak::seeds(seeds) {
        let plan = plan(E::FAULT_MODEL, seed, n);
        let (report, done, _) = run::<E>(&plan, 0);
        blocks += report.blocks_final;
        epochs += report.epochs;
        asked += done.changes;
        kills += done.kills;
        crashed += report.crashes;
        slowest = slowest.max(report.liveness.recovery_ms.unwrap_or_default());
        let good = report.violations.is_empty()
            && report.lost_transactions == 0
            && report.liveness.recovered
            && done.changes == CHANGES;
        if !good {
            println!(
                "{} n = {n} seed {seed}: {} changes, {:?} {:?}",
                E::NAME,
                done.changes,
                report.violations,
                report.liveness.missing
            );
            failed.push(plan);
        }
    }
    println!(
        "{} n = {n}: {runs} runs, {asked} changes asked for, {epochs} epochs, {kills} killed in the \
         middle, {crashed} crashes in all, {blocks} blocks, slowest recovery {slowest} ms",
        E::NAME
    );
    if let Some(plan) = failed.first() {
        let (report, _, lines) = run::<E>(plan, 200);
        for line in lines {
            println!("{}", line.chars().take(400).collect::<String>());
        }
        panic!("{} of {runs} seeds went wrong, the first: {plan:#?} {report:#?}", failed.len());
    }
    // A change in the middle of an accusation may do nothing; nearly all do something.
    assert!(epochs >= asked * 9 / 10, "{epochs} epochs of {asked} changes");
    assert!(blocks > epochs && crashed > runs && kills > runs, "blocks, crashes and kills");
}

struct Sweeps;

impl Visitor for Sweeps {
    type Output = ();

    fn visit<E: Engine>(self) {
        for (n, seeds) in [(1, 6), (2, 6), (3, 8), (4, 12), (5, 8)] {
            sweep::<E>(n, seeds);
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

#[test]
fn every_engine_is_safe_and_goes_on_while_members_change() {
    std::thread::scope(|scope| {
        for engine in EngineName::ALL {
            scope.spawn(|| engine.visit(Sweeps));
        }
    });
}
