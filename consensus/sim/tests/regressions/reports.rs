//! Which tip the reports of a view change make, and which reports count: docs/protocol/hybrid.md,
//! W5-W7 and T1-T9, through the engine's own door.

use std::time::Duration;

use chain::block::SealedBlock;
use chain::certificate::{Certificate, VoteKind};
use chain::types::View;
use consensus::hybrid::{Message, ReportAnchor, ViewChange, ViewReport, VotedProposal};
use consensus::tree::BlockRef;

use crate::lone::Lone;
use crate::quill::{Special, reference, starting, voted};

const MS: Duration = Duration::from_millis(1);

/// `count` blocks of view 0 on genesis, in the hands of validator `me` of `n`.
fn chain(n: usize, me: usize, count: usize) -> (Lone, Vec<SealedBlock>) {
    let mut lone = Lone::new(n, me);
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

/// Two blocks of view 0 for height 1, both delivered: the smaller hash first.
fn fork(n: usize, me: usize) -> (Lone, SealedBlock, SealedBlock) {
    let (mut lone, _) = chain(n, me, 0);
    let genesis = lone.quill.genesis.hash;
    let one = lone.quill.block(genesis, 0, Special::default());
    let two = lone.quill.block(genesis, 0, Special::default());
    lone.append(&one);
    lone.tell(0, Message::Blocks(vec![two.clone()]));
    let (low, high) = if one.hash() < two.hash() { (one, two) } else { (two, one) };
    (lone, low, high)
}

fn prepared(lone: &Lone, block: &SealedBlock) -> Certificate {
    let voters: Vec<usize> = (0..lone.quill.set.quorums().quorum).collect();
    lone.quill.certificate(VoteKind::Prepare, reference(block), &voters)
}

fn report(lone: &Lone, view: u64, last_vote: Option<VotedProposal>) -> ViewReport {
    ViewReport { last_vote, ..lone.quill.blank(view) }
}

/// The leader of the view shows these reports; what this validator acknowledges.
fn acknowledged(lone: &mut Lone, view: u64, reports: Vec<(usize, ViewReport)>) -> Option<BlockRef> {
    let changes: Vec<ViewChange> = reports
        .into_iter()
        .map(|(sender, report)| lone.quill.view_change(sender, report))
        .collect();
    let new_view = lone.quill.new_view(view, changes);
    let leader = lone.quill.set.leader(View::new(view)).as_usize();
    lone.tell(leader, Message::NewView(new_view));
    let acks = lone.acks();
    assert!(acks.len() <= 1, "{acks:?}");
    let position = lone.quill.genesis.position;
    acks.first().map(|ack| BlockRef {
        position: chain::certificate::Position { height: ack.tip_height, ..position },
        hash: ack.tip,
    })
}

/// Whose reports this validator chose as leader of a view.
fn chosen(lone: &Lone) -> Vec<Vec<usize>> {
    lone.said(|message| match message {
        Message::NewView(new_view) => {
            Some(new_view.start.reports.iter().map(|change| change.sender.as_usize()).collect())
        }
        _ => None,
    })
}

fn hash(tip: Option<BlockRef>) -> Option<chain::types::Digest> {
    tip.map(|tip| tip.hash)
}

#[test]
fn an_old_view_certificate_with_larger_height_yields_to_the_newer_view() {
    let (mut lone, blocks) = chain(7, 6, 3);
    let old = prepared(&lone, &blocks[2]);
    let start = lone.quill.start(1, lone.quill.genesis);
    let certificate = lone.enter(start);
    let newer = lone.quill.block(lone.quill.genesis.hash, 1, starting(&certificate));
    lone.append(&newer);
    let new = prepared(&lone, &newer);
    let with = |lone: &Lone, high_qc| ViewReport { high_qc, ..lone.quill.blank(2) };
    let reports = vec![
        (0, with(&lone, Some(old.clone()))),
        (1, with(&lone, Some(old))),
        (2, with(&lone, Some(new))),
        (3, with(&lone, None)),
        (4, with(&lone, None)),
    ];
    assert_eq!(hash(acknowledged(&mut lone, 2, reports)), Some(newer.hash()));
}

#[test]
fn a_fast_final_block_that_only_support_reporters_know_is_the_tip() {
    for (n, support) in [(4, 1), (7, 2)] {
        let (mut lone, blocks) = chain(n, n - 1, 1);
        let quorums = lone.quill.set.quorums();
        assert_eq!(quorums.support, support);
        let vote = voted(&[&blocks[0]], ReportAnchor::Opening);
        let reports = (0..quorums.view_change_quorum)
            .map(|sender| (sender, report(&lone, 1, vote.clone().filter(|_| sender < support))))
            .collect();
        assert_eq!(hash(acknowledged(&mut lone, 1, reports)), Some(blocks[0].hash()), "n = {n}");
    }
}

#[test]
fn a_block_with_less_than_its_support_is_no_tip() {
    let (mut lone, blocks) = chain(7, 6, 1);
    let vote = voted(&[&blocks[0]], ReportAnchor::Opening);
    let reports = (0..5)
        .map(|sender| (sender, report(&lone, 1, vote.clone().filter(|_| sender == 0))))
        .collect();
    let genesis = lone.quill.genesis.hash;
    assert_eq!(hash(acknowledged(&mut lone, 1, reports)), Some(genesis));
}

/// Six of seven report, the equivocator is not among them, three stand on each side.
#[test]
fn two_candidates_with_equal_support_the_smaller_hash_wins() {
    let (mut lone, low, high) = fork(7, 6);
    let reports = (1..7)
        .map(|sender| {
            let block = if sender % 2 == 0 { &low } else { &high };
            (sender, report(&lone, 1, voted(&[block], ReportAnchor::Opening)))
        })
        .collect();
    assert_eq!(hash(acknowledged(&mut lone, 1, reports)), Some(low.hash()));
}

/// Two of four honest ones voted for `high`, which may be final with the equivocator's vote.
#[test]
fn under_equivocation_the_tip_needs_one_reporter_more() {
    let (mut lone, low, high) = fork(4, 3);
    let reports = vec![
        (1, report(&lone, 1, voted(&[&low], ReportAnchor::Opening))),
        (2, report(&lone, 1, voted(&[&high], ReportAnchor::Opening))),
        (3, report(&lone, 1, voted(&[&high], ReportAnchor::Opening))),
    ];
    assert_eq!(hash(acknowledged(&mut lone, 1, reports)), Some(high.hash()));
}

#[test]
fn a_report_set_chosen_by_a_byzantine_leader_with_the_equivocators_word_is_rejected() {
    let (mut lone, low, high) = fork(4, 3);
    let reports = vec![
        (0, report(&lone, 1, voted(&[&low], ReportAnchor::Opening))),
        (1, report(&lone, 1, voted(&[&low], ReportAnchor::Opening))),
        (2, report(&lone, 1, voted(&[&high], ReportAnchor::Opening))),
    ];
    assert_eq!(acknowledged(&mut lone, 1, reports), None);
    let without = vec![
        (1, report(&lone, 1, voted(&[&low], ReportAnchor::Opening))),
        (2, report(&lone, 1, voted(&[&high], ReportAnchor::Opening))),
        (3, report(&lone, 1, voted(&[&high], ReportAnchor::Opening))),
    ];
    assert_eq!(hash(acknowledged(&mut lone, 1, without)), Some(high.hash()), "it kept waiting");
}

/// The honest leader's side of the same rule: it does without the equivocator and waits for one
/// more.
#[test]
fn the_leader_of_a_view_leaves_the_equivocators_report_out() {
    let (mut lone, low, high) = fork(4, 1);
    let change = |lone: &Lone, sender, block: &SealedBlock| {
        let report = report(lone, 1, voted(&[block], ReportAnchor::Opening));
        lone.quill.view_change(sender, report)
    };
    for (sender, block) in [(0, &low), (2, &high)] {
        let change = change(&lone, sender, block);
        lone.change(change);
    }
    assert!(chosen(&lone).is_empty(), "three reports, one of them worthless");
    let last = change(&lone, 3, &high);
    lone.change(last);
    assert_eq!(chosen(&lone), [vec![1, 2, 3]]);
}

#[test]
fn of_two_new_view_messages_in_one_view_only_the_first_is_acknowledged() {
    let (mut lone, blocks) = chain(4, 3, 1);
    let with = voted(&[&blocks[0]], ReportAnchor::Opening);
    let blank = (0..3).map(|sender| (sender, report(&lone, 1, None))).collect();
    let full = (0..3).map(|sender| (sender, report(&lone, 1, with.clone()))).collect();
    let first = acknowledged(&mut lone, 1, blank);
    assert_eq!(hash(first), Some(lone.quill.genesis.hash));
    assert_eq!(acknowledged(&mut lone, 1, full), first);
}

#[test]
fn a_last_vote_without_its_view_certificate_does_not_count() {
    let (mut lone, _) = chain(4, 3, 0);
    let genesis = lone.quill.genesis;
    let start = lone.quill.start(1, genesis);
    let certificate = lone.enter(start);
    let block = lone.quill.block(genesis.hash, 1, starting(&certificate));
    lone.append(&block);
    let few = lone.quill.view_certificate(start, &[0, 1]);
    let other = lone.quill.view_certificate(lone.quill.start(2, genesis), &[0, 1, 2]);
    let anchors = [ReportAnchor::Opening, ReportAnchor::View(few), ReportAnchor::View(other)];
    for anchor in anchors {
        let bad = report(&lone, 4, voted(&[&block], anchor.clone()));
        let reports = vec![(0, bad), (1, report(&lone, 4, None)), (2, report(&lone, 4, None))];
        assert_eq!(acknowledged(&mut lone, 4, reports), None, "{anchor:?}");
    }
    let good = report(&lone, 4, voted(&[&block], ReportAnchor::View(certificate)));
    let reports = vec![(0, good), (1, report(&lone, 4, None)), (2, report(&lone, 4, None))];
    assert_eq!(hash(acknowledged(&mut lone, 4, reports)), Some(block.hash()));
}

#[test]
fn a_certificate_that_only_an_anchor_shows_counts() {
    let (mut lone, blocks) = chain(7, 6, 3);
    let anchor = ReportAnchor::Certificate(prepared(&lone, &blocks[1]));
    let vote = voted(&[&blocks[2]], anchor);
    let reports = (0..5)
        .map(|sender| (sender, report(&lone, 1, vote.clone().filter(|_| sender == 0))))
        .collect();
    assert_eq!(hash(acknowledged(&mut lone, 1, reports)), Some(blocks[1].hash()));
}

/// The leader of view 1 goes on without the report, and a follower acknowledges no tip that it
/// does not have.
#[test]
fn a_reported_block_nobody_can_deliver_holds_up_nobody() {
    let (mut lone, _) = chain(4, 1, 0);
    let genesis = lone.quill.genesis.hash;
    let hidden = lone.quill.block(genesis, 0, Special::default());
    let ghost = report(&lone, 1, voted(&[&hidden], ReportAnchor::Opening));
    let change = lone.quill.view_change(0, ghost.clone());
    lone.change(change);
    for sender in [2, 3] {
        let change = lone.quill.view_change(sender, lone.quill.blank(1));
        lone.change(change);
    }
    assert_eq!(chosen(&lone), [vec![1, 2, 3]]);

    let (mut lone, _) = chain(4, 3, 0);
    let blank = report(&lone, 1, None);
    let reports = vec![(0, ghost), (1, blank.clone()), (2, blank)];
    assert_eq!(acknowledged(&mut lone, 1, reports), None);
    let asked = lone.said(|message| match message {
        Message::FetchBlocks { block, .. } => Some(*block),
        _ => None,
    });
    assert!(asked.contains(&hidden.hash()));
    lone.pass(MS * 20);
    lone.tell(1, Message::Blocks(vec![hidden.clone()]));
    let acks = lone.acks();
    assert_eq!(acks.len(), 1, "it acknowledges once it has executed the tip");
    assert_eq!(acks[0].tip, hidden.hash());
}

#[test]
fn a_reported_block_that_is_invalid_is_no_tip() {
    let wrong = |lone: &mut Lone| {
        let genesis = lone.quill.genesis.hash;
        let good = lone.quill.block(genesis, 0, Special::default());
        lone.quill.altered(&good, |header| header.state_root.0[0] ^= 1)
    };
    let (mut lone, _) = chain(4, 1, 0);
    let block = wrong(&mut lone);
    lone.append(&block);
    let bad = report(&lone, 1, voted(&[&block], ReportAnchor::Opening));
    let change = lone.quill.view_change(0, bad);
    lone.change(change);
    for sender in [2, 3] {
        let change = lone.quill.view_change(sender, lone.quill.blank(1));
        lone.change(change);
    }
    assert_eq!(chosen(&lone), [vec![1, 2, 3]], "the leader goes on without the report");

    let (mut lone, _) = chain(4, 3, 0);
    let block = wrong(&mut lone);
    lone.append(&block);
    let blank = report(&lone, 1, None);
    let bad = report(&lone, 1, voted(&[&block], ReportAnchor::Opening));
    let reports = vec![(0, bad), (1, blank.clone()), (2, blank)];
    assert_eq!(acknowledged(&mut lone, 1, reports), None, "and nobody acknowledges it");
}

#[test]
fn a_view_in_which_nobody_voted_changes_no_tip() {
    let (mut lone, blocks) = chain(4, 3, 1);
    let start = lone.quill.start(1, reference(&blocks[0]));
    lone.enter(start);
    let vote = voted(&[&blocks[0]], ReportAnchor::Opening);
    let reports = (0..3).map(|sender| (sender, report(&lone, 2, vote.clone()))).collect();
    assert_eq!(hash(acknowledged(&mut lone, 2, reports)), Some(blocks[0].hash()));
}

#[test]
fn an_epoch_in_which_nobody_voted_starts_its_views_on_its_opening_block() {
    let (mut lone, _) = chain(4, 3, 0);
    let reports = (0..3).map(|sender| (sender, report(&lone, 2, None))).collect();
    let genesis = lone.quill.genesis.hash;
    assert_eq!(hash(acknowledged(&mut lone, 2, reports)), Some(genesis));
}

#[test]
fn a_new_view_of_too_few_reports_or_of_one_sender_twice_is_refused() {
    let (mut lone, _) = chain(4, 3, 0);
    let blank = report(&lone, 1, None);
    let few = vec![(0, blank.clone()), (1, blank.clone())];
    assert_eq!(acknowledged(&mut lone, 1, few), None);
    assert_eq!(lone.refused("a new view from too few reports"), 1);
    let twice = vec![(0, blank.clone()), (1, blank.clone()), (1, blank.clone())];
    assert_eq!(acknowledged(&mut lone, 1, twice), None);
    assert_eq!(lone.refused("reports out of order"), 1);
    let mixed = vec![(0, blank.clone()), (1, report(&lone, 2, None)), (2, blank)];
    assert_eq!(acknowledged(&mut lone, 1, mixed), None);
    assert_eq!(lone.refused("reports for another view"), 1);
}

/// Two certificates: the older one is higher. The newer one is reported.
#[test]
fn the_certificate_of_the_newest_view_is_reported_not_the_highest_one() {
    let (mut lone, blocks) = chain(7, 6, 3);
    let old = prepared(&lone, &blocks[2]);
    lone.decide(old);
    let start = lone.quill.start(1, reference(&blocks[0]));
    let certificate = lone.enter(start);
    let newer = lone.quill.block(blocks[0].hash(), 1, starting(&certificate));
    lone.append(&newer);
    let new = prepared(&lone, &newer);
    lone.decide(new.clone());
    lone.leave(1);
    assert_eq!(lone.view_changes()[0].report.high_qc, Some(new));
}

/// A certified block that is not here yet seems to lie beside everything else: no reason to see an
/// equivocation and to refuse the set.
#[test]
fn a_set_of_reports_is_judged_once_its_blocks_are_here() {
    let (mut lone, blocks) = chain(7, 6, 1);
    let two = lone.quill.block(blocks[0].hash(), 0, Special::default());
    let vote = voted(&[&blocks[0]], ReportAnchor::Opening);
    let reports = (0..5)
        .map(|sender| {
            let high_qc = (sender == 0).then(|| prepared(&lone, &two));
            (sender, ViewReport { high_qc, ..report(&lone, 1, vote.clone()) })
        })
        .collect();
    assert_eq!(acknowledged(&mut lone, 1, reports), None);
    lone.tell(1, Message::Blocks(vec![two.clone()]));
    let tips: Vec<_> = lone.acks().iter().map(|ack| ack.tip).collect();
    assert_eq!(tips, [two.hash()]);
}
