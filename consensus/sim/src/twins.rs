//! Twins: two honest copies of one validator, with one key, stand for every lie that a validator can
//! tell by saying one thing here and another there. Bano, Sonnino, Chursin, Perelman, Li, Ching,
//! Malkhi, "Twins: BFT Systems Made Robust", 2021.
//!
//! A case says which validator is doubled and how the network is cut in two in each round. A round
//! lasts long enough to change a view, so, with leaders that follow from the view, which validator
//! is doubled is the same choice as who leads each round. Safety must hold throughout; once everybody
//! hears everybody, all others must agree on everything.

use std::time::Duration;

use chain::block::Mode;
use consensus::engine::{Engine, Time};

use crate::dice::{Dice, Purpose};
use crate::invariants::Violation;
use crate::network::Link;
use crate::plan::{Load, Plan};
use crate::scenarios;
use crate::world::World;

const CALM: Link = Link::exact(Duration::from_millis(1));

/// Where the chain stands when the rounds begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Start {
    /// In the first view.
    First,
    /// Just after a view change: an engine with modes is in its robust one.
    ViewChanged,
    /// Some blocks later: an engine with modes is about to change back.
    Settled,
}

impl Start {
    pub const ALL: [Self; 3] = [Self::First, Self::ViewChanged, Self::Settled];
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub validators: usize,
    /// Who is doubled; the copy is the last node.
    pub twin: usize,
    pub start: Start,
    /// For each round a bit per node: which side of the cut it is on.
    pub rounds: Vec<u32>,
}

/// What a run showed.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub violations: Vec<Violation>,
    /// Every other validator had everything final, something new included, within the bound.
    pub recovered: bool,
    /// The mode of the newest view when the rounds began.
    pub mode: Option<Mode>,
    /// Changes of mode in the final chain.
    pub mode_changes: usize,
    pub views: usize,
    pub blocks: u64,
    /// Whether the copies were caught.
    pub evidence: u64,
}

impl Outcome {
    pub fn is_good(&self) -> bool {
        self.violations.is_empty() && self.recovered
    }
}

/// Cuts of the nodes in two, nothing cut off included: the first node is on side 0.
fn cuts(validators: usize) -> u64 {
    1 << validators
}

/// How many cases there are.
pub fn count(validators: usize, rounds: u32) -> u64 {
    validators as u64 * cuts(validators).pow(rounds)
}

/// The case of a number below [`count`].
pub fn case(validators: usize, rounds: u32, start: Start, number: u64) -> Case {
    let (twin, mut rest) = (number % validators as u64, number / validators as u64);
    let rounds = (0..rounds)
        .map(|_| {
            let cut = rest % cuts(validators);
            rest /= cuts(validators);
            u32::try_from(cut << 1).expect("at most 30 validators")
        })
        .collect();
    let twin = usize::try_from(twin).expect("below the number of validators");
    Case { validators, twin, start, rounds }
}

/// So many different cases, or all if there are no more. The same seed gives the same ones.
pub fn sample(validators: usize, rounds: u32, start: Start, size: u64, seed: u64) -> Vec<Case> {
    let all = count(validators, rounds);
    let mut numbers: Vec<u64> = (0..all).collect();
    let mut dice = Dice::new(seed, Purpose::Byzantine);
    let size = usize::try_from(size.min(all)).expect("a number of cases");
    for place in 0..size {
        let other = place + dice.index(numbers.len() - place);
        numbers.swap(place, other);
    }
    numbers[..size].iter().map(|number| case(validators, rounds, start, *number)).collect()
}

/// Runs a case.
pub fn run<E: Engine>(case: &Case) -> Outcome {
    let mut world = World::<E>::new(plan(case), 0);
    lead_up(&mut world, case);
    let statuses = world.honest_nodes().filter_map(|node| world.node(node).status());
    let mode = statuses.max_by_key(|status| (status.epoch, status.view)).map(|status| status.mode);
    let length = world.plan().options.timeout_min * 12 / 5;
    for cut in &case.rounds {
        let sides = [0, 1].map(|side| {
            (0..=case.validators).filter(|node| (cut >> node) & 1 == side).collect::<Vec<_>>()
        });
        world.network_mut().partition(&sides);
        world.submit();
        world.run_for(length);
    }
    let recovered = recover(&mut world);
    world.end(recovered);
    let record = world.record();
    Outcome {
        violations: world.violations().to_vec(),
        recovered,
        mode,
        mode_changes: record.mode_changes.len(),
        views: record.views.len(),
        blocks: world.max_final().get(),
        evidence: record.counters.evidence_found,
    }
}

fn plan(case: &Case) -> Plan {
    let calm = scenarios::calm(1, case.validators);
    let load = Load { transactions: 0, ..calm.load };
    Plan { twins: vec![case.twin], link: CALM, load, ..calm }
}

/// Brings the chain to where the rounds begin. The copy sleeps behind a cut meanwhile.
fn lead_up<E: Engine>(world: &mut World<E>, case: &Case) {
    let validators: Vec<usize> = (0..case.validators).collect();
    let copy = vec![case.validators];
    world.network_mut().partition(&[validators.clone(), copy.clone()]);
    if case.start == Start::First {
        return;
    }
    let options = world.plan().options;
    world.submit();
    run_until(world, options.timeout_max, |world| world.max_final().get() >= 1);
    let leaders = world.nodes().iter().filter_map(|node| node.status()?.leader);
    let leader = leaders.last().map_or(0, |leader| leader.as_usize());
    let rest = validators.iter().copied().filter(|node| *node != leader).collect();
    world.network_mut().partition(&[rest, copy.clone()]);
    world.submit();
    let before = world.record().views.len();
    run_until(world, options.timeout_max, |world| world.record().views.len() > before);
    world.network_mut().partition(&[validators, copy]);
    run_until(world, options.timeout_max, |world| world.open_transactions() == 0);
    if case.start == Start::Settled {
        for _ in 0..5 {
            world.submit();
            run_until(world, options.timeout_max, |world| world.open_transactions() == 0);
        }
    }
}

/// Everybody hears everybody, the copies too.
fn recover<E: Engine>(world: &mut World<E>) -> bool {
    if !world.violations().is_empty() {
        return false;
    }
    world.heal(CALM);
    world.network_mut().heal();
    world.submit();
    let bound = world.plan().recovery_bound;
    run_until(world, bound, |world| {
        world.open_transactions() == 0 && world.min_final() == world.max_final()
    })
}

fn run_until<E: Engine>(
    world: &mut World<E>,
    bound: Duration,
    done: impl FnMut(&World<E>) -> bool,
) -> bool {
    let end: Time = world.now() + bound;
    world.run_until(end, done)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn cases_are_all_different_and_all_there() {
        let all: BTreeSet<(usize, Vec<u32>)> = (0..count(4, 2))
            .map(|number| case(4, 2, Start::First, number))
            .map(|case| (case.twin, case.rounds))
            .collect();
        assert_eq!(all.len(), 4 * 16 * 16);
        assert!(all.iter().all(|(_, rounds)| rounds.iter().all(|cut| cut & 1 == 0 && *cut < 32)));
    }

    #[test]
    fn a_sample_repeats_nothing() {
        let sample = sample(4, 3, Start::Settled, 500, 1);
        let different: BTreeSet<_> =
            sample.iter().map(|case| (case.twin, case.rounds.clone())).collect();
        assert_eq!(different.len(), 500);
    }
}
