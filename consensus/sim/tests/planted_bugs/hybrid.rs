//! Bugs around the hybrid: in what it writes, in what the disk gives back, in what it says and
//! hears, in the order of the driver.

use std::rc::Rc;
use std::time::Duration;

use chain::types::View;
use consensus::hybrid::{Hybrid, Safety};
use consensus_sim::byzantine::BehaviourKind;
use consensus_sim::network::Link;
use consensus_sim::plan::{EngineOptions, Load, Plan};
use consensus_sim::planted::{Row, SEEDS, broken, check, control, hunt};
use consensus_sim::scenarios;
use consensus_sim::swarm;
use consensus_sim::world::World;

use crate::document;
use crate::hybrid_bugs as bugs;
use crate::hybrid_engine::{Bug, Planted};

/// Seeds in which the engine without a bug must show nothing where one leader lies.
const CONTROL: u64 = 50;

/// A plan of the swarm in which nobody lies: whatever goes wrong is the bug's doing.
fn crashes(seed: u64) -> Plan {
    Plan { max_faulty: 1, ..swarm::crashes(seed, 4) }
}

/// One leader lies.
fn liar<B: Bug>(kind: BehaviourKind, seed: u64) -> Option<String> {
    with::<B>(Plan { byzantine: vec![(seed as usize % 4, kind)], ..crashes(seed) })
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

/// Leader after leader is cut off for a moment.
fn restless(seed: u64) -> Plan {
    scenarios::named("flapping-leader").expect("it ships").plan(seed, 4)
}

fn with<B: Bug>(plan: Plan) -> Option<String> {
    broken(&mut World::<Planted<B>>::new(plan, 0))
}

fn tampered(plan: Plan, tamper: fn(&mut Safety)) -> Option<String> {
    let mut world = World::<Hybrid>::new(plan, 0);
    for node in world.nodes() {
        node.disk().set_tamper(Rc::new(tamper));
    }
    broken(&mut world)
}

/// What goes wrong between the engine and its disk. Two promises are missing here because crashes
/// alone cannot show their loss: a forgotten acknowledgement is given again for the same tip, and
/// where the record lacks the highest certificate the last votes tell as much.
fn disk() -> Vec<Row> {
    let seek = |bug, run: fn(Plan) -> Option<String>| hunt(bug, |seed| run(crashes(seed)));
    let forget = |bug, tamper: fn(&mut Safety)| hunt(bug, |seed| tampered(crashes(seed), tamper));
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
    let seek = |bug, run: fn(Plan) -> Option<String>| hunt(bug, |seed| run(crashes(seed)));
    vec![
        seek("view changes do not tell the last vote", with::<bugs::ReportsNoVote>),
        seek("view changes tell nothing", with::<bugs::ReportsNothing>),
        seek("a new view ignores its reports", with::<bugs::IgnoresReports>),
        seek("two branches are acknowledged for one view", with::<bugs::AcksTwoBranches>),
        seek("a final certificate is one signature short", with::<bugs::CountsOneShort>),
        seek("modes flap", with::<bugs::FlapsModes>),
        hunt("the calm that is asked for does not double", |seed| {
            broken(&mut World::<Hybrid<bugs::CalmNeverDoubles>>::new(restless(seed), 0))
        }),
        hunt("no signature is checked", |seed| {
            liar::<bugs::ChecksNoSignature>(BehaviourKind::Flood, seed)
        }),
        hunt("refused blocks are voted for", |seed| {
            liar::<bugs::VotesForInvalid>(BehaviourKind::InvalidBlock, seed)
        }),
    ]
}

/// What stops the chain or does not let it stop.
fn progress() -> Vec<Row> {
    let seek = |bug, run: fn(Plan) -> Option<String>| hunt(bug, |seed| run(crashes(seed)));
    vec![
        seek("timers never fire", with::<bugs::TimersNeverFire>),
        seek("timers are set in the past", with::<bugs::TimersSpin>),
        hunt("timers are not capped", |seed| with::<bugs::UncappedTimers>(slow(seed))),
        seek("suspicions are kept to oneself", with::<bugs::SuspectsInSilence>),
        seek("missing blocks are not fetched", with::<bugs::NeverFetches>),
        seek("final blocks are served with a gap", with::<bugs::ServesAGap>),
    ]
}

#[test]
fn planted_bugs_are_caught() {
    check(&document(), "hybrid", &[disk(), rules(), progress()].concat());
}

#[test]
fn without_a_bug_nothing_is_caught() {
    control("crashes", SEEDS, |seed| with::<bugs::Nothing>(crashes(seed)));
    control("restless", 20, |seed| broken(&mut World::<Hybrid>::new(restless(seed), 0)));
    control("slow", 10, |seed| with::<bugs::Nothing>(slow(seed)));
    for kind in [BehaviourKind::Flood, BehaviourKind::InvalidBlock] {
        control(&format!("{kind:?}"), CONTROL, |seed| liar::<bugs::Nothing>(kind, seed));
    }
}
