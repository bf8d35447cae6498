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
use consensus_sim::plan::{EngineOptions, Load, Plan};
use consensus_sim::planted::{Row, broken, check_section, hunt, table};
use consensus_sim::swarm;
use consensus_sim::world::World;
use engine::{Bug, Planted};

/// Seeds within which a bug must show.
const SEEDS: u64 = 60;
/// Seeds in which the engine without a bug must show nothing.
const CONTROL: u64 = 20;

/// A plan of the swarm in which nobody lies: whatever goes wrong is the bug's doing.
fn crashes(seed: u64) -> Plan {
    Plan { byzantine: Vec::new(), twins: Vec::new(), ..swarm::plan(seed, 4) }
}

/// One leader lies.
fn liar(kind: BehaviourKind) -> impl Fn(u64) -> Plan {
    move |seed| Plan { byzantine: vec![(seed as usize % 4, kind)], ..crashes(seed) }
}

/// Everything takes so long that view after view is given up; then nothing does, but one of the
/// leaders is silent.
fn slow(seed: u64) -> Plan {
    let options = EngineOptions { heartbeat: Duration::from_millis(40), ..Default::default() };
    Plan {
        options,
        byzantine: vec![(seed as usize % 4, BehaviourKind::Silent)],
        link: Link::exact(Duration::from_secs(3)),
        faults: Vec::new(),
        load: Load {
            transactions: 3,
            senders: 1,
            reads: false,
            interval: Duration::from_millis(1),
        },
        faults_end: Duration::from_secs(45),
        recovery_bound: Duration::from_secs(5),
        ..crashes(seed)
    }
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

/// What goes wrong between the engine and its disk. Two promises are missing here because crashes
/// alone cannot show their loss: a forgotten acknowledgement is given again for the same tip, and
/// where the record lacks the highest certificate the last votes tell as much.
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
        forget("everything is forgotten", |record| {
            *record = Safety::new(record.epoch, View::new(0));
        }),
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
    ]
}

#[test]
fn planted_bugs_are_caught_as_the_documentation_says() {
    let rows = [disk(), rules(), progress()].concat();
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
    let plans: [Case<'_>; 4] = [
        (&crashes, CONTROL),
        (&slow, 10),
        (&liar(BehaviourKind::Flood), CONTROL),
        (&liar(BehaviourKind::InvalidBlock), CONTROL),
    ];
    for (plan, seeds) in plans {
        let row = hunt("none", seeds, plan, with::<bugs::Nothing>);
        assert_eq!((row.seeds, row.property), (seeds, None));
        cases += seeds;
    }
    println!("{cases} cases without a bug");
}
