//! Paxos with three validators over two ballots.

use std::marker::PhantomData;

use consensus::paxos::single::{self, Accepted};
use consensus::paxos::{Paper, Paxos, Record, Rules};
use consensus_sim::explore::paxos::Ballots;

use crate::spoiled::{Bug, Spoiled};
use crate::{holds, is_caught, is_full};

/// A candidate that ignores what others accepted.
#[derive(Clone, Copy, Debug)]
struct IgnoresAccepted;

impl single::Rules for IgnoresAccepted {
    fn choose<V: Clone>(_reports: &[Accepted<V>]) -> Option<V> {
        None
    }
}

impl Rules for IgnoresAccepted {}

/// The disk never hears of what was accepted.
#[derive(Clone, Debug)]
struct ForgetsAccepted;

impl Bug<Paxos<Paper>> for ForgetsAccepted {
    fn spoil_record(record: &mut Record) {
        record.accepted.clear();
    }
}

fn two_ballots<E>(timeouts: [u8; 3], crashes: u8, max_states: usize) -> Ballots<E> {
    Ballots { highest: 2, timeouts, crashes, transactions: 1, max_states, engine: PhantomData }
}

#[test]
fn two_ballots_of_any_candidates() {
    let found = holds("paxos", &two_ballots::<Paxos<Paper>>([1, 1, 1], 0, 2_000_000));
    assert!(found.exhausted);
}

#[test]
fn two_ballots_and_a_crash() {
    let found = holds("paxos, one crash", &two_ballots::<Paxos<Paper>>([1, 1, 1], 1, 2_000_000));
    assert!(found.exhausted);
    if is_full() {
        holds("paxos, two crashes", &two_ballots::<Paxos<Paper>>([1, 1, 1], 2, 5_000_000));
    }
}

#[test]
fn ignored_acceptances_are_caught() {
    let bug = two_ballots::<Paxos<IgnoresAccepted>>([1, 1, 1], 0, 8_000_000);
    is_caught("paxos that ignores what was accepted", &bug);
}

#[test]
fn acceptances_forgotten_at_a_restart_are_caught() {
    let bug = two_ballots::<Spoiled<Paxos<Paper>, ForgetsAccepted>>([1, 1, 1], 1, 8_000_000);
    is_caught("paxos that forgets what it accepted", &bug);
}
