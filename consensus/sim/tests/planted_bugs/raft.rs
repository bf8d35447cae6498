//! Bugs in Raft: rules of the thesis broken or left out, and votes that are not on disk.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use chain::types::{ValidatorIndex, View};
use chain::validator::ValidatorSet;
use consensus::engine::{Role, Time};
use consensus::raft::configuration::{Configuration, is_majority};
use consensus::raft::{LogEnd, Message, Promises, Raft, Rules, Thesis};
use consensus_sim::application::membership;
use consensus_sim::dice::{Dice, Purpose};
use consensus_sim::genesis::Genesis;
use consensus_sim::plan::{Fault, Load, Plan, Timed};
use consensus_sim::planted::{SEEDS, broken, check, control, hunt};
use consensus_sim::world::{Envelope, World};
use consensus_sim::{scenarios, swarm};

use crate::document;

/// Seeds on which Raft as it is must show nothing while members change.
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

    /// Who counts them needs none.
    fn starts_with_own_entry() -> bool {
        false
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

/// A plan of the swarm in which nobody lies.
fn crashes(seed: u64) -> Plan {
    let n = 3 + usize::try_from(seed % 3).expect("small");
    swarm::crashes(seed, n)
}

fn under_crashes<R: Rules>(seed: u64) -> Option<String> {
    broken(&mut World::<Raft<R>>::new(crashes(seed), 0))
}

fn with_tamper(seed: u64, tamper: fn(&mut Promises)) -> Option<String> {
    let mut world = World::<Raft>::new(crashes(seed), 0);
    for node in world.nodes() {
        node.disk().set_tamper(Rc::new(tamper));
    }
    broken(&mut world)
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

/// Partitions, crashes and changes of members, one after the other.
fn changing<R: Rules>(seed: u64) -> Option<String> {
    let n = 5;
    let mut dice = Dice::new(seed, Purpose::Workload);
    let base = swarm::crashes(seed, n);
    let mut faults = base.faults.clone();
    for _ in 0..6 {
        let mut groups = vec![Vec::new(), Vec::new()];
        (0..n).for_each(|node| groups[dice.index(2)].push(node));
        let at = dice.duration(Duration::ZERO, base.faults_end);
        faults.push(Timed { at, fault: Fault::Partition { groups } });
    }
    let plan = Plan { faults, ..base };
    let end = plan.faults_end;
    let operator = Genesis::signer(plan.signatures, plan.seed, 2_000);
    let mut world = World::<Raft<R>>::new(plan, 0);
    for nonce in 0..8 {
        world.run_for(dice.duration(Duration::ZERO, end / 6));
        if world.now() >= Time::default() + end {
            break;
        }
        let members = dice.between(1, n as u64) as u8;
        world.offer(&membership(world.chain_id(), operator.as_ref(), nonce, members));
    }
    broken(&mut world)
}

/// Figure 3.7 of the thesis: an entry of an earlier term that a majority has, and that is
/// overwritten all the same.
fn figure_3_7<R: Rules>(seed: u64) -> Option<String> {
    let mut world = quiet::<R>(seed);
    let first = lead(&mut world)?;
    let others: Vec<usize> = (0..5).filter(|node| *node != first).collect();
    let (second, rest) = (others[0], others[1..].to_vec());
    // (a) An entry reaches two of five.
    split(&mut world, &[vec![first, second], rest.clone()]);
    world.submit();
    // (b) Another leader makes an entry that nobody else gets.
    let alone = Rc::new(Cell::new(true));
    let (flag, of) = (Rc::clone(&alone), rest.clone());
    world.set_tap(Box::new(move |sent: &Envelope<'_, Message>| {
        let append = matches!(sent.message, Message::Append(_));
        !(flag.get() && append && of.contains(&sent.from))
    }));
    let rival = lead_among(&mut world, &rest)?;
    world.run_for(MS * 2);
    // (c) One of the first two leads again and brings the old entry to a third.
    let third = *rest.iter().find(|node| **node != rival)?;
    split(&mut world, &[vec![first, second, third], rest_of(&[first, second, third])]);
    lead_among(&mut world, &[first, second])?;
    world.run_for(MS * 20);
    // (d) The rival's entry is of a later term.
    alone.set(false);
    let old = leader(&world).filter(|node| *node != rival).unwrap_or(first);
    split(&mut world, &[vec![old], rest_of(&[old])]);
    world.run_for(MS * 1_500);
    broken(&mut world)
}

/// Three become five while the leader and the two new ones are cut off from the old two.
fn growing<R: Rules>(seed: u64) -> Option<String> {
    let mut world = quiet::<R>(seed);
    change(&mut world, 0, 3);
    let first = lead(&mut world).filter(|node| *node < 3)?;
    split(&mut world, &[vec![first, 3, 4], (0..3).filter(|node| *node != first).collect()]);
    change(&mut world, 1, 5);
    world.submit();
    world.run_for(MS * 1_000);
    broken(&mut world)
}

/// Ongaro's counter-example of 2015 with four servers: the leader adds one and is cut off with it.
/// The others elect another leader, which removes one that voted for it and hears nothing more. With
/// that one the first leader has a majority of its five.
fn two_changes<R: Rules>(seed: u64) -> Option<String> {
    let mut world = quiet::<R>(seed);
    change(&mut world, 0, 4);
    let first = lead(&mut world).filter(|node| *node < 3)?;
    let two: Vec<usize> = (0..3).filter(|node| *node != first).collect();
    split(&mut world, &[vec![first, 4], vec![two[0], two[1], 3]]);
    order(&mut world, first, 5);
    let second = lead_among(&mut world, &two)?;
    split(&mut world, &[vec![first, 4], two.clone(), vec![3]]);
    order(&mut world, second, 3);
    world.run_for(MS * 600);
    split(&mut world, &[vec![first, 4, 3], two]);
    world.run_for(MS * 1_000);
    broken(&mut world)
}

/// A change of members that one node alone hears of, from an operator of its own.
fn order<R: Rules>(world: &mut World<Raft<R>>, node: usize, members: u8) {
    let operator = Genesis::signer(world.plan().signatures, world.plan().seed, 2_001 + node);
    let change = membership(world.chain_id(), operator.as_ref(), 0, members);
    world.offer_to(node, &change);
}

/// Five validators in calm weather, no clients.
fn quiet<R: Rules>(seed: u64) -> World<Raft<R>> {
    let load = Load { transactions: 0, senders: 2, reads: false, interval: MS };
    let faults_end = Duration::ZERO;
    let mut world = World::new(Plan { load, faults_end, ..scenarios::calm(seed, 5) }, 0);
    world.run_for(MS * 300);
    world
}

fn split<R: Rules>(world: &mut World<Raft<R>>, groups: &[Vec<usize>]) {
    world.strike(Fault::Partition { groups: groups.to_vec() });
}

fn rest_of(some: &[usize]) -> Vec<usize> {
    (0..5).filter(|node| !some.contains(node)).collect()
}

/// An operator's change of members, and a little time for it.
fn change<R: Rules>(world: &mut World<Raft<R>>, nonce: u64, members: u8) {
    let operator = Genesis::signer(world.plan().signatures, world.plan().seed, 2_000);
    world.offer(&membership(world.chain_id(), operator.as_ref(), nonce, members));
    world.run_for(MS * 100);
}

/// The leader of the highest term.
fn leader<R: Rules>(world: &World<Raft<R>>) -> Option<usize> {
    let leads = |node: &usize| {
        let status = world.node(*node).status()?;
        (status.role == Role::Leader).then_some((status.view, *node))
    };
    (0..5).filter_map(|node| leads(&node)).max().map(|(_, node)| node)
}

fn lead<R: Rules>(world: &mut World<Raft<R>>) -> Option<usize> {
    lead_among(world, &[0, 1, 2, 3, 4])
}

/// Waits until one of these leads the highest term that there is.
fn lead_among<R: Rules>(world: &mut World<Raft<R>>, nodes: &[usize]) -> Option<usize> {
    let end = world.now() + MS * 3_000;
    world.run_until(end, |world| leader(world).is_some_and(|node| nodes.contains(&node)));
    leader(world).filter(|node| nodes.contains(node))
}

/// Links that work in part, for good: validator 0 is heard by nobody and hears everybody, and the
/// rest must make progress all the same.
fn under_partial_links<R: Rules>(seed: u64) -> Option<String> {
    let n = 5;
    let mute = (1..n).map(|to| Timed { at: MS * 100, fault: Fault::Block { from: to, to: 0 } });
    let plan = Plan {
        faults: mute.collect(),
        load: Load { transactions: 150, senders: 4, reads: false, interval: MS * 10 },
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

#[test]
fn planted_bugs_are_caught() {
    let bugs: [(&str, Run); 9] = [
        ("the vote is forgotten in a crash", forgets_votes),
        ("term and vote are forgotten in a crash", forgets_terms),
        ("votes for a log that lacks entries", under_crashes::<IgnoresLogs>),
        ("an entry of an earlier term is committed by counting", figure_3_7::<CountsOlderTerms>),
        ("neither PreVote nor CheckQuorum", under_partial_links::<NeitherAsksNorChecks>),
        ("the new set decides alone", growing::<NewSetAlone>),
        ("a majority of both sets together", growing::<UnionQuorum>),
        ("members change before an own entry is committed", two_changes::<ChangesBeforeOwnEntry>),
        ("half of the voters are enough", under_crashes::<HalfIsEnough>),
    ];
    check(&document(), "raft", &bugs.map(|(bug, run)| hunt(bug, run)));
}

#[test]
fn without_a_bug_nothing_is_caught() {
    let plans: [(&str, u64, Run); 7] = [
        ("crashes", SEEDS, under_crashes::<Thesis>),
        ("partial links", 10, under_partial_links::<Thesis>),
        ("members change", CONTROL, changing::<Thesis>),
        ("figure 3.7", 30, figure_3_7::<Thesis>),
        ("three become five", 30, growing::<Thesis>),
        ("two changes at once", 30, two_changes::<Thesis>),
        ("single-server changes after an own entry", 30, two_changes::<SingleServerChanges>),
    ];
    for (name, seeds, run) in plans {
        control(name, seeds, run);
    }
}
