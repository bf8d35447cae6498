//! Twins, for every engine that tolerates liars: all cases of two rounds for four validators, and a
//! sample of those of three, from the first view, after a view change and before the mode changes
//! back.
//!
//! `SIM_SEEDS` multiplies the sample; 64 is all there are.

use std::collections::BTreeMap;
use std::time::Instant;

use consensus::engine::Engine;
use consensus::hybrid::Hybrid;
use consensus::pbft::Pbft;
use consensus_sim::soak;
use consensus_sim::twins::{self, Case, Start};

/// Cases of three rounds, per start.
const SAMPLE: u64 = 256;

#[derive(Default)]
struct Totals {
    cases: u64,
    views: usize,
    blocks: u64,
    caught: u64,
    mode_changes: usize,
    starts: BTreeMap<String, u64>,
}

fn run<E: Engine>(cases: &[Case], totals: &mut Totals) {
    for case in cases {
        let outcome = twins::run::<E>(case);
        assert!(outcome.is_good(), "{}: {case:?} {outcome:#?}", E::NAME);
        totals.cases += 1;
        totals.views += outcome.views;
        totals.blocks += outcome.blocks;
        totals.caught += u64::from(outcome.evidence > 0);
        totals.mode_changes += outcome.mode_changes;
        let mode = outcome.mode.map_or("none".to_owned(), |mode| mode.to_string());
        *totals.starts.entry(mode).or_default() += 1;
    }
}

fn report(name: &str, what: &str, totals: &Totals, started: Instant) {
    println!(
        "{name}, {what}: {} cases, all safe and live; they began in {:?}; {} blocks, {} views, {} \
         changes of mode, twins caught in {}; {:.1} s",
        totals.cases,
        totals.starts,
        totals.blocks,
        totals.views,
        totals.mode_changes,
        totals.caught,
        started.elapsed().as_secs_f64(),
    );
}

/// Every case of two rounds.
fn two_rounds<E: Engine>() -> Totals {
    let (started, mut totals) = (Instant::now(), Totals::default());
    for start in Start::ALL {
        let all = twins::count(4, 2);
        let cases: Vec<Case> = (0..all).map(|number| twins::case(4, 2, start, number)).collect();
        run::<E>(&cases, &mut totals);
    }
    report(E::NAME, "two rounds", &totals, started);
    totals
}

/// A sample of three rounds.
fn three_rounds<E: Engine>() -> Totals {
    let (started, mut totals) = (Instant::now(), Totals::default());
    for start in Start::ALL {
        run::<E>(&twins::sample(4, 3, start, SAMPLE * soak::factor(), 7), &mut totals);
    }
    let share = format!("three rounds, sampled from {} per start", twins::count(4, 3));
    report(E::NAME, &share, &totals, started);
    totals
}

#[test]
fn hybrid_survives_every_twin_of_two_rounds() {
    let totals = two_rounds::<Hybrid>();
    assert_eq!(totals.cases, 3 * 1024);
    assert!(totals.caught > 0, "some twins contradict themselves");
    assert!(totals.mode_changes > 0, "the mode changes in some");
    assert!(totals.starts["fast"] >= 1024 && totals.starts["pbft"] >= 1024, "{:?}", totals.starts);
}

#[test]
fn hybrid_survives_twins_of_three_rounds() {
    assert!(three_rounds::<Hybrid>().cases >= 3 * SAMPLE);
}

#[test]
fn pbft_survives_every_twin_of_two_rounds() {
    let totals = two_rounds::<Pbft>();
    assert_eq!(totals.cases, 3 * 1024);
    assert!(totals.caught > 0, "some twins contradict themselves");
}

#[test]
fn pbft_survives_twins_of_three_rounds() {
    assert!(three_rounds::<Pbft>().cases >= 3 * SAMPLE);
}
