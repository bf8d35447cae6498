//! The commit phase and counting: docs/protocol/hybrid.md, V7 and F1.

use std::time::Duration;

use chain::block::{Mode, SealedBlock};
use chain::certificate::VoteKind;
use chain::types::View;
use consensus::hybrid::Message;

use crate::lone::Lone;
use crate::quill::{Special, ballot, reference};

const MS: Duration = Duration::from_millis(1);

/// Among seven a quorum of prepare votes is not yet final: the commit phase decides.
fn ordered() -> (Lone, SealedBlock) {
    let mut lone = Lone::new(7, 6);
    let genesis = lone.quill.genesis.hash;
    let special = Special { mode: Some(Mode::Pbft), ..Special::default() };
    let block = lone.quill.block(genesis, 0, special);
    (lone, block)
}

#[test]
fn v7_a_commit_vote_needs_the_blocks_data() {
    let (mut lone, block) = ordered();
    let certificate =
        lone.quill.certificate(VoteKind::Prepare, reference(&block), &[0, 1, 2, 3, 4]);
    lone.decide(certificate.clone());
    lone.pass(MS * 20);
    assert!(!lone.commit_voted_for(&block));
    lone.append(&block);
    lone.decide(certificate);
    lone.pass(MS * 20);
    assert!(lone.commit_voted_for(&block));
}

#[test]
fn v7_no_commit_vote_for_a_certificate_of_a_view_that_was_left() {
    let (mut lone, block) = ordered();
    lone.append(&block);
    lone.leave(0);
    assert_eq!(lone.view(), View::new(1));
    let certificate =
        lone.quill.certificate(VoteKind::Prepare, reference(&block), &[0, 1, 2, 3, 4]);
    lone.decide(certificate.clone());
    lone.pass(MS * 50);
    assert!(!lone.commit_voted_for(&block), "between two views");
    let start = lone.quill.start(1, reference(&block));
    lone.enter(start);
    lone.decide(certificate);
    lone.pass(MS * 50);
    assert!(!lone.commit_voted_for(&block), "in the next view");
}

#[test]
fn v7_no_commit_vote_where_too_few_prepared() {
    let (mut lone, block) = ordered();
    lone.append(&block);
    for voter in 0..3 {
        lone.votes(voter, ballot(VoteKind::Prepare, reference(&block)));
    }
    lone.pass(MS * 50);
    assert!(!lone.commit_voted_for(&block), "four of the five that are needed");
    lone.votes(3, ballot(VoteKind::Prepare, reference(&block)));
    lone.pass(MS * 50);
    assert!(lone.commit_voted_for(&block));
}

#[test]
fn v7_no_commit_vote_once_the_grace_time_runs_out_in_the_next_view() {
    let (mut lone, block) = ordered();
    lone.append(&block);
    let certificate =
        lone.quill.certificate(VoteKind::Prepare, reference(&block), &[0, 1, 2, 3, 4]);
    lone.decide(certificate);
    let start = lone.quill.start(1, reference(&block));
    lone.enter(start);
    lone.pass(MS * 20);
    assert!(!lone.commit_voted_for(&block));
}

#[test]
fn v7_no_commit_vote_in_a_view_without_its_certificate() {
    let (mut lone, _) = ordered();
    lone.leave(0);
    let genesis = lone.quill.genesis;
    let block = lone.quill.block(genesis.hash, 1, Special::default());
    lone.append(&block);
    let certificate =
        lone.quill.certificate(VoteKind::Prepare, reference(&block), &[0, 1, 2, 3, 4]);
    lone.decide(certificate);
    lone.pass(MS * 20);
    assert!(!lone.commit_voted_for(&block));
    let start = lone.quill.start(1, genesis);
    lone.enter(start);
    let again = lone.quill.certificate(VoteKind::Prepare, reference(&block), &[0, 1, 2, 3, 4]);
    lone.decide(again);
    lone.pass(MS * 20);
    assert!(lone.commit_voted_for(&block));
}

#[test]
fn v7_a_commit_vote_needs_the_ancestors_too() {
    let (mut lone, one) = ordered();
    let two = lone.quill.block(one.hash(), 0, Special::default());
    lone.append(&two);
    let certificate = lone.quill.certificate(VoteKind::Prepare, reference(&two), &[0, 1, 2, 3, 4]);
    lone.decide(certificate);
    lone.pass(MS * 20);
    assert!(!lone.commit_voted_for(&two));
    lone.tell(1, Message::Blocks(vec![one]));
    lone.pass(MS * 20);
    assert!(lone.commit_voted_for(&two));
}

#[test]
fn v7_commit_votes_of_a_view_only_go_up() {
    let (mut lone, one) = ordered();
    let two = lone.quill.block(one.hash(), 0, Special::default());
    lone.append(&one);
    lone.append(&two);
    for block in [&two, &one] {
        let voters = [0, 1, 2, 3, 4];
        let certificate = lone.quill.certificate(VoteKind::Prepare, reference(block), &voters);
        lone.decide(certificate);
        lone.pass(MS * 20);
    }
    assert!(lone.commit_voted_for(&two) && !lone.commit_voted_for(&one));
}

#[test]
fn f1_votes_on_two_blocks_of_one_place_make_no_certificate() {
    let (mut lone, block) = ordered();
    let genesis = lone.quill.genesis.hash;
    let rival = lone.quill.block(genesis, 0, Special::default());
    lone.append(&block);
    for (voter, on) in [(1, &rival), (3, &rival), (0, &block), (2, &block)] {
        lone.votes(voter, ballot(VoteKind::Prepare, reference(on)));
    }
    lone.pass(MS * 20);
    assert!(lone.voted_for(&block) && !lone.commit_voted_for(&block));
    assert_eq!(lone.status().ordered_height.get(), 0);
}
