//! Deleting old blocks: what goes, what stays, and what readers are told.

use chain::codec;
use chain::light::Trust;
use tokio_util::sync::CancellationToken;

use super::super::inspect::inspect;
use super::super::*;
use super::fixture::{Chain, Draft, Record, every};
use crate::snapshot::Snapshot;

fn never() -> CancellationToken {
    CancellationToken::new()
}

/// 700 blocks, checkpoints at every hundredth, a barrier at height 11.
fn chain() -> Chain {
    let mut chain = Chain::new(every(100));
    chain.grow(10);
    let evidence = vec![chain.double_vote(0)];
    let barrier = chain.execute(&Draft { evidence, ..chain.draft() });
    chain.commit(&[barrier]);
    chain.grow(689);
    assert_eq!(chain.tip().0.get(), 700);
    chain
}

#[track_caller]
fn pruned<T: std::fmt::Debug>(result: Result<T, StoreError>, height: u64, lowest: u64) {
    match result {
        Err(StoreError::Pruned { height: found, lowest: base }) => {
            assert_eq!((found.get(), base.get()), (height, lowest));
        }
        other => panic!("height {height}: {other:?}"),
    }
}

/// Everything that may be asked about a chain that was pruned below a height.
fn check(chain: &Chain, lowest: u64) {
    let store = chain.store();
    assert_eq!(store.base().get(), lowest);
    for height in [1, 11, lowest - 1] {
        let at = Height::new(height);
        let block = &chain.blocks[height as usize - 1];
        pruned(store.final_block(at), height, lowest);
        pruned(store.receipts(at), height, lowest);
        pruned(store.final_run(at, 1000), height, lowest);
        assert_eq!(store.block(&block.hash()).unwrap(), None);
        assert_eq!(store.final_hash(at).unwrap(), Some(block.hash()), "hashes stay");
        if let Some(transaction) = block.transaction_hashes().first() {
            assert_eq!(store.locate(transaction).unwrap(), None);
        }
        // The engine is told that there is nothing, not that the disk failed.
        assert_eq!(Storage::<Record>::finals(store, at, 1000).unwrap(), None);
    }
    for height in lowest..=700 {
        let at = Height::new(height);
        let block = &chain.blocks[height as usize - 1];
        assert_eq!(store.final_block(at).unwrap(), *block);
        assert_eq!(store.receipts(at).unwrap().unwrap().len(), 1);
        let found = store.locate(&block.transaction_hashes()[0]).unwrap().unwrap();
        assert_eq!(found.height, at);
        chain.assert_proves(&store.prove(at).unwrap().unwrap(), block);
    }
    let run = store.final_run(Height::new(lowest), 1 << 20).unwrap().unwrap();
    assert_eq!(run.blocks[0], chain.blocks[lowest as usize - 1]);
    assert_eq!(store.evidence().unwrap().len(), 1, "evidence stays");
    let lineage = store.lineage(Epoch::new(1)).unwrap().unwrap();
    let set = chain.genesis.state.validators().clone();
    let trust = Trust { chain_id: chain.genesis.chain_id, validators: set };
    let last = lineage.verify(&trust, &::chain::crypto::Ed25519).unwrap();
    assert_eq!(last.epoch, Epoch::new(1), "the way from genesis stays");
}

#[test]
fn old_blocks_go_and_everything_above_stays() {
    let mut chain = chain();
    assert_eq!(chain.store().base().get(), 1);
    for lowest in [2, 300, 444] {
        let kept = chain.store().prune_below(Height::new(lowest), &never()).unwrap();
        assert_eq!(kept.get(), lowest);
        if lowest > 11 {
            check(&chain, lowest);
        }
        // A crash at any moment, also one that nobody flushed before.
        let mut crashed = chain.crashed();
        crashed.reopen();
        assert_eq!(crashed.store().base().get(), lowest);
        chain.reopen();
        if lowest > 11 {
            check(&chain, lowest);
        }
    }
    // Again, and less: nothing changes.
    for from in [444, 3] {
        assert_eq!(chain.store().prune_below(Height::new(from), &never()).unwrap().get(), 444);
    }
    chain.grow(5);
    chain.reopen();
    let (height, state) = (chain.tip().0, chain.ledger().state().clone());
    let snapshot = Snapshot::take(chain.store(), height, state).unwrap();
    assert!(snapshot.is_some(), "a snapshot needs no old blocks");
    chain.close();
    let found = inspect::<Record>(chain.path(), chain.genesis.chain_id).unwrap();
    assert_eq!(found.base.get(), 444);
    let blocks = found.columns.iter().find(|column| column.name == "blocks").unwrap();
    assert_eq!(blocks.entries, 705 - 443);
    let index = found.columns.iter().find(|column| column.name == "tx_index").unwrap();
    assert!(index.entries <= 3 * 256, "{} buckets of three segments", index.entries);
}

#[test]
fn what_a_start_needs_is_never_deleted() {
    let mut chain = chain();
    let all = Height::new(u64::MAX);
    // The last 256 headers bind here, the checkpoint below.
    assert_eq!(chain.store().prune_below(all, &never()).unwrap().get(), 700 - 256);
    assert_eq!(chain.reopen(), 0);
    let mut chain = Chain::new(every(300));
    chain.grow(599);
    assert_eq!(chain.store().prune_below(all, &never()).unwrap().get(), 300);
    assert_eq!(chain.reopen(), 299);
}

#[test]
fn a_deletion_can_be_stopped_and_goes_on_later() {
    let mut chain = chain();
    let stopped = never();
    stopped.cancel();
    assert_eq!(chain.store().prune_below(Height::new(400), &stopped).unwrap().get(), 1);
    assert_eq!(chain.store().prune_below(Height::new(400), &never()).unwrap().get(), 400);
    // Missing blocks above the lowest one are still damage.
    let hash = chain.blocks[410].hash();
    chain.tamper(|db| db.delete(columns::BLOCKS, hash.0));
    let error = inspect::<Record>(chain.path(), chain.genesis.chain_id).unwrap_err().to_string();
    assert!(error.contains("damaged at height 411: its block"), "{error}");
    // And a lowest height that leaves nothing to start from.
    let wrong = codec::encode(&records::Base(Height::new(702)));
    chain.tamper(|db| db.put(columns::CHAIN, columns::BASE_KEY, wrong));
    assert!(chain.refusal().contains("damaged at the lowest height"));
}
