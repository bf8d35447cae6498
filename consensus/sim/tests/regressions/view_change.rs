//! Leaving views and meeting in one: docs/protocol/hybrid.md, W1, W4, W8, W9 and "Timers".

use std::time::Duration;

use chain::types::View;
use consensus::hybrid::{Message, ViewAck};
use consensus_sim::plan::EngineOptions;

use crate::lone::Lone;
use crate::quill::{Special, reference};

const MS: Duration = Duration::from_millis(1);

fn suspect(lone: &mut Lone, sender: usize, view: u64) {
    let suspect = lone.quill.suspect(sender, view);
    lone.tell(sender, Message::Suspect(suspect));
}

fn blank(lone: &mut Lone, sender: usize, view: u64) {
    let change = lone.quill.view_change(sender, lone.quill.blank(view));
    lone.change(change);
}

fn suspicions(lone: &Lone) -> Vec<View> {
    lone.said(|message| match message {
        Message::Suspect(suspect) => Some(suspect.view),
        _ => None,
    })
}

#[test]
fn f_suspicions_bind_nothing_and_one_more_ends_the_view() {
    let mut lone = Lone::new(7, 6);
    for _ in 0..5 {
        suspect(&mut lone, 1, 0);
        suspect(&mut lone, 2, 0);
    }
    assert_eq!(lone.view(), View::new(0), "two of seven may lie");
    suspect(&mut lone, 3, 1);
    assert_eq!(lone.view(), View::new(0), "a suspicion of another view");
    suspect(&mut lone, 3, 0);
    assert_eq!(lone.view(), View::new(1));
}

#[test]
fn endless_view_changes_by_one_validator_move_nobody() {
    let mut lone = Lone::new(4, 3);
    for view in 1..200 {
        blank(&mut lone, 2, view);
    }
    assert_eq!(lone.view(), View::new(0));
    let block = lone.quill.block(lone.quill.genesis.hash, 0, Special::default());
    lone.append(&block);
    assert!(lone.voted_for(&block));
    assert!(lone.view_changes().is_empty());
}

#[test]
fn the_f_plus_first_highest_view_of_the_others_is_joined() {
    let mut lone = Lone::new(7, 6);
    blank(&mut lone, 1, 9);
    blank(&mut lone, 2, 7);
    blank(&mut lone, 1, 3);
    assert_eq!(lone.view(), View::new(0), "two of seven may lie, and of each the highest counts");
    blank(&mut lone, 3, 5);
    assert_eq!(lone.view(), View::new(5));
    blank(&mut lone, 4, 7);
    assert_eq!(lone.view(), View::new(7));
}

/// A validator alone in a high view waits there: its timer starts once enough others are as high.
#[test]
fn the_timer_of_a_view_runs_only_with_a_quorum_of_reports() {
    let options = EngineOptions::default();
    let mut lone = Lone::with(7, 6, options);
    lone.leave(0);
    assert_eq!(lone.view(), View::new(1));
    lone.forget_said();
    blank(&mut lone, 1, 1);
    blank(&mut lone, 2, 1);
    blank(&mut lone, 3, 1);
    lone.pass(options.timeout_max * 10);
    assert!(suspicions(&lone).is_empty(), "four of the five that are needed");
    assert!(!lone.view_changes().is_empty(), "it goes on saying where it is");
    blank(&mut lone, 4, 2);
    lone.pass(options.timeout_max * 2);
    assert_eq!(suspicions(&lone), [View::new(1)]);
}

/// However many views in a row made nothing final, the next suspicion comes within the cap.
#[test]
fn uncapped_timers_a_hundred_fruitless_views_later_the_cap_holds() {
    let options = EngineOptions::default();
    let mut lone = Lone::with(4, 3, options);
    for view in 1..=100 {
        for sender in [0, 1, 2] {
            blank(&mut lone, sender, view);
        }
    }
    assert_eq!(lone.view(), View::new(100));
    assert_eq!(lone.status().timeout, options.timeout_max * 2, "the first finality takes longer");
    lone.forget_said();
    lone.pass(options.timeout_max * 2 + MS);
    assert_eq!(suspicions(&lone), [View::new(100)]);
}

#[test]
fn fruitless_views_double_the_timeout_up_to_the_cap() {
    let options = EngineOptions::default();
    let mut lone = Lone::with(4, 3, options);
    let mut timeouts = vec![lone.status().timeout];
    for view in 1..=5 {
        for sender in [0, 1, 2] {
            blank(&mut lone, sender, view);
        }
        timeouts.push(lone.status().timeout);
    }
    let expected = [100, 200, 400, 800, 800, 800].map(|ms| MS * ms);
    assert_eq!(timeouts, expected, "twice {:?}, capped", options.timeout_min);
}

/// Signs of life and new blocks are no finality: one who is shown no certificate loses patience.
#[test]
fn the_work_timer_restarts_with_finality_not_with_appends() {
    let options = EngineOptions::default();
    let mut lone = Lone::with(4, 3, options);
    let mut parent = lone.quill.genesis.hash;
    let mut waited = Duration::ZERO;
    while waited < options.timeout_min * 2 {
        assert!(suspicions(&lone).is_empty(), "after {waited:?}");
        let block = lone.quill.block(parent, 0, Special::default());
        lone.append(&block);
        parent = block.hash();
        lone.pass(MS * 10);
        waited += MS * 10;
    }
    lone.pass(MS * 10);
    assert_eq!(suspicions(&lone), [View::new(0)]);
}

fn acknowledge(lone: &mut Lone, sender: usize, ack: ViewAck) {
    lone.tell(sender, Message::ViewAck(ack));
}

/// Validator 1 leads view 1 and has sent its choice of reports.
fn gathering() -> Lone {
    let mut lone = Lone::new(7, 1);
    for sender in [2, 3, 4, 5] {
        blank(&mut lone, sender, 1);
    }
    assert_eq!(lone.status().leader, None);
    lone
}

#[test]
fn a_quorum_of_acknowledgements_of_one_tip_starts_a_view() {
    let mut lone = gathering();
    let genesis = lone.quill.genesis;
    let start = lone.quill.start(1, genesis);
    let block = lone.quill.block(genesis.hash, 0, Special::default());
    let other = lone.quill.start(1, reference(&block));
    // Another tip is another statement, and each validator has one.
    for tip in [other, start] {
        let ack = lone.quill.ack(5, tip);
        acknowledge(&mut lone, 5, ack);
    }
    // Its own is the first.
    for sender in [2, 3, 4] {
        let ack = lone.quill.ack(sender, start);
        acknowledge(&mut lone, sender, ack.clone());
        acknowledge(&mut lone, sender, ack);
    }
    assert_eq!(lone.status().leader, None, "four of the five that are needed");
    let ack = lone.quill.ack(6, start);
    acknowledge(&mut lone, 6, ack);
    assert_eq!(lone.status().leader.map(|leader| leader.as_usize()), Some(1));
}

/// One who acknowledges many tips takes nobody's place.
#[test]
fn a_flood_of_acknowledgements_by_one_stops_no_view() {
    let mut lone = gathering();
    let genesis = lone.quill.genesis;
    for height in 0..20 {
        let mut tip = genesis;
        tip.hash.0[0] ^= height + 1;
        let ack = lone.quill.ack(0, lone.quill.start(1, tip));
        acknowledge(&mut lone, 0, ack);
    }
    for sender in [2, 3, 4, 5] {
        let ack = lone.quill.ack(sender, lone.quill.start(1, genesis));
        acknowledge(&mut lone, sender, ack);
    }
    assert_eq!(lone.status().leader.map(|leader| leader.as_usize()), Some(1));
}

#[test]
fn acknowledgements_in_other_names_or_of_other_views_start_nothing() {
    let mut lone = gathering();
    let genesis = lone.quill.genesis;
    let start = lone.quill.start(1, genesis);
    for named in [2, 3, 4, 5] {
        let ack = lone.quill.ack(named, start);
        acknowledge(&mut lone, 6, ack);
        let later = lone.quill.ack(named, lone.quill.start(8, genesis));
        acknowledge(&mut lone, named, later);
    }
    assert_eq!(lone.status().leader, None);
    assert_eq!(lone.refused("an acknowledgement of somebody else"), 4);
}

/// It must not lead the view on, and says so: nobody has to wait for its silence to become long.
#[test]
fn a_leader_that_restarts_abdicates_at_once() {
    let mut lone = Lone::new(4, 0);
    lone.world.submit();
    lone.pass(MS * 20);
    assert!(lone.record().is_some_and(|record| record.led.is_some()), "it led");
    assert_eq!(suspicions(&lone), []);
    lone.restart();
    assert_eq!(suspicions(&lone), [View::new(0)]);
}

#[test]
fn followers_do_not_wait_for_a_leader_that_abdicates() {
    let mut lone = Lone::new(4, 3);
    let suspect = lone.quill.suspect(2, 0);
    lone.tell(2, Message::Suspect(suspect));
    assert_eq!(suspicions(&lone), [], "another one's suspicion binds nothing");

    let mut lone = Lone::new(4, 3);
    let suspect = lone.quill.suspect(0, 0);
    lone.tell(0, Message::Suspect(suspect));
    assert_eq!(suspicions(&lone), [View::new(0)]);
    assert_eq!(lone.view().get(), 1, "two of four suspect it");
}
