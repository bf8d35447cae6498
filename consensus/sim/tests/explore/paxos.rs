//! Paxos with three validators over two ballots.

use std::marker::PhantomData;

use consensus::paxos::Paper;
use consensus_sim::explore::paxos::Ballots;

use crate::{holds, is_full};

fn two_ballots<R>(timeouts: [u8; 3], crashes: u8, max_states: usize) -> Ballots<R> {
    Ballots { highest: 2, timeouts, crashes, transactions: 1, max_states, rules: PhantomData }
}

#[test]
fn two_ballots_of_any_candidates() {
    let found = holds("paxos", &two_ballots::<Paper>([1, 1, 1], 0, 2_000_000));
    assert!(found.exhausted);
}

#[test]
fn two_ballots_and_a_crash() {
    let max_states = if is_full() { 10_000_000 } else { 500_000 };
    holds("paxos, one crash", &two_ballots::<Paper>([1, 1, 1], 1, max_states));
}
