//! The hybrid with a lying leader of the first of two views.

use chain::block::Mode;
use consensus::engine::{Outgoing, Output};
use consensus::hybrid::{Draft, Hybrid, Message};
use consensus_sim::explore::hybrid::{LyingLeader, Reach};

use crate::spoiled::{Bug, Spoiled};
use crate::{holds, is_caught, is_full};

/// Reports nothing of what it voted for.
#[derive(Clone, Debug)]
struct ForgetsVotes;

impl Bug<Hybrid> for ForgetsVotes {
    fn spoil(output: &mut Output<Message, Draft>) {
        for outgoing in &mut output.send_after_persist {
            if let Outgoing::Sign(_, Draft::ViewChange(report)) = outgoing {
                report.last_vote = None;
            }
        }
    }
}

fn bound(short: usize, full: usize) -> usize {
    if is_full() { full } else { short }
}

#[test]
fn one_block_at_most_is_voted_through_in_the_first_view() {
    for mode in [Mode::Fast, Mode::Pbft] {
        for blocks in [1, 2] {
            let case = LyingLeader::<Hybrid>::new(mode, Reach::FirstView, blocks, 2_000_000);
            let found = holds(&format!("hybrid, {mode:?}, {blocks} blocks, first view"), &case);
            assert!(found.exhausted);
        }
    }
}

#[test]
fn no_view_starts_beside_what_a_lying_leader_made_final() {
    for mode in [Mode::Fast, Mode::Pbft] {
        for blocks in [1, 2] {
            let case = LyingLeader::<Hybrid>::new(mode, Reach::ViewChange, blocks, 2_000_000);
            let name = format!("hybrid, {mode:?}, {blocks} blocks, up to the view change");
            assert!(holds(&name, &case).exhausted);
        }
    }
}

#[test]
fn the_votes_of_the_second_view_agree_with_the_first() {
    for blocks in [1, 2] {
        let max_states = bound(100_000, 1_000_000);
        let case = LyingLeader::<Hybrid>::new(Mode::Fast, Reach::SecondView, blocks, max_states);
        holds(&format!("hybrid, {blocks} blocks, through the second view"), &case);
    }
}

#[test]
fn a_forgotten_vote_is_caught() {
    let bug = LyingLeader::<Spoiled<Hybrid, ForgetsVotes>>::new(
        Mode::Fast,
        Reach::ViewChange,
        2,
        4_000_000,
    );
    let what = is_caught("hybrid that forgets its votes", &bug);
    assert!(what.contains("decided in view 0"), "{what}");
}
