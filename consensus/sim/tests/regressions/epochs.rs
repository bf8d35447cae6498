//! Evidence, barriers and seals: docs/protocol/hybrid.md, V4, F5, F6 and "Evidence".

use std::time::Duration;

use chain::block::{BlockKind, SealedBlock};
use chain::certificate::VoteKind;
use chain::evidence::Evidence;
use chain::types::{Epoch, View};
use consensus::hybrid::Message;
use consensus_sim::disk::CrashPoint;
use consensus_sim::plan::Fault;

use crate::lone::Lone;
use crate::quill::{Special, index, reference, starting};

const MS: Duration = Duration::from_millis(1);

/// The leader of view 0 signs two blocks for height 1.
pub(crate) fn evidence(lone: &mut Lone) -> Evidence {
    let genesis = lone.quill.genesis.hash;
    let one = lone.quill.block(genesis, 0, Special::default());
    let two = lone.quill.block(genesis, 0, Special::default());
    let (one, two) = (one.signed_header(), two.signed_header());
    Evidence::from_headers(&one, &two, &lone.quill.chain_id).unwrap()
}

/// View 1 begins on genesis with a barrier that accuses the leader of view 0.
pub(crate) fn barrier_in_view_1(lone: &mut Lone) -> SealedBlock {
    let evidence = evidence(lone);
    let genesis = lone.quill.genesis;
    let start = lone.quill.start(1, genesis);
    let certificate = lone.enter(start);
    let special = Special { evidence: Some(evidence), ..starting(&certificate) };
    let barrier = lone.quill.block(genesis.hash, 1, special);
    lone.append(&barrier);
    barrier
}

#[test]
fn evidence_ends_the_liars_view_at_once_and_is_passed_on() {
    let mut lone = Lone::new(4, 3);
    let evidence = evidence(&mut lone);
    lone.tell(1, Message::Evidence(Box::new(evidence)));
    assert_eq!(lone.view(), View::new(1));
    let passed_on = lone.said(|message| matches!(message, Message::Evidence(_)).then_some(()));
    assert_eq!(passed_on.len(), 1);
    assert_eq!(lone.view_changes().len(), 1);
}

#[test]
fn forged_evidence_convinces_nobody() {
    let mut lone = Lone::new(4, 3);
    let Evidence::Proposals { first, mut second } = evidence(&mut lone) else { unreachable!() };
    second.signature = first.signature;
    let forged = Evidence::Proposals { first, second };
    lone.tell(1, Message::Evidence(Box::new(forged)));
    assert_eq!(lone.view(), View::new(0));
    assert_eq!(lone.status().evidence_pending, 0);
    assert_eq!(lone.refused("evidence that proves nothing"), 1);
}

#[test]
fn headers_of_one_who_does_not_lead_are_no_evidence() {
    let mut lone = Lone::new(4, 3);
    let Evidence::Proposals { .. } = evidence(&mut lone) else { unreachable!() };
    let genesis = lone.quill.genesis.hash;
    let mut usurped = || {
        let block = lone.quill.block(genesis, 0, Special::default());
        lone.quill.altered(&block, |header| header.proposer = index(2)).signed_header()
    };
    let (one, two) = (usurped(), usurped());
    let evidence = Evidence::from_headers(&one, &two, &lone.quill.chain_id).unwrap();
    lone.tell(1, Message::Evidence(Box::new(evidence)));
    assert_eq!(lone.status().evidence_pending, 0);
    assert_eq!(lone.refused("evidence of a proposal by one who did not lead"), 1);
}

#[test]
fn both_sides_of_a_double_vote_are_kept_and_accuse_the_voter() {
    let mut lone = Lone::new(7, 0);
    let genesis = lone.quill.genesis.hash;
    let one = lone.quill.block(genesis, 0, Special::default());
    let two = lone.quill.block(genesis, 0, Special::default());
    for block in [&one, &two] {
        let ballot = crate::quill::ballot(VoteKind::Prepare, reference(block));
        lone.votes(4, ballot);
    }
    assert_eq!(lone.status().evidence_pending, 1);
    assert_eq!(lone.view(), View::new(0), "the leader did not lie");
}

#[test]
fn a_final_barrier_opens_the_next_epoch_on_itself_and_jails_the_liar() {
    let mut lone = Lone::new(4, 3);
    let barrier = barrier_in_view_1(&mut lone);
    let certificate = lone.quill.certificate(VoteKind::Prepare, reference(&barrier), &[0, 1, 2]);
    lone.decide(certificate);
    let status = lone.status();
    assert_eq!((status.epoch, status.view), (Epoch::new(1), View::new(2)));
    assert_eq!(status.final_hash, barrier.hash());
    assert_eq!(status.mode, barrier.header.mode, "the first view inherits the barrier's mode");
    let set = lone.set();
    assert!(set.get(index(0)).unwrap().jailed);
    for view in 2..12 {
        assert_ne!(set.leader(View::new(view)), index(0), "a jailed validator leads no view");
    }
}

/// Validator 2 leads view 2, which starts on the barrier of view 1.
fn leading_on_a_barrier() -> (Lone, SealedBlock, SealedBlock) {
    let mut lone = Lone::new(4, 2);
    let barrier = barrier_in_view_1(&mut lone);
    let start = lone.quill.start(2, reference(&barrier));
    lone.world.submit();
    lone.enter(start);
    lone.pass(MS * 50);
    let mut proposed = lone.said(|message| match message {
        Message::Append(append) => append.blocks.first().cloned(),
        _ => None,
    });
    assert_eq!(proposed.len(), 1, "one seal and nothing above it: {proposed:?}");
    (lone, barrier, proposed.remove(0))
}

#[test]
fn a_barrier_that_is_the_tip_of_a_new_view_is_sealed_with_a_void_block() {
    let (_, barrier, seal) = leading_on_a_barrier();
    assert_eq!(seal.header.kind, BlockKind::Seal);
    assert_eq!(seal.header.parent, barrier.hash());
    assert_eq!(seal.header.state_root, barrier.header.state_root);
    assert!(seal.transactions.is_empty());
}

/// The next epoch is a function of the barrier, whichever certificate made it final.
#[test]
fn a_final_seal_makes_the_barrier_final_and_is_no_part_of_the_chain() {
    let (mut lone, barrier, seal) = leading_on_a_barrier();
    let certificate = lone.quill.certificate(VoteKind::Prepare, reference(&seal), &[0, 1, 3]);
    lone.decide(certificate);
    let status = lone.status();
    assert_eq!((status.epoch, status.view), (Epoch::new(1), View::new(2)));
    assert_eq!((status.final_height, status.final_hash), (barrier.header.height, barrier.hash()));
    // A restart finds the same place.
    lone.restart();
    let status = lone.status();
    assert_eq!((status.epoch, status.view), (Epoch::new(1), View::new(2)));
    assert_eq!(status.final_hash, barrier.hash());
}

/// The view change went by without the barrier: the next leader proposes the evidence again.
#[test]
fn a_barrier_lost_in_a_view_change_is_proposed_again() {
    let mut lone = Lone::new(4, 2);
    let evidence = evidence(&mut lone);
    lone.tell(1, Message::Evidence(Box::new(evidence)));
    let barrier = barrier_in_view_1(&mut lone);
    assert!(lone.voted_for(&barrier));
    assert_eq!(lone.status().evidence_pending, 1, "kept until its barrier is final");
    lone.forget_said();
    let start = lone.quill.start(2, lone.quill.genesis);
    lone.enter(start);
    lone.pass(MS * 50);
    let proposed = lone.said(|message| match message {
        Message::Append(append) => append.blocks.first().cloned(),
        _ => None,
    });
    assert_eq!(proposed[0].header.kind, BlockKind::Barrier);
    assert_eq!(proposed[0].header.parent, lone.quill.genesis.hash);
    let again = lone.quill.certificate(VoteKind::Prepare, reference(&proposed[0]), &[0, 1, 3]);
    lone.decide(again);
    assert_eq!(lone.status().epoch, Epoch::new(1));
    assert_eq!(lone.status().evidence_pending, 0);
}

#[test]
fn evidence_against_a_validator_counts_once() {
    let mut lone = Lone::new(4, 3);
    let first = evidence(&mut lone);
    let second = evidence(&mut lone);
    lone.tell(1, Message::Evidence(Box::new(first)));
    lone.tell(1, Message::Evidence(Box::new(second)));
    assert_eq!(lone.status().evidence_pending, 1);
    assert_eq!(lone.world.record().counters.evidence_found, 1);
}

/// The power fails as the barrier is made final: the record of the next epoch is not on disk without
/// the barrier.
#[test]
fn a_power_cut_at_a_barrier_leaves_the_node_in_one_epoch_or_the_other() {
    for point in [CrashPoint::BeforeCommit, CrashPoint::AfterCommit, CrashPoint::BeforeWrite] {
        let mut lone = Lone::new(4, 3);
        let barrier = barrier_in_view_1(&mut lone);
        let end = lone.quill.certificate(VoteKind::Prepare, reference(&barrier), &[0, 1, 2]);
        lone.arm(point);
        lone.decide(end.clone());
        assert!(!lone.is_running(), "{point:?} was passed");
        lone.world.strike(Fault::Restart { node: 3 });
        lone.pass(MS);
        let epoch = lone.status().epoch;
        let height = lone.status().final_height;
        assert_eq!(epoch == Epoch::new(1), height == barrier.header.height, "{point:?}");
        lone.decide(end);
        assert_eq!(lone.status().epoch, Epoch::new(1), "{point:?}");
    }
}
