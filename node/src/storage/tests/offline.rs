//! Looking into a store and resetting it, while no node runs on it.

use std::fs;

use chain::certificate::VoteKind;
use chain::types::{Digest, Height};

use super::super::columns::{BLOCKS, CHAIN, PROPOSALS};
use super::super::inspect::{Contents, inspect};
use super::super::reset::{self, Kept};
use super::super::*;
use super::fixture::{Chain, Draft, Record, every, genesis};

/// Five final blocks, a checkpoint at the fourth, two rival proposals, a record.
fn chain() -> Chain {
    let mut chain = Chain::new(every(4));
    chain.grow(5);
    let a = chain.execute(&chain.draft());
    let b = chain.execute(&Draft { view: 1, ..chain.draft() });
    let vote = chain.vote(VoteKind::Prepare, &b);
    chain.persist(vote, &[a, b]);
    chain
}

fn look(chain: &Chain) -> Result<Contents<Record>, OpenError> {
    inspect(chain.path(), chain.genesis.chain_id)
}

#[test]
fn inspect_tells_what_is_there_and_changes_nothing() {
    let mut chain = chain();
    assert!(matches!(look(&chain), Err(OpenError::Locked { .. })));
    chain.close();
    // Twice: also the second time the log is where it was.
    for _ in 0..2 {
        let found = look(&chain).unwrap();
        assert_eq!(found.schema, SCHEMA);
        assert_eq!((found.final_height, found.final_hash), chain.tip());
        assert_eq!(found.epoch, Epoch::new(0));
        assert_eq!(found.checkpoint, Height::new(4));
        assert_eq!(found.proposals, 2);
        assert_eq!(found.record, chain.record);
        let entries =
            |name| found.columns.iter().find(|column| column.name == name).unwrap().entries;
        assert_eq!((entries(BLOCKS), entries(PROPOSALS)), (7, 2));
        // A hash, receipts and a proof per block, and the marker.
        assert_eq!(entries(CHAIN), 3 * 5 + 1);
    }
    assert_eq!(chain.reopen(), 1);
    chain.close();
    let bytes: u64 = look(&chain).unwrap().columns.iter().map(|column| column.bytes).sum();
    assert!(bytes > 0, "the restart moved the log to tables");
}

#[test]
fn inspect_of_a_store_without_blocks_stands_on_genesis() {
    let mut chain = Chain::new(every(4));
    chain.close();
    let found = look(&chain).unwrap();
    assert_eq!((found.final_height, found.final_hash), (Height::new(0), chain.genesis.chain_id));
    assert_eq!((found.proposals, found.record), (0, None));
}

#[test]
fn inspect_says_what_is_missing() {
    let mut chain = chain();
    let hash = chain.blocks[1].hash();
    chain.tamper(|db| db.delete(BLOCKS, hash.0));
    let error = look(&chain).unwrap_err().to_string();
    assert!(error.contains("damaged at height 2: its block"), "{error}");

    chain.genesis = genesis(Digest([8; 32]));
    assert!(matches!(look(&chain), Err(OpenError::OtherChain { .. })));
    let nothing = tempfile::tempdir().unwrap();
    let error = inspect::<Record>(nothing.path(), hash).unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }), "{error}");
    assert_eq!(fs::read_dir(nothing.path()).unwrap().count(), 0, "looking makes nothing");
}

#[test]
fn a_reset_keeps_the_promises_and_what_they_rest_on_and_nothing_else() {
    let mut chain = chain();
    let blocks = chain.blocks.clone();
    let reset = |chain: &Chain| reset::keep_votes(chain.path(), chain.genesis.chain_id);
    assert!(matches!(reset(&chain), Err(OpenError::Locked { .. })));
    chain.close();
    assert_eq!(reset(&chain).unwrap(), Kept { record: true, blocks: 2 });
    chain.blocks.clear();
    // The fixture compares: genesis, no headers, the same record, the same proposals.
    assert_eq!(chain.reopen(), 0);
    let store = chain.store();
    for block in &blocks {
        assert_eq!(store.final_hash(block.header.height).unwrap(), None);
        assert_eq!(store.block(&block.hash()).unwrap(), None);
        assert_eq!(store.receipts(block.header.height).unwrap(), None);
        assert_eq!(store.locate(&block.transaction_hashes()[0]).unwrap(), None);
    }
    chain.close();
    let found = look(&chain).unwrap();
    assert_eq!((found.final_height, found.checkpoint), (Height::new(0), Height::new(0)));
    assert_eq!((found.proposals, found.record), (2, chain.record));

    // The same blocks again, as peers send them, past the checkpoint and the proposals.
    chain.reopen();
    for block in &blocks {
        chain.ledger().execute(block, &|_| true).unwrap();
        chain.commit(std::slice::from_ref(block));
    }
    let winner = chain.proposals[0].clone();
    chain.ledger().execute(&winner, &|_| true).unwrap();
    chain.commit(&[winner]);
    assert_eq!(chain.reopen(), 2);
    assert_eq!(chain.proposals, []);
    chain.close();
    assert_eq!(look(&chain).unwrap().final_height, Height::new(6));
}

#[test]
fn proposals_of_a_later_epoch_outlive_a_reset_until_the_chain_is_there_again() {
    let mut chain = Chain::new(every(4));
    chain.grow(1);
    let evidence = vec![chain.double_vote(0)];
    let barrier = chain.execute(&Draft { view: 1, evidence, ..chain.draft() });
    chain.commit(&[barrier]);
    let above = chain.execute(&Draft { view: 2, ..chain.draft() });
    let vote = chain.vote(VoteKind::Prepare, &above);
    chain.persist(vote, std::slice::from_ref(&above));
    chain.close();
    let kept = reset::keep_votes(chain.path(), chain.genesis.chain_id).unwrap();
    assert_eq!(kept, Kept { record: true, blocks: 1 });
    let blocks = std::mem::take(&mut chain.blocks);
    chain.reopen();
    for block in &blocks {
        chain.ledger().execute(block, &|_| true).unwrap();
        chain.commit(std::slice::from_ref(block));
        chain.reopen();
    }
    assert_eq!(chain.proposals, [above]);
}

#[test]
fn a_reset_can_be_repeated_and_has_nothing_to_do_where_nothing_is() {
    let mut chain = chain();
    chain.close();
    let reset = |chain: &Chain| reset::keep_votes(chain.path(), chain.genesis.chain_id).unwrap();
    assert_eq!(reset(&chain), reset(&chain));
    chain.blocks.clear();
    chain.reopen();

    let mut fresh = Chain::new(every(4));
    fresh.close();
    assert_eq!(reset(&fresh), Kept { record: false, blocks: 0 });
    let nothing = tempfile::tempdir().unwrap();
    let kept = reset::keep_votes(nothing.path(), fresh.genesis.chain_id).unwrap();
    assert_eq!(kept, Kept { record: false, blocks: 0 });
    assert_eq!(fs::read_dir(nothing.path()).unwrap().count(), 0);
}

#[test]
fn a_reset_that_cannot_keep_the_votes_deletes_nothing() {
    let mut chain = chain();
    let proposal = chain.proposals[0].clone();
    chain.tamper(|db| db.delete(BLOCKS, proposal.hash().0));
    let reset = |chain: &Chain| reset::keep_votes(chain.path(), chain.genesis.chain_id);
    let error = reset(&chain).unwrap_err().to_string();
    assert!(error.contains("the proposed block"), "{error}");
    chain.tamper(|db| db.put(BLOCKS, proposal.hash().0, proposal.encoded()));
    let ours = chain.genesis.clone();
    chain.genesis = genesis(Digest([8; 32]));
    assert!(matches!(reset(&chain), Err(OpenError::OtherChain { .. })));
    chain.genesis = ours;
    chain.reopen();
}

#[test]
fn forgetting_leaves_a_store_for_any_chain() {
    let mut chain = chain();
    assert!(matches!(reset::forget(chain.path()), Err(OpenError::Locked { .. })));
    chain.close();
    fs::create_dir(chain.path().join("db.new")).unwrap();
    reset::forget(chain.path()).unwrap();
    assert!(!chain.database().exists() && !chain.path().join("db.new").exists());
    reset::forget(chain.path()).unwrap();
    reset::forget(&chain.path().join("nowhere")).unwrap();
    chain.blocks.clear();
    (chain.proposals, chain.record) = (Vec::new(), None);
    chain.genesis = genesis(Digest([8; 32]));
    chain.reopen();
}
