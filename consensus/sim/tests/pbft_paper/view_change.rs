//! §4.4, view changes, and §4.5.2, liveness.

use chain::certificate::VoteKind::{Commit, PbftPrepare};
use chain::types::Height;
use consensus::engine::Role;
use consensus::pbft::select::{Selection, select};
use consensus::pbft::{Message, Paper};

use crate::script::{MS, Script, TIMEOUT};

/// §4.4: the timer runs while a request waits; when it expires the backup reports what it prepared.
#[test]
fn a_timeout_reports_what_is_prepared() {
    let mut script = Script::new(3);
    let chain = script.chain(0, 2);
    chain.iter().for_each(|block| script.pre_prepare(block));
    script.vote(1, PbftPrepare, 0, &chain[0]);
    script.pass(TIMEOUT - MS * 100);
    assert_eq!(script.view_changes(), Vec::new());
    script.pass(MS * 200);
    let changes = script.view_changes();
    assert_eq!(changes.len(), 1);
    let report = &changes[0].report;
    assert_eq!(report.view.get(), 1);
    let prepared: Vec<_> = report.prepared.iter().map(|prepared| prepared.block()).collect();
    assert_eq!(prepared, [chain[0].hash()], "what is accepted and not prepared is no part of P");
}

/// §4.4: no timer where no request waits.
#[test]
fn an_idle_backup_stays() {
    let mut script = Script::new(3);
    script.pass(TIMEOUT * 10);
    assert_eq!(script.view_changes(), Vec::new());
}

/// §4.5.2: f+1 view changes for higher views are joined without waiting for the timer; f are not.
#[test]
fn f_plus_one_view_changes_are_joined() {
    let mut script = Script::new(3);
    let change = script.change(1, 5, Vec::new());
    script.tell(1, Message::ViewChange(change));
    assert_eq!(script.status().view.get(), 0);
    let change = script.change(2, 7, Vec::new());
    script.tell(2, Message::ViewChange(change));
    assert_eq!(script.status().view.get(), 5, "the smallest of them");
}

/// §4.5.2: between views the timer starts with 2f+1 view changes, and doubles up to a cap.
#[test]
fn timeouts_start_with_a_quorum_double_and_are_capped() {
    let mut script = Script::new(3);
    let change = script.change(1, 1, Vec::new());
    script.tell(1, Message::ViewChange(change));
    let change = script.change(2, 1, Vec::new());
    script.tell(2, Message::ViewChange(change));
    assert_eq!((script.status().view.get(), script.status().role), (1, Role::Changing));
    assert_eq!(script.status().timeout, TIMEOUT * 2);
    script.pass(TIMEOUT * 2 + MS);
    assert_eq!(script.status().view.get(), 2, "with three in view 1");
    assert_eq!(script.status().timeout, TIMEOUT * 4);
    script.pass(TIMEOUT * 20);
    assert_eq!(script.status().view.get(), 2, "alone in view 2");
    assert_eq!(script.status().timeout, TIMEOUT * 4);
}

/// §4.4: the new primary waits for 2f+1 view changes, its own among them, and pre-prepares again
/// what they prepared.
#[test]
fn a_new_primary_starts_from_a_quorum() {
    let mut script = Script::new(1);
    let block = script.block(None, 0);
    let change = script.change(2, 1, vec![script.prepared(0, &block)]);
    script.tell(2, Message::ViewChange(change));
    let change = script.change(3, 1, Vec::new());
    script.tell(3, Message::ViewChange(change));
    let started = script.said().into_iter().find_map(|message| match message {
        Message::NewView(new_view) => Some(new_view.start),
        _ => None,
    });
    let start = started.expect("two others and itself");
    assert_eq!(start.changes.len(), 3);
    assert_eq!((start.chosen, start.null), (vec![block.hash()], false));
    // It has not seen the block: it asks for it, and then votes for it in the new view.
    let asked = script.said().into_iter().any(|message| {
        matches!(message, Message::FetchBlocks { block: wanted, .. } if wanted == block.hash())
    });
    assert!(asked);
    script.tell(2, Message::Blocks(vec![block.clone()]));
    assert!(script.voted(PbftPrepare, 1, &block));
}

/// §4.4: a backup recomputes O and refuses what does not follow from V.
#[test]
fn a_new_view_must_follow_from_its_reports() {
    let refusal = "a new view that does not follow from its reports";
    let mut script = Script::new(3);
    let block = script.block(None, 0);
    let changes = vec![
        script.change(0, 1, Vec::new()),
        script.change(1, 1, vec![script.prepared(0, &block)]),
        script.change(2, 1, Vec::new()),
    ];
    script.new_view(1, changes.clone(), &[], false);
    assert_eq!(script.refused(refusal), 1, "a prepared block left out");
    let other = script.block(None, 0);
    script.new_view(1, changes.clone(), &[&other], false);
    assert_eq!(script.refused(refusal), 2, "another block in its place");
    script.new_view(1, changes.clone(), &[&block], true);
    assert_eq!(script.refused(refusal), 3, "a null request that nothing asks for");
    script.new_view(1, changes[..2].to_vec(), &[&block], false);
    assert_eq!(script.refused("a new view from too few reports"), 1);
    assert_eq!(script.status().view.get(), 0);
    script.new_view(1, changes, &[&block], false);
    assert_eq!((script.status().view.get(), script.status().role), (1, Role::Follower));
    script.tell(1, Message::Blocks(vec![block.clone()]));
    assert!(script.voted(PbftPrepare, 1, &block), "its header still names view 0");
}

/// §4.4: a certificate that does not verify voids the whole report.
#[test]
fn a_report_needs_its_certificates() {
    let mut script = Script::new(3);
    let block = script.block(None, 0);
    let mut prepared = script.prepared(0, &block);
    prepared.certificate = script.certificate(PbftPrepare, 0, &block, &[0, 1]);
    let change = script.change(1, 1, vec![prepared]);
    script.tell(1, Message::ViewChange(change));
    assert_eq!(script.refused("a prepared block without its certificate"), 1);
    let from_ahead = script.change(1, 1, vec![script.prepared(1, &block)]);
    script.tell(1, Message::ViewChange(from_ahead));
    assert_eq!(script.refused("a prepared block that is none"), 1);
}

/// §4.4: per sequence number the request prepared in the highest view; a null request in a gap.
#[test]
fn o_takes_the_highest_view_and_fills_gaps_with_null_requests() {
    let mut script = Script::new(3);
    let old = script.chain(0, 2);
    let young = script.block(None, 1);
    let opening = (Height::new(0), script.genesis);
    let chosen = |changes: &[_]| -> Selection { select::<Paper>(opening, changes) };
    let prepared = |view, block| script.prepared(view, block);
    // Two views at one height.
    let changes = [
        script.change(0, 3, vec![prepared(0, &old[0])]),
        script.change(1, 3, vec![prepared(1, &young)]),
    ];
    assert_eq!(chosen(&changes).chosen, [young.hash()]);
    // The same block prepared again in a later view wins over a block of a view between.
    let changes = [
        script.change(0, 3, vec![prepared(2, &old[0]), prepared(0, &old[1])]),
        script.change(1, 3, vec![prepared(1, &young)]),
    ];
    let selection = chosen(&changes);
    assert_eq!((selection.chosen, selection.null), (vec![old[0].hash(), old[1].hash()], false));
    // A gap, and a block that does not extend the chosen one: null.
    let gap = [script.change(0, 3, vec![prepared(0, &old[1])])];
    assert_eq!((chosen(&gap).chosen, chosen(&gap).null), (vec![], true));
    let changes = [
        script.change(0, 3, vec![prepared(0, &old[0]), prepared(0, &old[1])]),
        script.change(1, 3, vec![prepared(1, &young)]),
    ];
    let selection = chosen(&changes);
    assert_eq!((selection.chosen.as_slice(), selection.null), ([young.hash()].as_slice(), true));
    assert!(selection.is_null(Height::new(2)) && !selection.is_null(Height::new(3)));
}

/// §4.4, "prepared certificates" outlive views: what was committed is reported until it is final.
#[test]
fn a_prepared_certificate_is_reported_again_in_every_view() {
    let mut script = Script::new(3);
    let block = script.block(None, 0);
    script.pre_prepare(&block);
    script.vote(1, PbftPrepare, 0, &block);
    assert!(script.voted(Commit, 0, &block));
    script.restart();
    for view in [1, 4] {
        for sender in [0, 1] {
            let change = script.change(sender, view, Vec::new());
            script.tell(sender, Message::ViewChange(change));
        }
        let changes = script.view_changes();
        let report = &changes.last().expect("it joined").report;
        assert_eq!((report.view.get(), report.prepared.len()), (view, 1));
        assert_eq!(report.prepared[0].block(), block.hash());
    }
}

/// §4.4 relies on a primary that never pre-prepares twice: one that forgot leaves.
#[test]
fn a_primary_that_restarts_leaves_its_view() {
    let mut script = Script::new(0);
    script.world.submit();
    script.pass(MS * 10);
    let proposed = |script: &Script| {
        script.said().iter().filter(|said| matches!(said, Message::PrePrepare(_))).count()
    };
    assert!(proposed(&script) > 0);
    script.restart();
    script.forget_said();
    script.world.submit();
    script.pass(MS * 300);
    assert_eq!(proposed(&script), 0);
    assert_eq!((script.status().view.get(), script.status().role), (1, Role::Changing));
}
