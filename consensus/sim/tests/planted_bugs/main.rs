//! Are the invariants of the random worlds worth anything? Here bugs are planted around the
//! production engine: in what it writes, in what the disk gives back, in what it says and hears, in
//! the order of the driver. Random worlds must show every one of them within so many seeds.
//!
//! docs/planted-bugs.md says after how many seeds each is caught, and by which property.

mod bugs;
mod engine;

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use chain::types::View;
use consensus::hybrid::{Hybrid, Safety};
use consensus_sim::byzantine::BehaviourKind;
use consensus_sim::network::Link;
use consensus_sim::plan::Plan;
use consensus_sim::planted::{Row, broken, check_section, hunt, table};
use consensus_sim::swarm;
use consensus_sim::world::World;
use engine::{Bug, Planted};

/// Seeds within which a bug must show.
const SEEDS: u64 = 100;
/// Seeds in which the engine without a bug must show nothing.
const CONTROL: u64 = 20;

/// A plan of the swarm in which nobody lies: whatever goes wrong is the bug's doing.
fn crashes(seed: u64) -> Plan {
    Plan { byzantine: Vec::new(), twins: Vec::new(), ..swarm::plan(seed, 4) }
}

/// The same with five validators, who need the commit phase.
fn five(seed: u64) -> Plan {
    Plan { byzantine: Vec::new(), twins: Vec::new(), ..swarm::plan(seed, 5) }
}

/// One leader lies.
fn liar(kind: BehaviourKind) -> impl Fn(u64) -> Plan {
    move |seed| Plan { byzantine: vec![(seed as usize % 4, kind)], ..crashes(seed) }
}

/// Everything takes so long that view after view is given up.
fn slow(seed: u64) -> Plan {
    let link = Link::exact(Duration::from_secs(5));
    Plan { link, faults: Vec::new(), faults_end: Duration::from_secs(100), ..crashes(seed) }
}

/// The property that no invariant watches: who was caught is accused on the chain before long.
fn unpunished<B: Bug>(plan: Plan) -> Option<String> {
    let mut world = World::<Planted<B>>::new(plan, 0);
    broken(&mut world).or_else(|| {
        world.submit();
        world.run_for(Duration::from_secs(1));
        let record = world.record();
        let accused = record.counters.evidence_found == 0 || !record.epochs.is_empty();
        (!accused).then(|| "evidence gets on chain".to_owned())
    })
}

fn with<B: Bug>(plan: Plan) -> Option<String> {
    broken(&mut World::<Planted<B>>::new(plan, 0))
}

fn tampered(tamper: fn(&mut Safety)) -> impl Fn(Plan) -> Option<String> {
    move |plan| {
        let mut world = World::<Hybrid>::new(plan, 0);
        for node in world.nodes() {
            node.disk().set_tamper(Rc::new(tamper));
        }
        broken(&mut world)
    }
}

/// What goes wrong between the engine and its disk.
fn disk() -> Vec<Row> {
    let seek = |bug, run: fn(Plan) -> Option<String>| hunt(bug, SEEDS, crashes, run);
    let forget = |what, tamper: fn(&mut Safety)| hunt(what, SEEDS, crashes, tampered(tamper));
    vec![
        seek("promises leave before they are on disk", with::<bugs::ReleasesFirst>),
        seek("blocks leave before the leader's mark is on disk", with::<bugs::ProposesFirst>),
        seek("nothing is ever written", with::<bugs::NeverPersists>),
        seek("the record is written without its blocks", with::<bugs::LosesBlocks>),
        seek("the last vote is not read back: the lock is lost", with::<bugs::ForgetsVote>),
        seek("the view is not read back: it moves down", with::<bugs::ViewMovesDown>),
        forget("the mark \"I lead\" is forgotten", |record| record.led = None),
        forget("the report of a view change is forgotten", |record| record.view_change = None),
        forget("the new-view message is forgotten", |record| record.new_view = None),
        forget("the acknowledgement of a new view is forgotten", |record| record.ack = None),
        forget("everything is forgotten", |record| {
            *record = Safety::new(record.epoch, View::new(0));
        }),
        hunt(
            "the prepare certificate is not with its commit vote on disk",
            SEEDS,
            five,
            tampered(|record| record.high_qc = None),
        ),
    ]
}

/// What is said, counted or believed wrongly.
fn rules() -> Vec<Row> {
    let seek = |bug, run: fn(Plan) -> Option<String>| hunt(bug, SEEDS, crashes, run);
    vec![
        seek("view changes do not tell the last vote", with::<bugs::ReportsNoVote>),
        seek("view changes tell nothing", with::<bugs::ReportsNothing>),
        seek("a new view ignores its reports", with::<bugs::IgnoresReports>),
        seek("two branches are acknowledged for one view", with::<bugs::AcksTwoBranches>),
        seek("a final certificate is one signature short", with::<bugs::CountsOneShort>),
        seek("modes flap", with::<bugs::FlapsModes>),
        hunt(
            "no signature is checked",
            SEEDS,
            liar(BehaviourKind::Flood),
            with::<bugs::ChecksNoSignature>,
        ),
        hunt(
            "refused blocks are voted for",
            SEEDS,
            liar(BehaviourKind::InvalidBlock),
            with::<bugs::VotesForInvalid>,
        ),
    ]
}

/// What stops the chain or does not let it stop.
fn progress() -> Vec<Row> {
    let seek = |bug, run: fn(Plan) -> Option<String>| hunt(bug, SEEDS, crashes, run);
    vec![
        seek("timers never fire", with::<bugs::TimersNeverFire>),
        seek("timers are set in the past", with::<bugs::TimersSpin>),
        hunt("timers are not capped", SEEDS, slow, with::<bugs::UncappedTimers>),
        seek("suspicions are kept to oneself", with::<bugs::SuspectsInSilence>),
        seek("missing blocks are not fetched", with::<bugs::NeverFetches>),
        seek("final blocks are served with a gap", with::<bugs::ServesAGap>),
        hunt(
            "evidence is ignored",
            SEEDS,
            liar(BehaviourKind::Equivocate),
            unpunished::<bugs::IgnoresEvidence>,
        ),
    ]
}

#[test]
fn planted_bugs_are_caught_as_the_documentation_says() {
    let rows = [progress(), rules(), disk()].concat();
    let table = table(&rows);
    println!("{table}");
    let missed: Vec<&str> =
        rows.iter().filter(|row| row.property.is_none()).map(|row| row.bug.as_str()).collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
    let root = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    check_section(&Path::new(&root).join("../../docs/planted-bugs.md"), "hybrid", &table);
}

#[test]
fn without_a_bug_nothing_is_caught() {
    let mut cases = 0;
    type Case<'a> = (&'a dyn Fn(u64) -> Plan, u64);
    let plans: [Case<'_>; 5] = [
        (&crashes, CONTROL),
        (&five, CONTROL),
        (&slow, 1),
        (&liar(BehaviourKind::Flood), CONTROL),
        (&liar(BehaviourKind::InvalidBlock), CONTROL),
    ];
    for (plan, seeds) in plans {
        let row = hunt("none", seeds, plan, with::<bugs::Nothing>);
        assert_eq!((row.seeds, row.property), (seeds, None));
        cases += seeds;
    }
    let equivocate = liar(BehaviourKind::Equivocate);
    let row = hunt("none", CONTROL, equivocate, unpunished::<bugs::Nothing>);
    assert_eq!((row.seeds, row.property), (CONTROL, None));
    println!("{} cases without a bug", cases + CONTROL);
}
