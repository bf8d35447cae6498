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
    for (mode, blocks) in [(Mode::Fast, 1), (Mode::Fast, 2), (Mode::Pbft, 1), (Mode::Pbft, 2)] {
        // A mode decides to whom votes go, and here none arrive: the states are those of fast mode.
        if (mode, blocks) == (Mode::Pbft, 2) && !is_full() {
            continue;
        }
        let case = LyingLeader::<Hybrid>::new(mode, Reach::ViewChange, blocks, 2_000_000);
        let name = format!("hybrid, {mode:?}, {blocks} blocks, up to the view change");
        assert!(holds(&name, &case).exhausted);
    }
}

#[test]
fn the_votes_of_the_second_view_agree_with_the_first() {
    let reach = Reach::SecondView;
    let one = LyingLeader::<Hybrid>::new(Mode::Fast, reach, 1, 1_000_000);
    assert!(holds("hybrid, 1 block, through the second view", &one).exhausted);
    let max_states = if is_full() { 1_000_000 } else { 50_000 };
    let two = LyingLeader::<Hybrid>::new(Mode::Fast, reach, 2, max_states);
    holds("hybrid, 2 blocks, through the second view", &two);
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
