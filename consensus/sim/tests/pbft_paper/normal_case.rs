//! §4.2, normal-case operation, and §4.3, garbage collection.

use chain::certificate::VoteKind::{Commit, PbftPrepare};
use consensus::pbft::Message;
use consensus::pbft::rules::{CHECKPOINT_INTERVAL, LOG_SIZE};

use crate::script::{MS, Script};

/// §4.2: "it has not accepted a pre-prepare message for view v and sequence number n containing a
/// different digest".
#[test]
fn one_pre_prepare_per_view_and_sequence_number() {
    let mut script = Script::new(3);
    let (first, second) = (script.block(None, 0), script.block(None, 0));
    script.pre_prepare(&first);
    assert!(script.voted(PbftPrepare, 0, &first));
    script.pre_prepare(&second);
    assert!(!script.voted(PbftPrepare, 0, &second));
    assert_eq!(script.world.record().counters.evidence_found, 1, "and the primary is caught");
}

/// §4.2: "it is in view v": a backup that left the view prepares nothing more in it.
#[test]
fn a_backup_prepares_only_in_its_view() {
    let mut script = Script::new(3);
    let block = script.block(None, 1);
    script.pre_prepare(&block);
    assert!(!script.voted(PbftPrepare, 1, &block), "a view that has not begun");
    for sender in [1, 2] {
        let change = script.change(sender, 1, Vec::new());
        script.tell(sender, Message::ViewChange(change));
    }
    let block = script.block(None, 0);
    script.pre_prepare(&block);
    assert!(!script.voted(PbftPrepare, 0, &block), "a view that was left");
}

/// §4.2: "the sequence number in the pre-prepare message is between a low water mark, h, and a
/// high water mark, H".
#[test]
fn nothing_is_prepared_above_the_high_watermark() {
    let mut script = Script::new(3);
    let chain = script.chain(0, LOG_SIZE as usize + 2);
    for block in &chain {
        script.pre_prepare(block);
    }
    for block in &chain {
        let within = block.header.height.get() <= LOG_SIZE;
        assert_eq!(script.voted(PbftPrepare, 0, block), within, "{block:?}");
    }
    // The low mark moves with finality, and the high one with it.
    for voter in [0, 1, 2] {
        script.vote(voter, Commit, 0, &chain[0]);
    }
    assert_eq!(script.status().final_height.get(), 1);
    assert!(script.voted(PbftPrepare, 0, &chain[LOG_SIZE as usize]));
    assert!(!script.voted(PbftPrepare, 0, &chain[LOG_SIZE as usize + 1]));
}

/// §4.2: prepared(m, v, n, i) takes the pre-prepare and 2f matching prepares of different backups.
#[test]
fn commit_follows_a_pre_prepare_and_two_f_prepares() {
    let mut script = Script::new(3);
    let block = script.block(None, 0);
    script.pre_prepare(&block);
    assert!(script.voted(PbftPrepare, 0, &block));
    // The pre-prepare and the own prepare are two of a quorum of three.
    assert!(!script.voted(Commit, 0, &block));
    script.vote(0, PbftPrepare, 0, &block);
    assert!(!script.voted(Commit, 0, &block), "the primary counts once");
    script.vote(1, PbftPrepare, 0, &block);
    assert!(script.voted(Commit, 0, &block));
}

/// §4.2: prepares without the pre-prepare prepare nothing.
#[test]
fn no_commit_without_the_pre_prepare() {
    let mut script = Script::new(3);
    let block = script.block(None, 0);
    for voter in [0, 1, 2] {
        script.vote(voter, PbftPrepare, 0, &block);
    }
    assert!(!script.voted(Commit, 0, &block));
    script.pre_prepare(&block);
    assert!(script.voted(Commit, 0, &block));
}

/// Blocks name their parents: a commit covers everything below it.
#[test]
fn no_commit_above_what_is_not_prepared() {
    let mut script = Script::new(3);
    let chain = script.chain(0, 2);
    chain.iter().for_each(|block| script.pre_prepare(block));
    script.vote(1, PbftPrepare, 0, &chain[1]);
    assert!(!script.voted(Commit, 0, &chain[1]), "the block below is not prepared");
    script.vote(1, PbftPrepare, 0, &chain[0]);
    assert!(script.voted(Commit, 0, &chain[0]) && script.voted(Commit, 0, &chain[1]));
}

/// §4.2: committed-local takes 2f+1 commits; no number of prepares is enough.
#[test]
fn a_block_is_final_with_a_quorum_of_commits() {
    let mut script = Script::new(3);
    let block = script.block(None, 0);
    script.pre_prepare(&block);
    for voter in [0, 1, 2] {
        script.vote(voter, PbftPrepare, 0, &block);
    }
    script.vote(0, Commit, 0, &block);
    assert_eq!(script.status().final_height.get(), 0, "its own and one more");
    script.vote(1, Commit, 0, &block);
    assert_eq!(script.status().final_height.get(), 1);
    let proof = script.status().certificate.expect("a final block has a certificate");
    assert_eq!(proof.ballot.kind, Commit);
}

/// §4.3: a checkpoint is said at every K-th block.
#[test]
fn checkpoints_are_periodic() {
    let mut script = Script::new(3);
    let period = CHECKPOINT_INTERVAL as usize;
    let chain = script.chain(0, 2 * period);
    for block in &chain {
        script.pre_prepare(block);
        for voter in [0, 1, 2] {
            script.vote(voter, Commit, 0, block);
        }
    }
    assert_eq!(script.status().final_height.get(), 2 * CHECKPOINT_INTERVAL);
    let said: Vec<_> = script.checkpoints().iter().map(|said| said.block).collect();
    assert!(said.contains(&chain[period - 1].hash()));
    assert!(said.contains(&chain[2 * period - 1].hash()));
    let heights: Vec<_> = script.checkpoints().iter().map(|said| said.height.get()).collect();
    assert!(heights.iter().all(|height| height.is_multiple_of(CHECKPOINT_INTERVAL)));
}

/// §4.2, §4.6: what was promised is on disk: after a restart the same prepare, and no other.
#[test]
fn a_restart_changes_no_vote() {
    let mut script = Script::new(3);
    let (first, second) = (script.block(None, 0), script.block(None, 0));
    script.pre_prepare(&first);
    script.restart();
    script.pre_prepare(&second);
    assert!(!script.voted(PbftPrepare, 0, &second));
    script.pass(MS);
    assert!(script.voted(PbftPrepare, 0, &first), "and it is said again");
}
