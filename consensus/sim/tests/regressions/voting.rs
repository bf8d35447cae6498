//! What a validator votes for, rule by rule: docs/protocol/hybrid.md, V1-V5 and P3.

use std::time::Duration;

use chain::block::{BlockKind, SealedBlock};
use chain::certificate::VoteKind;
use chain::types::View;
use consensus::hybrid::{Append, Message};

use crate::lone::Lone;
use crate::quill::{Special, index, reference, starting};

const MS: Duration = Duration::from_millis(1);

/// Validator 3 of four, with the first `count` blocks of view 0 in its hands.
fn followed(count: usize) -> (Lone, Vec<SealedBlock>) {
    let mut lone = Lone::new(4, 3);
    let mut parent = lone.quill.genesis.hash;
    let mut blocks = Vec::new();
    for _ in 0..count {
        let block = lone.quill.block(parent, 0, Special::default());
        lone.append(&block);
        parent = block.hash();
        blocks.push(block);
    }
    (lone, blocks)
}

#[test]
fn v1_a_block_that_the_views_leader_did_not_sign_gets_no_vote() {
    let (mut lone, _) = followed(0);
    let genesis = lone.quill.genesis.hash;
    let block = lone.quill.block(genesis, 0, Special::default());
    let usurped = lone.quill.altered(&block, |header| header.proposer = index(1));
    lone.append(&usurped);
    assert!(!lone.voted_for(&usurped));
    assert_eq!(lone.refused("a header of one who does not lead"), 1);
    let forged = lone.quill.altered(&block, |header| header.proposer = index(1));
    let mut forged = (*forged).clone();
    forged.header.proposer = index(0);
    let forged = SealedBlock::new(forged);
    lone.append(&forged);
    assert!(!lone.voted_for(&forged));
    assert_eq!(lone.refused("a header with a wrong signature"), 1);
    lone.append(&block);
    assert!(lone.voted_for(&block), "the leader's own block gets it");
}

#[test]
fn v1_a_block_of_a_view_waits_for_the_views_certificate() {
    let (mut lone, _) = followed(0);
    let genesis = lone.quill.genesis;
    let start = lone.quill.start(1, genesis);
    let certificate = lone.quill.view_certificate(start, &[0, 1, 2]);
    let one = lone.quill.block(genesis.hash, 1, starting(&certificate));
    let two = lone.quill.block(one.hash(), 1, Special::default());
    lone.append(&two);
    assert!(!lone.voted_for(&two) && lone.view() == View::new(0));
    lone.append(&one);
    assert!(lone.voted_for(&one) && lone.voted_for(&two) && lone.view() == View::new(1));
}

#[test]
fn v1_no_vote_in_a_view_that_was_left() {
    let (mut lone, blocks) = followed(1);
    lone.leave(0);
    assert_eq!(lone.view(), View::new(1));
    let next = lone.quill.block(blocks[0].hash(), 0, Special::default());
    lone.append(&next);
    assert!(lone.voted_for(&blocks[0]) && !lone.voted_for(&next));
}

#[test]
fn v1_no_vote_in_a_lower_view_than_the_own() {
    let (mut lone, _) = followed(0);
    let genesis = lone.quill.genesis;
    let start = lone.quill.start(2, genesis);
    lone.enter(start);
    let low = lone.quill.start(1, genesis);
    let certificate = lone.quill.view_certificate(low, &[0, 1, 2]);
    let block = lone.quill.block(genesis.hash, 1, starting(&certificate));
    lone.append(&block);
    assert!(!lone.voted_for(&block));
    assert_eq!(lone.view(), View::new(2), "views only grow");
}

#[test]
fn v2_the_first_vote_of_a_view_starts_exactly_on_its_tip() {
    let (mut lone, blocks) = followed(2);
    let start = lone.quill.start(1, reference(&blocks[0]));
    lone.enter(start);
    let above = lone.quill.block(blocks[1].hash(), 1, Special::default());
    lone.append(&above);
    let genesis = lone.quill.genesis.hash;
    let below = lone.quill.block(genesis, 1, Special::default());
    lone.append(&below);
    assert!(!lone.voted_for(&above) && !lone.voted_for(&below));
    let certificate = lone.quill.view_certificate(start, &[0, 1, 2]);
    let first = lone.quill.block(blocks[0].hash(), 1, starting(&certificate));
    lone.append(&first);
    assert!(lone.voted_for(&first));
}

#[test]
fn v2_the_first_block_of_a_view_carries_the_certificate() {
    let (mut lone, blocks) = followed(1);
    let start = lone.quill.start(1, reference(&blocks[0]));
    let certificate = lone.enter(start);
    let without = lone.quill.block(blocks[0].hash(), 1, Special::default());
    lone.append_with(&without, Some(certificate.clone()));
    assert!(!lone.voted_for(&without));
    let start = lone.quill.start(2, reference(&blocks[0]));
    let certificate = lone.enter(start);
    let with = lone.quill.block(blocks[0].hash(), 2, starting(&certificate));
    lone.append(&with);
    assert!(lone.voted_for(&with));
}

/// View 4, led by one whose first equivocation is known: further ones end no view, so nothing but
/// the voting rule stands between this validator and a second vote.
#[test]
fn v2_a_later_vote_strictly_extends_the_last() {
    let (mut lone, _) = followed(0);
    let known = crate::epochs::evidence(&mut lone);
    lone.tell(1, Message::Evidence(Box::new(known)));
    let genesis = lone.quill.genesis;
    let start = lone.quill.start(4, genesis);
    let certificate = lone.enter(start);
    let one = lone.quill.block(genesis.hash, 4, starting(&certificate));
    lone.append(&one);
    let rival = lone.quill.block(genesis.hash, 4, starting(&certificate));
    let above = lone.quill.block(rival.hash(), 4, Special::default());
    lone.append(&rival);
    lone.append(&above);
    assert_eq!(lone.view(), View::new(4));
    assert!(lone.voted_for(&one));
    assert!(!lone.voted_for(&rival), "a second vote for one height");
    assert!(!lone.voted_for(&above), "a higher block of another branch");
    let two = lone.quill.block(one.hash(), 4, Special::default());
    lone.append(&two);
    assert!(lone.voted_for(&two));
}

#[test]
fn v3_no_vote_before_every_ancestor_is_here_and_executed() {
    let mut lone = Lone::new(4, 3);
    let genesis = lone.quill.genesis.hash;
    let one = lone.quill.block(genesis, 0, Special::default());
    let two = lone.quill.block(one.hash(), 0, Special::default());
    lone.append(&two);
    assert!(!lone.voted_for(&two), "its parent is missing");
    lone.tell(0, Message::Blocks(vec![one]));
    assert!(lone.voted_for(&two));
}

#[test]
fn v3_a_wrong_state_root_gets_no_vote_and_neither_does_what_is_built_on_it() {
    let mut lone = Lone::new(4, 3);
    let genesis = lone.quill.genesis.hash;
    let good = lone.quill.block(genesis, 0, Special::default());
    let child = lone.quill.block(good.hash(), 0, Special::default());
    let wrong = lone.quill.altered(&good, |header| header.state_root.0[0] ^= 1);
    let child = lone.quill.altered(&child, |header| header.parent = wrong.hash());
    lone.append(&wrong);
    lone.append(&child);
    assert!(!lone.voted_for(&wrong) && !lone.voted_for(&child));
    assert_eq!(lone.world.record().counters.blocks_refused, 1);
}

#[test]
fn v4_nothing_but_a_seal_of_a_later_view_gets_a_vote_above_a_barrier() {
    let mut lone = Lone::new(4, 3);
    let barrier = crate::epochs::barrier_in_view_1(&mut lone);
    assert_eq!(barrier.header.kind, BlockKind::Barrier);
    assert!(lone.voted_for(&barrier));
    let seal = Special { seal: true, ..Special::default() };
    let early = lone.quill.block(barrier.hash(), 1, seal.clone());
    lone.append(&early);
    assert!(!lone.voted_for(&early), "a seal of the barrier's own view");

    let start = lone.quill.start(2, reference(&barrier));
    let certificate = lone.enter(start);
    let ordinary = lone.quill.block(barrier.hash(), 2, starting(&certificate));
    lone.append(&ordinary);
    assert!(!lone.voted_for(&ordinary), "an ordinary block above a barrier");

    let start = lone.quill.start(4, reference(&barrier));
    let certificate = lone.enter(start);
    let sealing = Special { seal: true, ..starting(&certificate) };
    let sealing = lone.quill.block(barrier.hash(), 4, sealing);
    lone.append(&sealing);
    assert!(lone.voted_for(&sealing), "a seal of a later view");
}

#[test]
fn v4_an_ordinary_block_above_a_barrier_of_its_own_view_gets_no_vote() {
    let mut lone = Lone::new(4, 3);
    let barrier = crate::epochs::barrier_in_view_1(&mut lone);
    let above = lone.quill.block(barrier.hash(), 1, Special::default());
    lone.append(&above);
    assert!(lone.voted_for(&barrier) && !lone.voted_for(&above));
}

#[test]
fn v4_a_seal_above_no_barrier_gets_no_vote() {
    let (mut lone, blocks) = followed(1);
    let seal = Special { seal: true, ..Special::default() };
    let seal = lone.quill.block(blocks[0].hash(), 0, seal);
    lone.append(&seal);
    assert!(lone.voted_for(&blocks[0]) && !lone.voted_for(&seal));
}

#[test]
fn v5_votes_go_at_most_the_pipeline_above_the_highest_certificate() {
    // The bound is four blocks in these worlds.
    let (mut lone, blocks) = followed(5);
    assert!(lone.voted_for(&blocks[3]) && !lone.voted_for(&blocks[4]));
    let certificate = lone.quill.certificate(VoteKind::Prepare, reference(&blocks[0]), &[0, 1, 2]);
    let append = Append {
        epoch: lone.quill.set.epoch,
        view: View::new(0),
        head: reference(&blocks[4]),
        view_certificate: None,
        certificates: vec![certificate],
        blocks: Vec::new(),
        votes: Vec::new(),
    };
    lone.tell(0, Message::Append(append));
    let six = lone.quill.block(blocks[4].hash(), 0, Special::default());
    lone.append(&six);
    assert!(!lone.voted_for(&six), "five blocks above the certificate");
    let certificate = lone.quill.certificate(VoteKind::Prepare, reference(&blocks[1]), &[0, 1, 2]);
    lone.decide(certificate);
    let seven = lone.quill.block(six.hash(), 0, Special::default());
    lone.append(&seven);
    assert!(!lone.voted_for(&seven));
}

/// The certificate of a view lets validators vote for what came before it: not for what is invalid.
#[test]
fn v3_an_invalid_block_that_came_before_its_views_certificate_gets_no_vote() {
    let (mut lone, _) = followed(0);
    let genesis = lone.quill.genesis;
    let start = lone.quill.start(1, genesis);
    let certificate = lone.quill.view_certificate(start, &[0, 1, 2]);
    let one = lone.quill.block(genesis.hash, 1, starting(&certificate));
    let two = lone.quill.block(one.hash(), 1, Special::default());
    let wrong = lone.quill.altered(&two, |header| header.state_root.0[0] ^= 1);
    lone.append(&wrong);
    lone.append(&one);
    assert!(lone.voted_for(&one) && !lone.voted_for(&wrong));
    assert_eq!(lone.world.record().counters.blocks_refused, 1);

    let start = lone.quill.start(2, reference(&one));
    let certificate = lone.quill.view_certificate(start, &[0, 1, 2]);
    let good = lone.quill.block(one.hash(), 2, Special::default());
    let wrong = lone.quill.altered(&good, |header| header.state_root.0[0] ^= 1);
    let above = lone.quill.altered(&good, |header| {
        header.parent = wrong.hash();
        header.height = header.height.next();
    });
    lone.append(&wrong);
    lone.append(&above);
    assert_eq!(lone.world.record().counters.blocks_refused, 2);
    lone.enter(certificate.start);
    assert!(!lone.voted_for(&wrong) && !lone.voted_for(&above));
}

/// The leader's side of V5: it proposes no more than the others may vote for.
#[test]
fn p3_a_leader_proposes_at_most_the_pipeline_ahead() {
    let mut lone = Lone::new(4, 0);
    for _ in 0..20 {
        lone.world.submit();
        lone.pass(MS * 2);
    }
    let heights = |lone: &Lone| {
        lone.said(|message| match message {
            Message::Append(append) => append.blocks.first().map(|block| block.header.height.get()),
            _ => None,
        })
    };
    assert_eq!(heights(&lone), [1, 2, 3, 4]);
}
