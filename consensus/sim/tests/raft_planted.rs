//! Each bug planted in Raft is caught by the properties, within a bound of seeds, and without a bug
//! nothing is. `-- --nocapture` shows how many seeds each takes and what it breaks.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use chain::types::{ValidatorIndex, View};
use chain::validator::ValidatorSet;
use consensus::engine::Engine;
use consensus::raft::configuration::{Configuration, is_majority};
use consensus::raft::{LogEnd, Promises, Raft, Rules, Thesis};
use consensus_sim::application::membership;
use consensus_sim::dice::{Dice, Purpose};
use consensus_sim::genesis::Genesis;
use consensus_sim::model::table::markdown;
use consensus_sim::plan::{Fault, Load, Plan, Timed};
use consensus_sim::world::World;
use consensus_sim::{runner, scenarios, swarm};

/// Seeds within which a bug must show.
const SEEDS: u64 = 400;
/// Seeds on which Raft as it is must show nothing, over each kind of plan.
const CONTROL: u64 = 150;

const MS: Duration = Duration::from_millis(1);

/// 3.6.1 left out: votes for anybody's log.
#[derive(Debug)]
struct IgnoresLogs;

impl Rules for IgnoresLogs {
    fn is_up_to_date(_candidate: LogEnd, _voter: LogEnd) -> bool {
        true
    }
}

/// 3.6.2 left out: counts replicas of earlier terms.
#[derive(Debug)]
struct CountsOlderTerms;

impl Rules for CountsOlderTerms {
    fn may_count(_entry: View, _current: View) -> bool {
        true
    }
}

/// 9.6 and 6.2 left out.
#[derive(Debug)]
struct NeitherAsksNorChecks;

impl Rules for NeitherAsksNorChecks {
    fn asks_before_election() -> bool {
        false
    }

    fn checks_quorum() -> bool {
        false
    }
}

/// 4.3 left out: the new set decides alone as soon as it is in the log.
#[derive(Debug)]
struct NewSetAlone;

impl Rules for NewSetAlone {
    fn voting_sets(sets: Vec<ValidatorSet>) -> Vec<ValidatorSet> {
        sets.into_iter().next_back().into_iter().collect()
    }
}

/// 4.3 misread: a majority of all together.
#[derive(Debug)]
struct UnionQuorum;

impl Rules for UnionQuorum {
    fn is_quorum(configuration: &Configuration, voters: &BTreeSet<ValidatorIndex>) -> bool {
        let members = configuration.members();
        members.intersection(voters).count() * 2 > members.len()
    }
}

/// 4.1 without the own entry first: the bug that Ongaro found in single-server changes in 2015. The
/// new set decides alone, but it differs by one server.
#[derive(Debug)]
struct ChangesBeforeOwnEntry;

impl Rules for ChangesBeforeOwnEntry {
    fn voting_sets(sets: Vec<ValidatorSet>) -> Vec<ValidatorSet> {
        NewSetAlone::voting_sets(sets)
    }

    fn may_change_members(_own_term_committed: bool) -> bool {
        true
    }

    fn starts_with_own_entry() -> bool {
        false
    }
}

/// The same with the own entry: single-server changes as the thesis has them are safe.
#[derive(Debug)]
struct SingleServerChanges;

impl Rules for SingleServerChanges {
    fn voting_sets(sets: Vec<ValidatorSet>) -> Vec<ValidatorSet> {
        NewSetAlone::voting_sets(sets)
    }
}

/// Half of the voters are enough.
#[derive(Debug)]
struct HalfIsEnough;

impl Rules for HalfIsEnough {
    fn is_quorum(configuration: &Configuration, voters: &BTreeSet<ValidatorIndex>) -> bool {
        let half = |set: &ValidatorSet| {
            let votes = set.indices().filter(|index| voters.contains(index)).count();
            votes * 2 >= set.len()
        };
        configuration.sets().iter().all(|set| is_majority(set, voters) || half(set))
    }
}

type Run = fn(u64) -> Option<String>;

fn verdict<E: Engine>(world: &mut World<E>) -> Option<String> {
    let report = runner::run_in(world, "planted");
    match report.violations.first() {
        Some(violation) => Some(format!("{violation:?}")),
        None => (!report.liveness.recovered).then(|| "recovery".to_owned()),
    }
}

/// A plan of the swarm in which nobody lies.
fn crashes(seed: u64) -> Plan {
    let n = 3 + usize::try_from(seed % 3).expect("small");
    Plan { byzantine: Vec::new(), twins: Vec::new(), ..swarm::plan(seed, n) }
}

fn under_crashes<R: Rules>(seed: u64) -> Option<String> {
    verdict(&mut World::<Raft<R>>::new(crashes(seed), 0))
}

fn with_tamper(seed: u64, tamper: fn(&mut Promises)) -> Option<String> {
    let mut world = World::<Raft>::new(crashes(seed), 0);
    for node in world.nodes() {
        node.disk().set_tamper(Rc::new(tamper));
    }
    verdict(&mut world)
}

fn forgets_votes(seed: u64) -> Option<String> {
    with_tamper(seed, |promises| promises.voted_for = None)
}

fn forgets_terms(seed: u64) -> Option<String> {
    with_tamper(seed, |promises| {
        promises.term = View::default();
        promises.voted_for = None;
    })
}

/// Partitions, crashes and changes of members, one after the other, by at most `step`.
fn changing<R: Rules>(seed: u64, n: usize, step: u64) -> Option<String> {
    let mut dice = Dice::new(seed, Purpose::Workload);
    let base = swarm::plan(seed, n);
    let mut faults = base.faults.clone();
    for _ in 0..6 {
        let mut groups = vec![Vec::new(), Vec::new()];
        (0..n).for_each(|node| groups[dice.index(2)].push(node));
        let at = dice.duration(Duration::ZERO, base.faults_end);
        faults.push(Timed { at, fault: Fault::Partition { groups } });
    }
    let plan = Plan { byzantine: Vec::new(), twins: Vec::new(), faults, ..base };
    let end = plan.faults_end;
    let operator = Genesis::signer(plan.signatures, plan.seed, 2_000);
    let mut world = World::<Raft<R>>::new(plan, 0);
    let mut members = n as u64;
    for nonce in 0..8 {
        world.run_for(dice.duration(Duration::ZERO, end / 6));
        if world.now() >= consensus::engine::Time::default() + end {
            break;
        }
        let low = members.saturating_sub(step).max(1);
        members = dice.between(low, (members + step).min(n as u64));
        world.offer(&membership(world.chain_id(), operator.as_ref(), nonce, members as u8));
    }
    verdict(&mut world)
}

fn by_many<R: Rules>(seed: u64) -> Option<String> {
    changing::<R>(seed, 5, 4)
}

fn by_one<R: Rules>(seed: u64) -> Option<String> {
    changing::<R>(seed, 4, 1)
}

/// Links that work in part, for good: validator 0 is heard by nobody and hears everybody, and the
/// rest must make progress all the same.
fn under_partial_links<R: Rules>(seed: u64) -> Option<String> {
    let n = 5;
    let mute = (1..n).map(|to| Timed { at: MS * 100, fault: Fault::Block { from: to, to: 0 } });
    let plan = Plan {
        faults: mute.collect(),
        load: Load { transactions: 150, senders: 4, interval: MS * 10 },
        faults_end: MS * 2_000,
        ..scenarios::calm(seed, n)
    };
    let mut world = World::<Raft<R>>::new(plan, 0);
    world.run_for(MS * 2_000);
    if let Some(violation) = world.violations().first() {
        return Some(violation.property.clone());
    }
    let terms = world.record().views.len();
    (terms > 3).then(|| format!("{terms} terms in two seconds"))
}

fn hunt(seeds: u64, run: Run) -> (u64, Option<String>) {
    (0..seeds)
        .find_map(|seed| run(seed).map(|property| (seed + 1, Some(property))))
        .unwrap_or((seeds, None))
}

#[test]
fn planted_bugs_are_caught() {
    let bugs: [(&str, Run); 8] = [
        ("the vote is forgotten in a crash", forgets_votes),
        ("term and vote are forgotten in a crash", forgets_terms),
        ("votes for a log that lacks entries", under_crashes::<IgnoresLogs>),
        ("an entry of an earlier term is committed by counting", under_crashes::<CountsOlderTerms>),
        ("neither PreVote nor CheckQuorum", under_partial_links::<NeitherAsksNorChecks>),
        ("the new set decides alone", by_many::<NewSetAlone>),
        ("a majority of both sets together", by_many::<UnionQuorum>),
        ("members change before an own entry is committed", by_one::<ChangesBeforeOwnEntry>),
    ];
    let half: (&str, Run) = ("half of the voters are enough", under_crashes::<HalfIsEnough>);
    let mut rows = Vec::new();
    let mut missed = Vec::new();
    for (name, run) in bugs.into_iter().chain([half]) {
        let (seeds, found) = hunt(SEEDS, run);
        missed.extend(found.is_none().then_some(name));
        let found = found.unwrap_or_else(|| "nothing".to_owned());
        rows.push(vec![name.to_owned(), seeds.to_string(), found]);
    }
    println!("{}", markdown(&["planted bug", "seeds", "property broken"], &rows));
    assert!(missed.is_empty(), "not caught within {SEEDS} seeds: {missed:?}");
}

#[test]
fn without_a_bug_nothing_is_caught() {
    let plans: [(&str, Run); 5] = [
        ("crashes", under_crashes::<Thesis>),
        ("partial links", under_partial_links::<Thesis>),
        ("members change by many", by_many::<Thesis>),
        ("members change by one", by_one::<Thesis>),
        ("single-server changes with the own entry first", by_one::<SingleServerChanges>),
    ];
    for (name, run) in plans {
        let seeds = if name == "partial links" { 10 } else { CONTROL };
        assert_eq!(hunt(seeds, run), (seeds, None), "{name}");
        println!("{seeds} seeds without a bug: {name}");
    }
}
