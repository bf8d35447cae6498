//! What one liar must not be able to do to a validator: fill it, blind it, or make it say something
//! that nobody accepts.

use std::time::Duration;

use chain::block::{Block, SealedBlock};
use chain::certificate::VoteKind;
use chain::crypto::Signature;
use chain::finality::FinalityProof;
use chain::types::{Digest, Height};
use consensus::application::Finals;
use consensus::engine::Status;
use consensus::hybrid::{Append, LeaveReason, Message, Votes};
use consensus_sim::plan::EngineOptions;

use crate::lone::Lone;
use crate::quill::{Special, ballot, reference};

const MS: Duration = Duration::from_millis(1);
/// Validator 1 of four lies; it leads every view that it is the turn of.
const LIAR: usize = 1;

/// Blocks of views to come that the liar leads, at many heights, on parents that nobody has.
fn junk(lone: &mut Lone, count: u64) -> Vec<SealedBlock> {
    let genesis = lone.quill.genesis.hash;
    let block = lone.quill.block(genesis, LIAR as u64, Special::default());
    (0..count)
        .map(|number| {
            lone.quill.altered(&block, |header| {
                header.height = Height::new(2 + number % 200);
                header.view = chain::types::View::new(LIAR as u64 + 4 * number);
                header.parent = Digest([number as u8; 32]);
            })
        })
        .collect()
}

#[test]
fn a_flood_of_blocks_of_its_own_views_keeps_no_other_block_out() {
    let mut lone = Lone::new(4, 3);
    let blocks = junk(&mut lone, 1_200);
    for some in blocks.chunks(60) {
        lone.tell(LIAR, Message::Blocks(some.to_vec()));
    }
    let genesis = lone.quill.genesis.hash;
    let good = lone.quill.block(genesis, 0, Special::default());
    lone.append(&good);
    assert!(lone.voted_for(&good), "the leader's block finds room");
}

#[test]
fn a_flood_of_headers_of_its_own_hides_no_equivocation_of_another() {
    let mut lone = Lone::new(4, 3);
    let genesis = lone.quill.genesis.hash;
    for block in junk(&mut lone, 1_200) {
        let votes = vec![lone.quill.vote(LIAR, ballot(VoteKind::Prepare, reference(&block)))];
        let header = Some(block.signed_header());
        lone.tell(LIAR, Message::Votes(Votes { votes, header, again: false }));
    }
    let (one, other) = (
        lone.quill.block(genesis, 0, Special::default()),
        lone.quill.block(genesis, 0, Special::default()),
    );
    lone.append(&one);
    lone.append(&other);
    assert_eq!(lone.status().evidence_pending, 1);
}

/// The certificate of a final block covers its hash, and the hash not the proposer's signature.
#[test]
fn a_final_block_with_a_wrong_signature_is_not_voted_for() {
    let mut lone = Lone::new(4, 3);
    let genesis = lone.quill.genesis.hash;
    let block = lone.quill.block(genesis, 0, Special::default());
    let certificate = lone.quill.certificate(VoteKind::Prepare, reference(&block), &[0, 1, 2]);
    let forged = SealedBlock::new(Block {
        header: block.header.clone(),
        signature: Signature([7; 64]),
        justification: block.justification.clone(),
        transactions: block.transactions.clone(),
    });
    let proof = FinalityProof { certificate, headers: Vec::new() };
    let finals =
        |block| Message::Finals(Finals { blocks: vec![block], proof: Some(proof.clone()) });
    lone.tell(LIAR, finals(forged));
    assert_eq!(lone.refused("a final block that its view's leader did not propose"), 1);
    assert!(!lone.voted_for(&block));
    lone.tell(0, finals(block));
    assert_eq!(lone.status().final_height.get(), 1);
}

/// In an idle network a block of another view is no reason to suspect the leader of this one.
#[test]
fn a_block_of_another_view_is_no_work_for_this_one() {
    let options = EngineOptions { timeout_min: MS * 200, ..EngineOptions::default() };
    let mut lone = Lone::with(4, 3, options);
    let genesis = lone.quill.genesis;
    let block = lone.quill.block(genesis.hash, LIAR as u64, Special::default());
    lone.tell(LIAR, Message::Blocks(vec![block]));
    for _ in 0..100 {
        lone.pass(MS * 20);
        heartbeat(&mut lone);
    }
    let suspects = lone.said(|message| match message {
        Message::Suspect(suspect) => Some(suspect.clone()),
        _ => None,
    });
    assert_eq!(suspects, []);
}

fn heartbeat(lone: &mut Lone) {
    let append = Append {
        epoch: lone.quill.set.epoch,
        view: lone.view(),
        head: lone.quill.genesis,
        view_certificate: None,
        certificates: Vec::new(),
        blocks: Vec::new(),
        votes: Vec::new(),
    };
    lone.tell(0, Message::Append(append));
}

#[test]
fn many_signed_statements_in_one_message_are_refused_unread() {
    let mut lone = Lone::new(4, 3);
    let genesis = lone.quill.genesis.hash;
    let block = lone.quill.block(genesis, 0, Special::default());
    let vote = lone.quill.vote(LIAR, ballot(VoteKind::Prepare, reference(&block)));
    let votes = Votes { votes: vec![vote; 64], header: None, again: false };
    lone.tell(LIAR, Message::Votes(votes));
    assert_eq!(lone.refused("too many items in one message"), 1);
}

/// A chain longer than what a validator remembers, all of view 0.
fn chain(lone: &mut Lone) -> Vec<SealedBlock> {
    let mut parent = lone.quill.genesis.hash;
    let mut blocks = Vec::new();
    for _ in 0..400 {
        let block = lone.quill.block(parent, 0, Special::default());
        parent = block.hash();
        blocks.push(block);
    }
    blocks
}

/// The validator gets it in runs, each with its proof.
fn make_final(lone: &mut Lone, blocks: &[SealedBlock]) {
    for run in blocks.chunks(100) {
        let last = reference(run.last().expect("not empty"));
        let certificate = lone.quill.certificate(VoteKind::Prepare, last, &[0, 1, 2]);
        let proof = FinalityProof { certificate, headers: Vec::new() };
        lone.tell(0, Message::Finals(Finals { blocks: run.to_vec(), proof: Some(proof) }));
    }
    assert_eq!(lone.status().final_height.get(), 400);
}

/// New views that name old heights, more of them than a validator remembers.
#[test]
fn reports_of_old_heights_make_no_endless_questions() {
    let mut lone = Lone::new(4, 3);
    let blocks = chain(&mut lone);
    make_final(&mut lone, &blocks);

    // Descending, so that the oldest question is always about the lowest height.
    for height in (1..60).rev().step_by(2) {
        let reports = [0, LIAR, 2].map(|sender| {
            let mut report = lone.quill.blank(LIAR as u64);
            report.reason = LeaveReason::Timeout;
            let block = reference(&blocks[height - 1 + usize::from(sender == LIAR)]);
            let signers = &[0, 1, 2];
            report.high_qc = Some(lone.quill.certificate(VoteKind::Prepare, block, signers));
            lone.quill.view_change(sender, report)
        });
        let new_view = lone.quill.new_view(LIAR as u64, reports.to_vec());
        lone.tell(LIAR, Message::NewView(new_view));
    }
    let Status { final_height, .. } = lone.status();
    assert_eq!(final_height.get(), 400, "it still answers");
}

/// Far behind in one long view: the last vote is below all that is remembered, and part of the
/// final chain all the same.
#[test]
fn a_vote_long_ago_in_this_view_does_not_silence_a_validator() {
    for restarts in [false, true] {
        let mut lone = Lone::new(4, 3);
        let blocks = chain(&mut lone);
        lone.append(&blocks[0]);
        assert!(lone.voted_for(&blocks[0]));
        let promised = lone.record().expect("it voted");
        make_final(&mut lone, &blocks);
        if restarts {
            lone.sync_disk(&promised);
            lone.restart();
        }
        let tip = blocks.last().expect("not empty").hash();
        let next = lone.quill.block(tip, 0, Special::default());
        lone.append(&next);
        assert!(lone.voted_for(&next), "restarted: {restarts}");
    }
}

/// The leader makes block after block final and leaves one transaction out. Finality does not clear
/// it of that: one more who says so, some blocks later, ends its view.
#[test]
fn a_leader_that_censors_is_suspected_though_it_makes_blocks_final() {
    let options = EngineOptions { timeout_min: MS * 100, ..EngineOptions::default() };
    let mut lone = Lone::with(4, 3, options);
    lone.world.submit();
    let mut parent = lone.quill.genesis.hash;
    let mut go_on = |lone: &mut Lone| {
        let block = lone.quill.block(parent, 0, Special::default());
        parent = block.hash();
        lone.append(&block);
        let certificate = lone.quill.certificate(VoteKind::Prepare, reference(&block), &[0, 1, 2]);
        lone.decide(certificate);
        lone.pass(MS * 20);
    };
    let suspects = |lone: &Lone| {
        let own = lone.said(|message| matches!(message, Message::Suspect(_)).then_some(()));
        !own.is_empty()
    };
    for _ in 0..10 {
        go_on(&mut lone);
    }
    assert!(!suspects(&lone), "not after two timeouts");
    for _ in 0..40 {
        go_on(&mut lone);
    }
    assert!(suspects(&lone), "after ten");
    assert_eq!((lone.view().get(), lone.status().final_height.get()), (0, 50));
    let suspect = lone.quill.suspect(2, 0);
    lone.tell(2, Message::Suspect(suspect));
    assert_eq!(lone.view().get(), 1);
}
