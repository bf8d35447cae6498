//! Stores that begin with a snapshot.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use chain::certificate::VoteKind;
use chain::crypto::Ed25519;
use chain::snapshot::{Checkpoint, ManifestError};

use super::super::install::{self, InstallError};
use super::super::*;
use super::fixture::{Chain, Draft, Record, copy, every};
use crate::snapshot::{
    Judge, Snapshot, SnapshotError, SnapshotSink, SnapshotSource, Upkeep, UpkeepPolicy,
};

fn take(chain: &mut Chain) -> Snapshot {
    let (height, state) = (chain.tip().0, chain.ledger().state().clone());
    Snapshot::take(chain.store(), height, state).unwrap().expect("a block with a proof")
}

fn judge(chain: &Chain) -> Judge {
    Judge::new(&chain.genesis, None, false)
}

/// Gives the chunks last to first, the first one twice.
fn receive(snapshot: &Snapshot, judge: &Judge) -> Result<SnapshotSink, SnapshotError> {
    let mut sink =
        SnapshotSink::for_offer(&snapshot.offer(), &snapshot.manifest(), judge, &Ed25519)?;
    assert_eq!(sink.missing(), snapshot.len());
    for index in (0..snapshot.len()).rev().chain([0]) {
        sink.add(index, &snapshot.chunk(index).unwrap())?;
        assert!(sink.has(index));
    }
    assert_eq!((sink.missing(), snapshot.chunk(snapshot.len())), (0, None));
    Ok(sink)
}

/// A node that begins with a snapshot of the chain.
fn joined(chain: &mut Chain, judge: &Judge) -> Chain {
    let snapshot = take(chain);
    chain.elsewhere(|directory| {
        let tip = receive(&snapshot, judge).unwrap().install(directory).unwrap();
        assert_eq!(tip, (snapshot.offer().height, snapshot.tip()));
        assert_eq!(names(directory), ["db", "node.lock"]);
    })
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Blocks, a barrier, more blocks than a start looks at.
fn long_chain(engine: EngineName) -> Chain {
    let mut chain = Chain::of(engine, every(64));
    chain.grow(5);
    let evidence = vec![chain.double_vote(0)];
    let barrier = chain.execute(&Draft { evidence, ..chain.draft() });
    chain.commit(&[barrier]);
    chain.grow(294);
    chain
}

#[test]
fn a_store_begins_with_a_snapshot_and_goes_on() {
    let mut chain = long_chain(EngineName::Hybrid);
    let judge = judge(&chain);
    let mut joined = joined(&mut chain, &judge);
    // The fixture compares state, last block, recent headers, proof with the chain's.
    assert_eq!(joined.reopen(), 0, "nothing is executed again");
    let (old, new) = (chain.store(), joined.store());
    assert_eq!(new.base(), Height::new(301));
    assert_eq!(new.epoch_start(Epoch::new(1)).unwrap(), old.epoch_start(Epoch::new(1)).unwrap());
    assert_eq!(new.lineage(Epoch::new(1)).unwrap(), old.lineage(Epoch::new(1)).unwrap());
    let is_pruned = |error: StoreError| matches!(error, StoreError::Pruned { .. });
    assert_eq!(new.final_block(Height::new(300)).unwrap(), chain.blocks[299]);
    for height in [1, 299].map(Height::new) {
        assert!(is_pruned(new.final_block(height).unwrap_err()));
    }
    for height in [1, 299, 300].map(Height::new) {
        assert!(is_pruned(new.receipts(height).unwrap_err()));
        assert!(is_pruned(new.final_run(height, 1000).unwrap_err()));
    }
    assert!(is_pruned(new.final_hash(Height::new(1)).unwrap_err()));
    assert_eq!(new.final_hash(Height::new(44)).unwrap(), old.final_hash(Height::new(44)).unwrap());
    assert_eq!(new.final_header(Height::new(43)).unwrap(), None);
    assert!(new.final_header(Height::new(44)).unwrap().is_some());
    assert_eq!(new.prove(Height::new(300)).unwrap(), old.prove(Height::new(300)).unwrap());
    assert_eq!(Storage::<Record>::final_hash(new, Height::new(1)).unwrap(), None);
    // It goes on like any other, restarts, crashes, and gives a snapshot itself.
    joined.grow(70);
    assert_eq!(joined.reopen(), 6);
    joined.crashed().reopen();
    let transaction = joined.blocks[310].transaction_hashes()[0];
    assert_eq!(joined.store().locate(&transaction).unwrap().unwrap().height.get(), 311);
    let mut third = self::joined(&mut joined, &judge);
    third.reopen();
    third.grow(3);
    third.reopen();
}

#[test]
fn a_chain_may_be_joined_right_at_its_barrier_or_first_block() {
    for engine in [EngineName::Hybrid, EngineName::Raft] {
        let mut chain = Chain::of(engine, every(64));
        chain.grow(1);
        let judge = Judge::new(&chain.genesis, None, true);
        joined(&mut chain, &judge).reopen();
        let evidence = vec![chain.double_vote(0)];
        let barrier = chain.execute(&Draft { evidence, ..chain.draft() });
        chain.commit(&[barrier]);
        let mut joined = joined(&mut chain, &judge);
        joined.reopen();
        joined.grow(3);
        joined.reopen();
    }
}

#[test]
fn without_certificates_a_checkpoint_is_needed() {
    let mut chain = long_chain(EngineName::Raft);
    let snapshot = take(&mut chain);
    let refused = receive(&snapshot, &judge(&chain)).unwrap_err();
    assert!(matches!(refused, SnapshotError::Manifest(ManifestError::Unproven)), "{refused}");
    let (height, hash) = chain.tip();
    let known = Judge::new(&chain.genesis, Some(Checkpoint { height, hash }), false);
    let mut joined = joined(&mut chain, &known);
    joined.reopen();
    joined.grow(3);
    joined.reopen();
    let wrong = Checkpoint { height, hash: Digest([3; 32]) };
    let refused = receive(&snapshot, &Judge::new(&chain.genesis, Some(wrong), false));
    assert!(matches!(refused, Err(SnapshotError::Manifest(ManifestError::Checkpoint(_)))));
}

#[test]
fn a_wrong_piece_is_the_givers_fault_and_changes_nothing() {
    let mut chain = long_chain(EngineName::Hybrid);
    let snapshot = take(&mut chain);
    let judge = judge(&chain);
    let new = || SnapshotSink::new(&snapshot.manifest(), &judge, &Ed25519).unwrap();
    let mut sink = new();
    let good = snapshot.chunk(0).unwrap();
    for (index, chunk) in [(0, vec![]), (0, vec![0; 8]), (1, good.clone()), (0, vec![9; 3 << 20])] {
        let error = sink.add(index, &chunk).unwrap_err();
        assert!(error.is_givers_fault(), "{error}");
        assert!(!sink.has(index));
    }
    sink.add(0, &good).unwrap();
    sink.finish().unwrap();
    chain.grow(1);
    let newer = take(&mut chain);
    let other = SnapshotSink::for_offer(&newer.offer(), &snapshot.manifest(), &judge, &Ed25519);
    assert!(matches!(other, Err(SnapshotError::OtherOffer)));
    assert!(SnapshotSink::new(&[], &judge, &Ed25519).unwrap_err().is_givers_fault());
    assert!(SnapshotSink::new(&vec![0; 20 << 20], &judge, &Ed25519).is_err());
}

#[test]
fn promises_survive_the_snapshot_that_overtakes_them() {
    let mut chain = Chain::new(every(4));
    chain.grow(5);
    let mut behind = chain.crashed();
    behind.reopen();
    let block = behind.execute(&behind.draft());
    let vote = behind.vote(VoteKind::Prepare, &block);
    behind.persist(vote, &[block]);
    behind.close();
    chain.grow(20);
    let snapshot = take(&mut chain);
    receive(&snapshot, &judge(&chain)).unwrap().install(behind.path()).unwrap();
    assert_eq!(names(behind.path()), ["db", "node.lock"]);
    behind.blocks = chain.blocks.clone();
    // The vote stays; the block below the new final height goes.
    behind.proposals.clear();
    behind.reopen();
    behind.grow(1);
    behind.close();
    // Never backwards, and never under a running node.
    let sink = receive(&snapshot, &judge(&chain)).unwrap();
    let error = sink.install(behind.path()).unwrap_err();
    assert!(matches!(error, SnapshotError::Install(InstallError::Behind { .. })), "{error}");
    assert!(!error.is_givers_fault());
    behind.reopen();
    let sink = receive(&take(&mut chain), &judge(&chain)).unwrap();
    let error = sink.install(behind.path()).unwrap_err().to_string();
    assert!(error.contains("in use by"), "{error}");
    let height = install::final_height(chain.crashed().path(), chain.genesis.chain_id);
    assert_eq!(height.unwrap(), Some(Height::new(25)));
}

/// The moments of an installation at which a process may die.
#[test]
fn an_interrupted_installation_is_whole_or_nothing() {
    let mut chain = Chain::new(every(4));
    chain.grow(5);
    let old = chain.crashed();
    chain.grow(20);
    let snapshot = take(&mut chain);
    let install = |directory: &Path| {
        receive(&snapshot, &judge(&chain)).unwrap().install(directory).unwrap();
    };
    let new = chain.elsewhere(install);
    let db = |chain: &Chain| chain.path().join("db");
    // While the new one was written: a start knows nothing of it, and it can be begun again.
    let mut found = chain.elsewhere(|directory| {
        copy(&db(&old), &directory.join("db"));
        copy(&db(&new), &directory.join("db.new"));
        fs::remove_file(directory.join("db.new/CURRENT")).unwrap();
    });
    found.blocks = old.blocks.clone();
    found.reopen();
    found.close();
    install(found.path());
    found.blocks = chain.blocks.clone();
    found.reopen();
    // Between the two renames, and before the old one was removed.
    for (first, second) in [("db.old", "db.new"), ("db.old", "db")] {
        let mut found = chain.elsewhere(|directory| {
            copy(&db(&old), &directory.join(first));
            copy(&db(&new), &directory.join(second));
        });
        assert_eq!(found.reopen(), 0);
        found.grow(1);
        assert_eq!(names(found.path()), ["db", "node.lock"]);
    }
}

#[test]
fn the_upkeep_takes_snapshots_and_deletes_what_is_old() {
    let mut chain = Chain::new(every(64));
    chain.grow(30);
    let policy = UpkeepPolicy { snapshot_interval: 256, retain_blocks: 260 };
    let state = chain.ledger().state().clone();
    let untold = Arc::new(|_: crate::assembly::Moment<'_>| {});
    let upkeep = Upkeep::start(chain.store().clone(), policy, state, untold).unwrap();
    let source = upkeep.source.clone();
    wait(&source, &[30]);
    for (to, heights) in [(256, [256, 30]), (512, [512, 256]), (768, [768, 512])] {
        let before = chain.tip().0;
        chain.grow(to - before.get());
        let height = chain.tip().0;
        assert!(upkeep.handle.wants(height) && !upkeep.handle.wants(height.next()));
        let state = chain.ledger().state().clone();
        upkeep.handle.committed(before, height, Some((height, state)));
        wait(&source, &heights);
    }
    // 768 - 260 + 1, but the blocks above the snapshot at 512, and the headers that a start reads,
    // were free to go only below 509.
    let deadline = Instant::now() + Duration::from_secs(30);
    while chain.store().base().get() < 509 {
        assert!(Instant::now() < deadline, "{:?}", chain.store().base());
        std::thread::sleep(Duration::from_millis(5));
    }
    for offer in source.offers() {
        let manifest = source.manifest(&offer).unwrap();
        let mut sink =
            SnapshotSink::for_offer(&offer, &manifest, &judge(&chain), &Ed25519).unwrap();
        for index in 0..sink.len() {
            sink.add(index, &source.chunk(&offer, index).unwrap()).unwrap();
        }
        sink.finish().unwrap();
    }
    drop(upkeep);
    assert_eq!(chain.reopen(), 0);
}

fn wait(source: &SnapshotSource, heights: &[u64]) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let offers = source.offers();
        let found: Vec<u64> = offers.iter().map(|offer| offer.height.get()).collect();
        if found == heights {
            return;
        }
        assert!(Instant::now() < deadline, "{found:?} where {heights:?} are expected");
        std::thread::sleep(Duration::from_millis(5));
    }
}
