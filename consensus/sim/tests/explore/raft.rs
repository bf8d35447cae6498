//! Raft with three servers over two terms.

use std::marker::PhantomData;

use consensus::raft::{LogEnd, Promises, Raft, Rules, Thesis};
use consensus_sim::explore::raft::Elections;

use crate::spoiled::{Bug, Spoiled};
use crate::{holds, is_caught, is_full};

/// Whoever asks first gets the vote, whatever its log lacks.
#[derive(Clone, Copy, Debug)]
struct AnyLog;

impl Rules for AnyLog {
    fn is_up_to_date(_candidate: LogEnd, _voter: LogEnd) -> bool {
        true
    }

    fn asks_before_election() -> bool {
        false
    }

    fn checks_quorum() -> bool {
        false
    }
}

/// Elections as in the first part of the thesis: PreVote and CheckQuorum only make them rarer, so
/// without them there are more schedules, and fewer states for each.
#[derive(Clone, Copy, Debug)]
struct Bare;

impl Rules for Bare {
    fn asks_before_election() -> bool {
        false
    }

    fn checks_quorum() -> bool {
        false
    }
}

/// The disk never hears of a vote.
#[derive(Clone, Debug)]
struct ForgetsVote;

impl Bug<Raft<Bare>> for ForgetsVote {
    fn spoil_record(record: &mut Promises) {
        record.voted_for = None;
    }
}

fn two_terms<E>(timeouts: [u8; 3], crashes: u8, max_states: usize) -> Elections<E> {
    Elections { terms: 2, timeouts, crashes, transactions: 0, max_states, engine: PhantomData }
}

#[test]
fn two_terms_of_two_candidates() {
    let bare = holds("raft, bare", &two_terms::<Raft<Bare>>([1, 1, 0], 0, 3_000_000));
    let thesis = holds("raft, thesis", &two_terms::<Raft<Thesis>>([1, 1, 0], 0, 3_000_000));
    assert!(bare.exhausted && thesis.exhausted);
}

#[test]
fn two_terms_and_a_crash() {
    let bare = holds("raft, bare, one crash", &two_terms::<Raft<Bare>>([1, 1, 0], 1, 3_000_000));
    let thesis = two_terms::<Raft<Thesis>>([1, 1, 0], 1, 3_000_000);
    let thesis = holds("raft, thesis, one crash", &thesis);
    assert!(bare.exhausted && thesis.exhausted);
}

#[test]
fn two_terms_of_three_candidates() {
    let max_states = if is_full() { 1_000_000 } else { 100_000 };
    holds("raft, three candidates", &two_terms::<Raft<Thesis>>([1, 1, 1], 0, max_states));
    if is_full() {
        let crash = two_terms::<Raft<Bare>>([1, 1, 1], 1, max_states);
        holds("raft, bare, three candidates, one crash", &crash);
    }
}

#[test]
fn a_vote_for_a_shorter_log_is_caught() {
    is_caught("raft that votes for any log", &two_terms::<Raft<AnyLog>>([1, 1, 0], 0, 8_000_000));
}

#[test]
fn a_vote_forgotten_at_a_restart_is_caught() {
    let bug = two_terms::<Spoiled<Raft<Bare>, ForgetsVote>>([1, 1, 0], 1, 8_000_000);
    let what = is_caught("raft that forgets its vote", &bug);
    assert!(what.contains("Election"), "{what}");
}
