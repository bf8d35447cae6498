//! Single-decree Paxos, claim by claim, and every order of its messages in a small scope.

use std::collections::BTreeSet;

use super::*;

const N: usize = 3;

fn ballot(number: u64) -> View {
    View::new(number)
}

fn acceptor(index: u16) -> ValidatorIndex {
    ValidatorIndex::new(index)
}

#[test]
fn an_acceptor_promises_only_greater_numbers() {
    let mut state = Acceptor::<char>::default();
    assert_eq!(state.handle_prepare::<Paper>(ballot(2)), Some(None));
    assert_eq!(state.handle_prepare::<Paper>(ballot(2)), None);
    assert_eq!(state.handle_prepare::<Paper>(ballot(1)), None);
    assert_eq!(state.promised, ballot(2));
}

#[test]
fn an_acceptor_accepts_unless_it_promised_more() {
    let mut state = Acceptor::default();
    assert!(state.handle_accept::<Paper>(ballot(1), 'a'), "nothing promised");
    assert_eq!(
        state.handle_prepare::<Paper>(ballot(3)),
        Some(Some(Accepted { ballot: ballot(1), value: 'a' })),
        "and it tells what it accepted"
    );
    assert!(!state.handle_accept::<Paper>(ballot(2), 'b'));
    assert!(state.handle_accept::<Paper>(ballot(3), 'c'));
    assert_eq!(state.accepted, Some(Accepted { ballot: ballot(3), value: 'c' }));
}

#[test]
fn a_proposer_takes_the_value_of_the_highest_ballot_and_else_its_own() {
    let reported = |number, value| Some(Accepted { ballot: ballot(number), value });
    let table = [
        (vec![None, None], Some('x')),
        (vec![None, reported(1, 'a')], Some('a')),
        (vec![reported(2, 'b'), reported(1, 'a')], Some('b')),
        (vec![reported(2, 'b')], None),
    ];
    for (reports, expected) in table {
        let mut proposer = Proposer::new(ballot(3), 'x');
        let proposed = (0u16..)
            .zip(reports.clone())
            .filter_map(|(from, report)| {
                proposer.handle_promise::<Paper>(acceptor(from), report, N)
            })
            .last();
        assert_eq!(proposed, expected, "{reports:?}");
    }
}

#[test]
fn a_learner_counts_acceptors_of_one_ballot() {
    let mut learner = Learner::default();
    assert_eq!(learner.handle_accepted::<Paper>(acceptor(0), ballot(1), 'a', N), None);
    assert_eq!(learner.handle_accepted::<Paper>(acceptor(0), ballot(1), 'a', N), None);
    assert_eq!(learner.handle_accepted::<Paper>(acceptor(1), ballot(2), 'a', N), None);
    assert_eq!(learner.handle_accepted::<Paper>(acceptor(1), ballot(1), 'a', N), Some('a'));
}

/// A message on its way. Any may be delivered next, and any may never be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wire {
    Prepare(u16, View),
    Promise(usize, u16, Option<Accepted<char>>),
    Accept(u16, View, char),
    Accepted(u16, View, char),
}

/// Three acceptors, proposers with ballots of their own, and what is on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    acceptors: Vec<Acceptor<char>>,
    proposers: Vec<Proposer<char>>,
    learner: Learner<char>,
    chosen: BTreeSet<char>,
    wires: BTreeSet<Wire>,
}

impl State {
    /// One proposer per ballot: the third proposes again what the first would.
    fn start(ballots: u64) -> Self {
        let proposers: Vec<Proposer<char>> = (1..=ballots)
            .map(|number| Proposer::new(ballot(number), if number == 2 { 'b' } else { 'a' }))
            .collect();
        let prepares = proposers
            .iter()
            .flat_map(|proposer| (0..N as u16).map(|to| Wire::Prepare(to, proposer.ballot)));
        Self {
            acceptors: vec![Acceptor::default(); N],
            learner: Learner::default(),
            chosen: BTreeSet::new(),
            wires: prepares.collect(),
            proposers,
        }
    }

    fn deliver<R: Rules>(mut self, wire: &Wire) -> Self {
        self.wires.remove(wire);
        match wire.clone() {
            Wire::Prepare(at, number) => {
                let promise = self.acceptors[usize::from(at)].handle_prepare::<R>(number);
                let to = self.proposers.iter().position(|proposer| proposer.ballot == number);
                self.wires
                    .extend(promise.zip(to).map(|(accepted, to)| Wire::Promise(to, at, accepted)));
            }
            Wire::Promise(to, from, accepted) => {
                let proposer = &mut self.proposers[to];
                let value = proposer.handle_promise::<R>(acceptor(from), accepted, N);
                let number = proposer.ballot;
                let accepts = value
                    .into_iter()
                    .flat_map(|value| (0..N as u16).map(move |at| Wire::Accept(at, number, value)));
                self.wires.extend(accepts);
            }
            Wire::Accept(at, number, value) => {
                if self.acceptors[usize::from(at)].handle_accept::<R>(number, value) {
                    self.wires.insert(Wire::Accepted(at, number, value));
                }
            }
            Wire::Accepted(from, number, value) => {
                let chosen = self.learner.handle_accepted::<R>(acceptor(from), number, value, N);
                self.chosen.extend(chosen);
            }
        }
        self
    }

    /// What is learnt changes nothing else: delivered at once it spares most orders.
    fn settle<R: Rules>(mut self) -> Self {
        while let Some(wire) =
            self.wires.iter().find(|wire| matches!(wire, Wire::Accepted(..))).cloned()
        {
            self = self.deliver::<R>(&wire);
        }
        self
    }
}

/// Three proposers, the first of which reached one acceptor and died: keeps the search small.
fn after_a_lost_proposer() -> State {
    let mut state = State::start(3);
    for wire in [
        Wire::Prepare(0, ballot(1)),
        Wire::Prepare(1, ballot(1)),
        Wire::Promise(0, 0, None),
        Wire::Promise(0, 1, None),
        Wire::Accept(0, ballot(1), 'a'),
    ] {
        state = state.deliver::<Paper>(&wire);
    }
    let lost = |wire: &Wire| {
        matches!(wire, Wire::Prepare(_, number) | Wire::Accept(_, number, _)
            if *number == ballot(1))
    };
    state.wires.retain(|wire| !lost(wire));
    state
}

/// Visits every state that some order of deliveries reaches, until two values are chosen.
/// Returns the number of states, and whether agreement broke.
fn search<R: Rules>(start: State) -> (usize, bool) {
    let (mut seen, mut open) = (BTreeSet::from([start.clone()]), vec![start]);
    while let Some(state) = open.pop() {
        for wire in &state.wires {
            let next = state.clone().deliver::<R>(wire).settle::<R>();
            if next.chosen.len() > 1 {
                return (seen.len(), true);
            }
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    (seen.len(), false)
}

macro_rules! mutants {
    ($($name:ident: $rule:item)+) => {
        $(
            #[derive(Clone, Debug)]
            struct $name;

            impl Rules for $name {
                $rule
            }
        )+
    };
}

mutants! {
    AcceptsBelowPromise: fn accepts(_promised: View, _ballot: View) -> bool {
        true
    }
    IgnoresReports: fn choose<V: Clone>(_reports: &[Accepted<V>]) -> Option<V> {
        None
    }
    CountsMinorities: fn majority(n: usize) -> usize {
        n / 2
    }
    TakesTheLowest: fn choose<V: Clone>(reports: &[Accepted<V>]) -> Option<V> {
        reports.iter().min_by_key(|report| report.ballot).map(|report| report.value.clone())
    }
}

#[test]
fn no_order_of_messages_breaks_agreement() {
    let (states, broken) = search::<Paper>(State::start(2));
    println!("two proposers, three acceptors: {states} states");
    assert!(!broken);
    assert!(states > 10_000, "the search looks at {states} states");
}

#[test]
fn every_mutant_breaks_agreement() {
    let found = [
        ("accepts below a promise", search::<AcceptsBelowPromise>(State::start(2))),
        ("ignores what was accepted", search::<IgnoresReports>(State::start(2))),
        ("counts minorities", search::<CountsMinorities>(State::start(2))),
        // Two accepted values are reported only to a third ballot.
        ("takes the lowest ballot's value", search::<TakesTheLowest>(after_a_lost_proposer())),
    ];
    for (name, (states, broken)) in found {
        println!("{name}: {states} states");
        assert!(broken, "{name} is not caught");
    }
}
