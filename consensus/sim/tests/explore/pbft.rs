//! PBFT with a lying primary of the first of two views.

use consensus::engine::{Outgoing, Output};
use consensus::pbft::{Draft, Message, Pbft, Prepared, Rules};
use consensus_sim::explore::pbft::{LyingPrimary, Reach};

use crate::spoiled::{Bug, Spoiled};
use crate::{holds, is_caught, is_full};

/// A new view that starts from nothing, whatever was prepared.
#[derive(Clone, Copy, Debug)]
struct IgnoresPrepared;

impl Rules for IgnoresPrepared {
    fn choose<'a>(_reported: &[&'a Prepared]) -> Option<&'a Prepared> {
        None
    }
}

/// Reports nothing of what it prepared.
#[derive(Clone, Debug)]
struct HidesPrepared;

impl Bug<Pbft> for HidesPrepared {
    fn spoil(output: &mut Output<Message, Draft>) {
        for outgoing in &mut output.send_after_persist {
            if let Outgoing::Sign(_, Draft::ViewChange(report)) = outgoing {
                report.prepared.clear();
            }
        }
    }
}

#[test]
fn no_view_starts_beside_what_a_lying_primary_made_final() {
    for blocks in [1, 2] {
        let case = LyingPrimary::<Pbft>::new(Reach::ViewChange, blocks, 2_000_000);
        let found = holds(&format!("pbft, {blocks} blocks, up to the view change"), &case);
        assert!(found.exhausted);
    }
}

#[test]
fn the_second_view_agrees_with_the_first() {
    for blocks in [1, 2] {
        let max_states = if is_full() { 1_000_000 } else { 100_000 };
        let case = LyingPrimary::<Pbft>::new(Reach::SecondView, blocks, max_states);
        holds(&format!("pbft, {blocks} blocks, through the second view"), &case);
    }
}

#[test]
fn ignored_prepares_are_caught() {
    let bug = LyingPrimary::<Pbft<IgnoresPrepared>>::new(Reach::ViewChange, 2, 4_000_000);
    let what = is_caught("pbft that ignores what was prepared", &bug);
    assert!(what.contains("decided in view 0"), "{what}");
}

#[test]
fn hidden_prepares_are_caught() {
    let bug = LyingPrimary::<Spoiled<Pbft, HidesPrepared>>::new(Reach::ViewChange, 2, 4_000_000);
    let what = is_caught("pbft that hides what it prepared", &bug);
    assert!(what.contains("decided in view 0"), "{what}");
}
