//! What is on disk before it leaves, and what is never said differently afterwards:
//! docs/protocol/hybrid.md, V6, V7, P8, W3, W5, W7.

use std::time::Duration;

use chain::block::{Mode, SealedBlock};
use chain::certificate::VoteKind;
use chain::types::View;
use consensus::hybrid::{Message, NewView, Safety, ViewChange, ViewReport};
use consensus::tree::BlockRef;
use consensus_sim::disk::CrashPoint;
use consensus_sim::plan::Fault;

use crate::lone::Lone;
use crate::quill::{Special, reference, voted};

const MS: Duration = Duration::from_millis(1);

/// One kind of promise: who makes it, what makes it do so, and how to recognise it.
struct Promise {
    name: &'static str,
    n: usize,
    me: usize,
    /// What comes before: other promises, perhaps.
    prepare: fn(&mut Lone),
    provoke: fn(&mut Lone),
    is_said: fn(&Message) -> bool,
    is_stored: fn(&Safety) -> bool,
}

const PROMISES: [Promise; 7] = [
    Promise {
        name: "prepare vote",
        n: 4,
        me: 3,
        prepare: |_| {},
        provoke: |lone| {
            proposed(lone);
        },
        is_said: |message| is_vote(message, VoteKind::Prepare),
        is_stored: |record| record.last_vote.is_some(),
    },
    Promise {
        name: "commit vote",
        n: 7,
        me: 6,
        prepare: |lone| {
            proposed(lone);
        },
        provoke: |lone| {
            let block = lone.quill.newest();
            order(lone, block);
        },
        is_said: |message| is_vote(message, VoteKind::Commit),
        is_stored: |record| record.last_commit.is_some() && record.high_qc.is_some(),
    },
    Promise {
        name: "first header of a view",
        n: 4,
        me: 0,
        prepare: |_| {},
        provoke: |lone| {
            lone.world.submit();
            lone.pass(MS);
        },
        is_said: |message| matches!(message, Message::Append(append) if !append.blocks.is_empty()),
        is_stored: |record| record.led == Some(View::new(0)),
    },
    Promise {
        name: "proposal with the leader's vote",
        n: 4,
        me: 1,
        prepare: |_| {},
        provoke: |lone| {
            let start = lone.quill.start(1, lone.quill.genesis);
            lone.enter(start);
        },
        is_said: |message| matches!(message, Message::Append(append) if !append.votes.is_empty()),
        is_stored: |record| record.led == Some(View::new(1)) && record.last_vote.is_some(),
    },
    Promise {
        name: "view change",
        n: 4,
        me: 3,
        prepare: |_| {},
        provoke: |lone| lone.leave(0),
        is_said: |message| matches!(message, Message::ViewChange(_)),
        is_stored: |record| record.view_change.is_some() && record.view == View::new(1),
    },
    Promise {
        name: "new view",
        n: 7,
        me: 1,
        prepare: |lone| {
            let changes = blank_changes(lone);
            changes.into_iter().take(3).for_each(|change| lone.change(change));
        },
        provoke: |lone| {
            let change = blank_changes(lone).remove(3);
            lone.change(change);
        },
        is_said: |message| matches!(message, Message::NewView(_)),
        is_stored: |record| record.new_view.is_some() && record.view == View::new(1),
    },
    Promise {
        name: "view acknowledgement",
        n: 4,
        me: 3,
        prepare: |lone| {
            let changes = blank_changes(lone);
            changes.into_iter().for_each(|change| lone.change(change));
        },
        provoke: |lone| {
            let new_view = blank_new_view(lone);
            lone.tell(1, Message::NewView(new_view));
        },
        is_said: |message| matches!(message, Message::ViewAck(_)),
        is_stored: |record| record.ack.is_some() && record.view == View::new(1),
    },
];

fn is_vote(message: &Message, kind: VoteKind) -> bool {
    matches!(message, Message::Votes(votes) if votes.votes[0].ballot.kind == kind)
}

fn proposed(lone: &mut Lone) -> SealedBlock {
    let genesis = lone.quill.genesis.hash;
    let special = Special { mode: Some(Mode::Pbft), ..Special::default() };
    let block = lone.quill.block(genesis, 0, special);
    lone.append(&block);
    block
}

fn order(lone: &mut Lone, block: BlockRef) {
    let certificate = lone.quill.certificate(VoteKind::Prepare, block, &[0, 1, 2, 3, 4]);
    lone.decide(certificate);
    lone.pass(MS * 10);
}

fn blank_changes(lone: &Lone) -> Vec<ViewChange> {
    lone.others().into_iter().map(|one| lone.quill.view_change(one, lone.quill.blank(1))).collect()
}

fn blank_new_view(lone: &Lone) -> NewView {
    lone.quill.new_view(1, blank_changes(lone))
}

/// The power fails at every point between the decision and the release: nothing has left. It fails
/// right after the release: the disk has it.
#[test]
fn sign_before_persist_every_promise_is_on_disk_before_it_leaves() {
    let mut cuts = 0;
    for promise in &PROMISES {
        for point in [CrashPoint::BeforeWrite, CrashPoint::BeforeSync, CrashPoint::BeforeRelease] {
            let mut lone = Lone::new(promise.n, promise.me);
            (promise.prepare)(&mut lone);
            lone.arm(point);
            (promise.provoke)(&mut lone);
            assert!(!lone.is_running(), "{}: {point:?} was passed", promise.name);
            let said = lone.said(|message| (promise.is_said)(message).then_some(()));
            assert!(said.is_empty(), "{} left, cut at {point:?}", promise.name);
            cuts += 1;
        }
        let mut lone = Lone::new(promise.n, promise.me);
        (promise.prepare)(&mut lone);
        (promise.provoke)(&mut lone);
        let said = lone.said(|message| (promise.is_said)(message).then_some(()));
        assert!(!said.is_empty(), "{} is made", promise.name);
        lone.restart();
        let record = lone.record().expect("a record was written");
        assert!((promise.is_stored)(&record), "{} is not in {record:?}", promise.name);
        cuts += 1;
    }
    println!("{cuts} power cuts around {} kinds of promises", PROMISES.len());
}

#[test]
fn vote_lost_over_a_restart_a_second_block_for_its_height_gets_none() {
    let mut lone = Lone::new(4, 3);
    let block = proposed(&mut lone);
    assert!(lone.voted_for(&block));
    lone.restart();
    let rival = proposed(&mut lone);
    assert!(!lone.voted_for(&rival));
    assert_eq!(lone.view(), View::new(1), "the two blocks are evidence");
    let changes = lone.view_changes();
    let vote = changes[0].report.last_vote.as_ref().expect("the vote is reported");
    assert_eq!(vote.headers[0], block.signed_header());
}

#[test]
fn a_commit_vote_keeps_its_prepare_certificate_over_a_restart() {
    let mut lone = Lone::new(7, 6);
    let block = proposed(&mut lone);
    order(&mut lone, reference(&block));
    assert!(lone.commit_voted_for(&block));
    lone.restart();
    lone.forget_said();
    lone.leave(0);
    let changes = lone.view_changes();
    let high = changes[0].report.high_qc.as_ref().expect("the certificate is reported");
    assert_eq!(high.ballot.kind, VoteKind::Prepare);
}

#[test]
fn a_validator_that_gave_up_a_view_votes_in_it_no_more_after_a_restart() {
    let mut lone = Lone::new(4, 3);
    lone.leave(0);
    let said = lone.view_changes();
    lone.restart();
    assert_eq!(lone.view(), View::new(1));
    let block = proposed(&mut lone);
    assert!(!lone.voted_for(&block));
    lone.pass(MS * 100);
    assert_eq!(lone.view_changes(), said, "one report per view, said again unchanged");
}

/// What it learns after its report does not change the report.
#[test]
fn one_view_change_per_view_whatever_is_learnt_later() {
    let mut lone = Lone::new(7, 6);
    let block = proposed(&mut lone);
    lone.leave(0);
    let voters = [0, 1, 2, 3, 4];
    let certificate = lone.quill.certificate(VoteKind::Prepare, reference(&block), &voters);
    lone.decide(certificate);
    lone.pass(MS * 100);
    lone.restart();
    lone.pass(MS * 100);
    let said = lone.view_changes();
    assert_eq!(said.len(), 1);
    assert!(said[0].report.high_qc.is_none());
}

#[test]
fn acknowledge_and_forget_the_answer_after_a_restart_is_the_same() {
    let mut lone = Lone::new(4, 3);
    let block = proposed(&mut lone);
    let new_view = blank_new_view(&lone);
    lone.tell(1, Message::NewView(new_view));
    let said = lone.acks();
    assert_eq!(said.len(), 1);
    lone.restart();
    // Another set, with a vote in it, has another tip.
    let report = ViewReport {
        last_vote: voted(&[&block], consensus::hybrid::ReportAnchor::Opening),
        ..lone.quill.blank(1)
    };
    let mut changes = blank_changes(&lone);
    changes[0] = lone.quill.view_change(0, report);
    let other = lone.quill.new_view(1, changes);
    lone.tell(1, Message::NewView(other));
    lone.pass(MS * 100);
    assert_eq!(lone.acks(), said);
}

#[test]
fn a_new_view_is_said_again_unchanged_after_a_restart() {
    let mut lone = Lone::new(4, 1);
    let changes = blank_changes(&lone);
    changes.iter().for_each(|change| lone.change(change.clone()));
    let new_views = |lone: &Lone| {
        lone.said(|message| match message {
            Message::NewView(new_view) => Some(new_view.clone()),
            _ => None,
        })
    };
    let said = new_views(&lone);
    assert_eq!(said.len(), 1);
    lone.restart();
    for change in changes.into_iter().rev() {
        lone.change(change);
    }
    lone.pass(MS * 100);
    assert_eq!(new_views(&lone), said);
}

/// The mark alone tells: the header may be lost with everything it rests on.
#[test]
fn sign_before_persist_a_leader_that_restarts_signs_no_further_header_in_a_view_it_led() {
    for point in [None, Some(CrashPoint::BeforeRelease)] {
        let mut lone = Lone::new(4, 0);
        if let Some(point) = point {
            lone.arm(point);
        }
        lone.world.submit();
        lone.pass(MS);
        match point {
            None => lone.restart(),
            Some(_) => {
                lone.world.strike(Fault::Restart { node: 0 });
                lone.pass(MS);
            }
        }
        lone.forget_said();
        for _ in 0..3 {
            lone.world.submit();
            lone.pass(MS * 20);
        }
        let said = lone.said(|message| {
            matches!(message, Message::Append(append) if !append.blocks.is_empty()).then_some(())
        });
        assert!(said.is_empty(), "{point:?}");
        assert_eq!(lone.record().unwrap().led, Some(View::new(0)));
        // In the next view of its own it leads as ever.
        let start = lone.quill.start(4, lone.quill.genesis);
        lone.enter(start);
        lone.pass(MS * 20);
        let said = lone.said(|message| {
            matches!(message, Message::Append(append) if !append.blocks.is_empty()).then_some(())
        });
        assert_eq!(said.len(), 1, "{point:?}");
    }
}

/// One that was moved up by a new-view message reports for the view it is in.
#[test]
fn whoever_acknowledged_a_higher_view_reports_for_that_one() {
    let mut lone = Lone::new(4, 3);
    lone.leave(0);
    let changes =
        [0, 1, 2].map(|sender| lone.quill.view_change(sender, lone.quill.blank(2))).to_vec();
    let new_view = lone.quill.new_view(2, changes);
    lone.tell(2, Message::NewView(new_view));
    assert_eq!(lone.acks().len(), 1);
    lone.restart();
    lone.forget_said();
    lone.pass(MS * 100);
    let views: Vec<View> = lone.view_changes().iter().map(|change| change.report.view).collect();
    assert_eq!(views, [View::new(2)]);
}
