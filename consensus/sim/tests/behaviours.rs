//! Every way to lie, in random worlds: with at most `max_faulty` validators that do it, whatever
//! the weather and the crashes of the others, every engine that tolerates liars stays safe and comes
//! back.
//!
//! `SIM_SEEDS` multiplies the number of seeds for a soak, `SIM_FIRST` says where they start.

use std::time::{Duration, Instant};

use consensus::engine::Engine;
use consensus::hybrid::Hybrid;
use consensus::pbft::Pbft;
use consensus_sim::byzantine::BehaviourKind;
use consensus_sim::model::table::markdown;
use consensus_sim::plan::{Fault, Plan, Timed, Who};
use consensus_sim::{runner, soak, swarm};

/// The random plan of a seed, with one liar or as many as may be. Nobody else is wrong for good: the
/// liars are all that the validator set tolerates.
fn plan(kind: BehaviourKind, seed: u64, n: usize) -> Plan {
    let mut plan = swarm::plan(seed, n);
    if plan.max_faulty == 0 {
        // Four of whom one may leave tolerate no liar: nobody leaves.
        plan.max_faulty = 1;
        plan.faults.retain(|timed| !matches!(timed.fault, Fault::Members { .. }));
    }
    plan.faults
        .retain(|timed| !matches!(timed.fault, Fault::Corruption { .. } | Fault::DiskLoss { .. }));
    let first = seed as usize % n;
    let liars = 1 + seed as usize / n % usize::from(plan.max_faulty);
    plan.twins.clear();
    plan.byzantine = (0..liars).map(|liar| ((first + liar) % n, kind)).collect();
    if kind == BehaviourKind::Amnesia {
        // Nothing to forget without a crash.
        for turn in 1..8 {
            let who = Who::Node(first);
            let restart_after = Some(Duration::from_millis(20));
            let at = plan.faults_end * turn / 8;
            plan.faults.push(Timed { at, fault: Fault::Crash { who, restart_after } });
        }
    }
    plan
}

fn sweep<E: Engine>(n: usize, seeds: u64) {
    let runs = seeds * soak::factor();
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for kind in BehaviourKind::ALL {
        let started = Instant::now();
        let (mut blocks, mut views, mut refused, mut evidence, mut slowest) = (0, 0, 0, 0, 0);
        for seed in soak::seeds(seeds) {
            let plan = plan(*kind, seed, n);
            let report = runner::run::<E>(&plan, "behaviour");
            blocks += report.blocks_final;
            views += report.views;
            refused += report.blocks_refused + report.refused.values().sum::<u64>();
            evidence += report.evidence_found;
            slowest = slowest.max(report.liveness.recovery_ms.unwrap_or_default());
            if !report.violations.is_empty() || !report.liveness.recovered {
                let missing = &report.liveness.missing;
                println!(
                    "{} {kind:?}, seed {seed}, n = {n}: {:?} {missing:?}",
                    E::NAME,
                    report.violations
                );
                failed.push((*kind, seed));
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        rows.push(vec![
            format!("{kind:?}"),
            runs.to_string(),
            blocks.to_string(),
            views.to_string(),
            refused.to_string(),
            evidence.to_string(),
            slowest.to_string(),
            format!("{seconds:.1}"),
        ]);
    }
    let head = [
        "behaviour",
        "seeds",
        "blocks",
        "views",
        "refused",
        "evidence",
        "slowest recovery (ms)",
        "s",
    ];
    let cases = runs * BehaviourKind::ALL.len() as u64;
    println!("{}, n = {n}, {cases} cases\n{}", E::NAME, markdown(&head, &rows));
    assert!(failed.is_empty(), "{}, n = {n}: {failed:?} went wrong", E::NAME);
}

#[test]
fn hybrid_survives_every_behaviour_of_one_in_four() {
    sweep::<Hybrid>(4, 10);
}

#[test]
fn hybrid_survives_every_behaviour_of_one_or_two_in_seven() {
    sweep::<Hybrid>(7, 8);
}

#[test]
fn pbft_survives_every_behaviour_of_one_in_four() {
    sweep::<Pbft>(4, 10);
}

#[test]
fn pbft_survives_every_behaviour_of_one_or_two_in_seven() {
    sweep::<Pbft>(7, 8);
}

#[test]
fn every_behaviour_is_in_the_documentation() {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    let path = std::path::Path::new(&root).join("../../docs/simulator-behaviours.md");
    let text = std::fs::read_to_string(path).expect("the documentation is there");
    for kind in BehaviourKind::ALL {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{}` ", name(*kind))));
        let row = row.unwrap_or_else(|| panic!("{kind:?} is missing"));
        assert!(row.contains(kind.about()), "{row}: {}", kind.about());
    }
}

/// `EquivocateEach` as it stands in a plan: `equivocate_each`.
fn name(kind: BehaviourKind) -> String {
    let mut name = String::new();
    for letter in format!("{kind:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}
