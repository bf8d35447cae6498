//! Are the invariants of the random worlds worth anything? Here bugs are planted around the
//! production engine: in what it writes, in what the disk gives back, in the order of the driver.
//! Random crashes must show every one of them within so many seeds.
//!
//! `-- --nocapture` shows after how many seeds each is caught, and by which property.

mod engine;

use std::rc::Rc;

use consensus::engine::Engine;
use consensus::hybrid::{Hybrid, Safety};
use consensus_sim::model::table::markdown;
use consensus_sim::plan::Plan;
use consensus_sim::world::World;
use consensus_sim::{runner, swarm};
use engine::{
    Bug, LosesBlocks, NeverPersists, None as NoBug, Planted, ProposesFirst, ReleasesFirst,
};

/// Seeds within which a bug must show.
const SEEDS: u64 = 100;
/// Seeds in which the engine without a bug must show nothing.
const CONTROL: u64 = 40;

/// A plan of the swarm in which nobody lies: whatever goes wrong is the bug's doing.
fn crashes(seed: u64) -> Plan {
    Plan { byzantine: Vec::new(), twins: Vec::new(), ..swarm::plan(seed, 4) }
}

/// How many seeds it takes, and the property that does not hold.
fn hunt(seeds: u64, run: impl Fn(Plan) -> Option<String>) -> (u64, Option<String>) {
    for seed in 0..seeds {
        if let Some(property) = run(crashes(seed)) {
            return (seed + 1, Some(property));
        }
    }
    (seeds, None)
}

fn broken<E: Engine>(world: &mut World<E>) -> Option<String> {
    let report = runner::run_in(world, "planted");
    match report.violations.first() {
        Some(violation) => Some(violation.property.clone()),
        None => (!report.liveness.recovered).then(|| "recovery".to_owned()),
    }
}

fn with_bug<B: Bug>(plan: Plan) -> Option<String> {
    broken(&mut World::<Planted<B>>::new(plan, 0))
}

fn with_tamper(tamper: fn(&mut Safety), plan: Plan) -> Option<String> {
    let mut world = World::<Hybrid>::new(plan, 0);
    for node in world.nodes() {
        node.disk().set_tamper(Rc::new(tamper));
    }
    broken(&mut world)
}

fn report(rows: &[(&str, u64, Option<String>)]) {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|(name, cases, found)| {
            let found = found.clone().unwrap_or_else(|| "nothing".to_owned());
            vec![(*name).to_owned(), cases.to_string(), found]
        })
        .collect();
    println!("{}", markdown(&["planted bug", "cases", "property broken"], &cells));
}

#[test]
fn bugs_between_engine_and_disk_are_caught() {
    type Case = (&'static str, fn(Plan) -> Option<String>);
    let bugs: [Case; 4] = [
        ("promises leave before they are on disk", with_bug::<ReleasesFirst>),
        ("blocks leave before the leader's mark is on disk", with_bug::<ProposesFirst>),
        ("nothing is ever written", with_bug::<NeverPersists>),
        ("the record is written without its blocks", with_bug::<LosesBlocks>),
    ];
    let mut rows = Vec::new();
    for (name, run) in bugs {
        let (cases, found) = hunt(SEEDS, run);
        rows.push((name, cases, found));
    }
    report(&rows);
    let missed: Vec<_> = rows.iter().filter(|(.., found)| found.is_none()).collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

/// A vote alone that is forgotten is cast again for the block that the disk kept, so it is lost only
/// with the block: "nothing is ever written" above.
#[test]
fn promises_forgotten_in_a_crash_are_caught() {
    type Case = (&'static str, fn(&mut Safety));
    let bugs: [Case; 4] = [
        ("the mark \"I lead\" is forgotten", |record| record.led = None),
        ("the report of a view change is forgotten", |record| record.view_change = None),
        ("the new-view message is forgotten", |record| record.new_view = None),
        ("everything is forgotten", |record| {
            *record = Safety::new(record.epoch, chain::types::View::new(0));
        }),
    ];
    let mut rows = Vec::new();
    for (name, tamper) in bugs {
        let (cases, found) = hunt(SEEDS, |plan| with_tamper(tamper, plan));
        rows.push((name, cases, found));
    }
    report(&rows);
    let missed: Vec<_> = rows.iter().filter(|(.., found)| found.is_none()).collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

#[test]
fn without_a_bug_nothing_is_caught() {
    let (cases, found) = hunt(CONTROL, with_bug::<NoBug>);
    println!("{cases} cases without a bug");
    assert_eq!((cases, found), (CONTROL, None));
}
