//! What never gets past the edge: wrong signatures, other epochs, other chains.

use chain::block::SealedBlock;
use chain::certificate::{Ballot, Certificate, Position, VoteKind};
use chain::finality::FinalityProof;
use chain::types::{Digest, Epoch, View};
use consensus::application::Finals;
use consensus::hybrid::{Append, Message, ReportAnchor, Suspect, ViewReport, Votes};

use crate::lone::Lone;
use crate::quill::{Quill, Special, ballot, index, reference, starting, voted};

/// Seven validators, a block of view 0, and validator 6 that has voted for it.
fn ordered() -> (Lone, SealedBlock) {
    let mut lone = Lone::new(7, 6);
    let genesis = lone.quill.genesis.hash;
    let block = lone.quill.block(genesis, 0, Special::default());
    lone.append(&block);
    (lone, block)
}

/// The keys of the same validators on another chain.
fn stranger(lone: &Lone) -> Quill {
    let mut genesis = lone.world.genesis().clone();
    genesis.chain_id = Digest([9; 32]);
    Quill::new(&genesis, lone.world.plan().seed)
}

#[test]
fn votes_of_another_chain_count_for_nothing() {
    let (mut lone, block) = ordered();
    let stranger = stranger(&lone);
    let vote = stranger.vote(0, ballot(VoteKind::Commit, reference(&block)));
    let message = Message::Votes(Votes { votes: vec![vote], header: None, again: false });
    lone.tell(0, message);
    assert_eq!(lone.refused("a vote with a wrong signature"), 1);
    let certificate = stranger.certificate(VoteKind::Commit, reference(&block), &[0, 1, 2, 3, 4]);
    lone.decide(certificate);
    assert_eq!(lone.refused("a certificate that does not verify"), 1);
    let start = stranger.start(1, reference(&block));
    let certificate = stranger.view_certificate(start, &[0, 1, 2, 3, 4]);
    let append = Append {
        epoch: start.epoch,
        view: start.view,
        head: reference(&block),
        view_certificate: Some(certificate),
        certificates: Vec::new(),
        blocks: Vec::new(),
        votes: Vec::new(),
    };
    lone.tell(1, Message::Append(append));
    assert_eq!(lone.refused("a view certificate that does not verify"), 1);
    let change = stranger.view_change(0, stranger.blank(1));
    lone.change(change);
    let suspect = stranger.suspect(1, 0);
    lone.tell(1, Message::Suspect(suspect));
    assert_eq!(lone.refused("a wrong signature"), 2);
    let status = lone.status();
    assert_eq!((status.view, status.final_height.get()), (View::new(0), 0));
}

#[test]
fn a_block_of_another_chain_is_refused() {
    let (mut lone, block) = ordered();
    let foreign = lone.quill.altered(&block, |header| header.chain_id = Digest([9; 32]));
    lone.append(&foreign);
    assert_eq!(lone.refused("a block of another chain"), 1);
}

/// Every message of an epoch that is not the own turns into "where are you", whatever it says.
#[test]
fn votes_of_another_epoch_count_for_nothing() {
    let (mut lone, block) = ordered();
    let position = Position { epoch: Epoch::new(1), ..block.header.position() };
    let old = Ballot { kind: VoteKind::Commit, position, block: block.hash() };
    for voter in 0..5 {
        lone.votes(voter, old);
    }
    let certificate = lone.quill.certificate(
        VoteKind::Commit,
        consensus::tree::BlockRef { position, hash: block.hash() },
        &[0, 1, 2, 3, 4],
    );
    lone.decide(certificate.clone());
    // Hidden in a message of the own epoch it is refused.
    let append = Append {
        epoch: Epoch::new(0),
        view: View::new(0),
        head: reference(&block),
        view_certificate: None,
        certificates: vec![certificate],
        blocks: Vec::new(),
        votes: Vec::new(),
    };
    lone.tell(0, Message::Append(append));
    assert_eq!(lone.refused("a certificate that does not verify"), 1);
    assert_eq!(lone.status().final_height.get(), 0);
}

#[test]
fn a_vote_in_somebody_elses_name_is_refused() {
    let (mut lone, block) = ordered();
    let vote = lone.quill.vote(0, ballot(VoteKind::Prepare, reference(&block)));
    lone.tell(1, Message::Votes(Votes { votes: vec![vote], header: None, again: false }));
    assert_eq!(lone.refused("a vote of somebody else"), 1);
}

/// One signature short, one signature for another block, one signer twice as loud.
#[test]
fn certificates_that_prove_nothing_are_refused() {
    let (mut lone, block) = ordered();
    let block = reference(&block);
    let few = lone.quill.certificate(VoteKind::Commit, block, &[0, 1, 2, 3]);
    lone.decide(few);
    let mut moved = lone.quill.certificate(VoteKind::Prepare, block, &[0, 1, 2, 3, 4]);
    moved.ballot.kind = VoteKind::Commit;
    lone.decide(moved);
    assert_eq!(lone.refused("a certificate that does not verify"), 2);
    assert_eq!(lone.status().final_height.get(), 0);
    let enough = lone.quill.certificate(VoteKind::Commit, block, &[0, 1, 2, 3, 4]);
    lone.decide(enough);
    assert_eq!(lone.status().final_height.get(), 1);
}

#[test]
fn a_quorum_of_prepare_votes_is_not_final_where_the_fast_quorum_is_larger() {
    let (mut lone, block) = ordered();
    let block = reference(&block);
    for (voters, finals) in [(5, 0), (6, 1)] {
        let voters: Vec<usize> = (0..voters).collect();
        let certificate = lone.quill.certificate(VoteKind::Prepare, block, &voters);
        lone.decide(certificate);
        assert_eq!(lone.status().final_height.get(), finals, "{} votes", voters.len());
    }
}

#[test]
fn a_view_certificate_of_too_few_moves_nobody() {
    let (mut lone, _) = ordered();
    let start = lone.quill.start(1, lone.quill.genesis);
    let certificate = lone.quill.view_certificate(start, &[0, 1, 2, 3]);
    let append = Append {
        epoch: start.epoch,
        view: start.view,
        head: lone.quill.genesis,
        view_certificate: Some(certificate),
        certificates: Vec::new(),
        blocks: Vec::new(),
        votes: Vec::new(),
    };
    lone.tell(1, Message::Append(append));
    assert_eq!(lone.view(), View::new(0));
    assert_eq!(lone.refused("a view certificate that does not verify"), 1);
}

#[test]
fn a_body_that_does_not_belong_to_its_header_is_refused() {
    let (mut lone, block) = ordered();
    let next = lone.quill.block(block.hash(), 0, Special::default());
    let mut spoiled = (*next).clone();
    spoiled.justification.certificate =
        Some(lone.quill.certificate(VoteKind::Prepare, reference(&block), &[0, 1, 2, 3, 4]));
    lone.append(&SealedBlock::new(spoiled));
    assert_eq!(lone.refused("a block whose content does not belong to its header"), 1);
    lone.append(&next);
    assert!(lone.voted_for(&next), "the good block of this hash is not spoiled");
}

/// Reports of a view change with one bad part: each is void as a whole.
#[test]
fn forged_headers_in_a_view_change_void_it() {
    let (mut lone, block) = ordered();
    let one = lone.quill.block(block.hash(), 0, Special::default());
    let two = lone.quill.block(one.hash(), 0, Special::default());
    let usurped = lone.quill.altered(&one, |header| header.proposer = index(3));
    let anchor: Certificate =
        lone.quill.certificate(VoteKind::Prepare, reference(&block), &[0, 1, 2, 3, 4]);
    let on = |anchor: &Certificate| ReportAnchor::Certificate(anchor.clone());
    let high: Certificate =
        lone.quill.certificate(VoteKind::Prepare, reference(&two), &[0, 1, 2, 3]);
    let blank = lone.quill.blank(1);
    let report = |last_vote| ViewReport { last_vote, ..blank.clone() };
    let mut resigned = voted(&[&two, &one], on(&anchor)).unwrap();
    resigned.headers[1].signature = resigned.headers[0].signature;
    let gap = voted(&[&two], on(&anchor));
    let bad = [
        ("a header with a wrong signature", report(Some(resigned))),
        ("a header of one who does not lead", report(voted(&[&usurped], on(&anchor)))),
        ("headers that do not hang together", report(voted(&[&two, &two], on(&anchor)))),
        ("an anchor for something else", report(gap)),
        ("a last vote without its proposal", report(voted(&[], on(&anchor)))),
        ("a certificate that does not verify", ViewReport { high_qc: Some(high), ..blank.clone() }),
    ];
    for (fault, report) in bad {
        let before = lone.refused(fault);
        let change = lone.quill.view_change(2, report);
        lone.change(change);
        assert_eq!(lone.refused(fault), before + 1, "{fault}");
    }
    let good = report(voted(&[&two, &one], on(&anchor)));
    let change = lone.quill.view_change(2, good);
    let refused: u64 = lone.world.record().counters.refused.values().sum();
    lone.change(change);
    assert_eq!(lone.world.record().counters.refused.values().sum::<u64>(), refused);
}

#[test]
fn a_report_of_its_own_view_or_of_a_higher_one_is_void() {
    let (mut lone, block) = ordered();
    let start = lone.quill.start(1, reference(&block));
    let certificate = lone.quill.view_certificate(start, &[0, 1, 2, 3, 4]);
    let ahead = lone.quill.block(block.hash(), 1, crate::quill::starting(&certificate));
    let high = lone.quill.certificate(VoteKind::Prepare, reference(&ahead), &[0, 1, 2, 3, 4]);
    let with_vote = ViewReport {
        last_vote: voted(&[&ahead], ReportAnchor::View(certificate)),
        ..lone.quill.blank(1)
    };
    let with_certificate = ViewReport { high_qc: Some(high), ..lone.quill.blank(1) };
    for report in [with_vote, with_certificate] {
        let change = lone.quill.view_change(0, report);
        lone.change(change);
    }
    assert_eq!(lone.refused("a last vote from ahead"), 1);
    assert_eq!(lone.refused("a certificate from ahead"), 1);
}

#[test]
fn a_report_longer_than_the_pipeline_is_void() {
    let (mut lone, block) = ordered();
    let mut chain = vec![block];
    while chain.len() < 5 {
        let parent = chain[chain.len() - 1].hash();
        let next = lone.quill.block(parent, 0, Special::default());
        chain.push(next);
    }
    for (count, refused) in [(4, 0), (5, 1)] {
        let blocks: Vec<&SealedBlock> = chain[..count].iter().rev().collect();
        let last_vote = voted(&blocks, ReportAnchor::Opening);
        let report = ViewReport { last_vote, ..lone.quill.blank(1) };
        let change = lone.quill.view_change(0, report);
        lone.change(change);
        assert_eq!(lone.refused("a last vote too far above its anchor"), refused);
    }
}

/// Whoever signs its own suspicion speaks for itself alone.
#[test]
fn a_suspicion_in_somebody_elses_name_is_refused() {
    let (mut lone, _) = ordered();
    for named in 1..6 {
        let suspect = Suspect { sender: index(named), ..lone.quill.suspect(0, 0) };
        lone.tell(0, Message::Suspect(suspect));
    }
    assert_eq!(lone.refused("a suspicion of somebody else"), 5);
    assert_eq!(lone.view(), View::new(0));
}

#[test]
fn final_blocks_need_a_final_certificate_of_the_last() {
    let (mut lone, block) = ordered();
    let next = lone.quill.block(block.hash(), 0, Special::default());
    let finals = |lone: &Lone, kind, about: &SealedBlock, voters: &[usize]| {
        let certificate = lone.quill.certificate(kind, reference(about), voters);
        let proof = FinalityProof { certificate, headers: Vec::new() };
        Message::Finals(Finals { blocks: vec![block.clone(), next.clone()], proof: Some(proof) })
    };
    let (commit, prepare) = (VoteKind::Commit, VoteKind::Prepare);
    let bad = [
        finals(&lone, prepare, &next, &[0, 1, 2, 3, 4]),
        finals(&lone, commit, &next, &[0, 1, 2, 3]),
        finals(&lone, commit, &block, &[0, 1, 2, 3, 4]),
    ];
    for (count, message) in (1..).zip(bad) {
        lone.tell(0, message);
        assert_eq!(lone.refused("final blocks without proof"), count);
    }
    assert_eq!(lone.status().final_height.get(), 0);
    let good = finals(&lone, commit, &next, &[0, 1, 2, 3, 4]);
    lone.tell(0, good);
    assert_eq!(lone.status().final_height.get(), 2);
}

#[test]
fn the_first_block_of_a_view_carries_the_certificate_of_no_other() {
    let (mut lone, block) = ordered();
    let tip = reference(&block);
    for (view, other) in
        [(2, lone.quill.start(1, tip)), (3, lone.quill.start(3, lone.quill.genesis))]
    {
        let certificate = lone.quill.view_certificate(other, &[0, 1, 2, 3, 4]);
        let first = lone.quill.block(block.hash(), view, starting(&certificate));
        let before = lone.refused("a view certificate for something else");
        lone.append(&first);
        assert_eq!(lone.refused("a view certificate for something else"), before + 1);
        assert!(!lone.voted_for(&first));
    }
}

/// The barrier was the tip of views of the epoch that it closed: their certificates must not pass
/// for those of views with the same number in the epoch that it opened.
#[test]
fn a_view_certificate_of_another_epoch_anchors_nothing() {
    let mut lone = Lone::new(4, 3);
    let barrier = crate::epochs::barrier_in_view_1(&mut lone);
    let start = lone.quill.start(4, reference(&barrier));
    let old = lone.quill.view_certificate(start, &[0, 1, 2]);
    let end = lone.quill.certificate(VoteKind::Prepare, reference(&barrier), &[0, 1, 2]);
    lone.decide(end);
    assert_eq!(lone.status().epoch, Epoch::new(1));
    lone.quill.set = lone.set();
    let block = lone.quill.block(barrier.hash(), 4, Special::default());
    let last_vote = voted(&[&block], ReportAnchor::View(old));
    let report = ViewReport { last_vote, ..lone.quill.blank(5) };
    let change = lone.quill.view_change(0, report);
    lone.change(change);
    assert_eq!(lone.refused("a view certificate that does not verify"), 1);
}
