//! A disk that lies is caught, and what it lied about is named.

use std::fs;
use std::path::PathBuf;

use chain::certificate::VoteKind;
use chain::codec;
use chain::state::{Account, RecordKey, RecordValue};
use chain::types::{Amount, Height};

use super::super::columns::{
    self, BLOCKS, ByHeight, CHAIN, IDENTITY_KEY, MARKER_KEY, META, PROPOSALS, RECORD_KEY, SAFETY,
    STATE, TX_INDEX,
};
use super::super::*;
use super::fixture::{Chain, Draft, Tampering, every};

/// Six final blocks, a checkpoint at the fourth, a proposal, a record.
fn chain() -> Chain {
    let mut chain = Chain::new(every(4));
    chain.grow(6);
    let block = chain.execute(&chain.draft());
    let vote = chain.vote(VoteKind::Prepare, &block);
    chain.persist(vote, &[block]);
    chain
}

/// Checks that a store with this change does not open, and that the reason says what is wrong and
/// what a validator must do.
#[track_caller]
fn assert_refused(change: impl FnOnce(&Tampering, &[SealedBlock]), expected: &str) {
    let mut chain = chain();
    let blocks = chain.blocks.clone();
    chain.tamper(|db| change(db, &blocks));
    let refusal = chain.refusal();
    assert!(refusal.contains(expected), "{expected}: {refusal}");
    assert!(refusal.contains("damaged at"), "{refusal}");
    assert!(refusal.contains("must not vote again"), "{refusal}");
    assert!(!refusal.contains('\n'), "{refusal}");
}

fn marker(db: &Tampering) -> Marker {
    codec::decode(&db.get(CHAIN, MARKER_KEY).unwrap()).unwrap()
}

fn put_marker(db: &Tampering, marker: Marker) {
    db.put(CHAIN, MARKER_KEY, codec::encode(&marker));
}

#[test]
fn a_damaged_identity_or_safety_record() {
    assert_refused(|db, _| db.put(META, IDENTITY_KEY, [0; 3]), "the identity of the store");
    assert_refused(|db, _| db.delete(META, IDENTITY_KEY), "the identity of the store");
    assert_refused(|db, _| db.put(SAFETY, RECORD_KEY, [1, 2, 3]), "the safety record");
    let longer = |db: &Tampering, _: &[SealedBlock]| {
        let mut bytes = db.get(SAFETY, RECORD_KEY).unwrap();
        bytes.push(0);
        db.put(SAFETY, RECORD_KEY, bytes);
    };
    assert_refused(longer, "the safety record");
}

#[test]
fn a_damaged_missing_or_foreign_block() {
    let ours = chain().blocks;
    assert_refused(
        |db, blocks| db.put(BLOCKS, blocks[1].hash().0, [9; 100]),
        &format!("block {}", ours[1].hash()),
    );
    assert_refused(|db, blocks| db.delete(BLOCKS, blocks[0].hash().0), "height 1: its block");
    assert_refused(|db, blocks| db.delete(BLOCKS, blocks[5].hash().0), "height 6: its block");
    assert_refused(
        |db, blocks| db.put(BLOCKS, blocks[4].hash().0, blocks[0].encoded()),
        &format!("block {}", ours[4].hash()),
    );
    let key = |height| ByHeight::Hash.key(Height::new(height));
    assert_refused(|db, _| db.delete(CHAIN, key(5)), "height 5: its hash");
    assert_refused(|db, _| db.put(CHAIN, key(5), [1; 31]), "height 5: its hash");
    let foreign = |db: &Tampering, blocks: &[SealedBlock]| {
        db.put(CHAIN, key(5), blocks[0].hash().0);
    };
    assert_refused(foreign, "height 5: another block");
}

#[test]
fn a_damaged_proof_of_the_last_block() {
    let key = ByHeight::Proof.key(Height::new(6));
    assert_refused(|db, _| db.put(CHAIN, key, [0; 7]), "height 6: its proof");
    assert_refused(|db, _| db.delete(CHAIN, key), "height 6: its proof");
}

#[test]
fn a_damaged_state_record() {
    let root = "the state: not what block 4 left behind";
    let richer = |db: &Tampering, _: &[SealedBlock]| {
        let account = Account { balance: Amount::new(7), nonce: 4, key: None };
        let key = RecordKey::Account(chain::types::Address([3; 20]));
        db.put(STATE, codec::encode(&key), codec::encode(&RecordValue::Account(account)));
    };
    assert_refused(richer, "the state: the balances");
    let missing = |db: &Tampering, _: &[SealedBlock]| {
        db.delete(STATE, codec::encode(&RecordKey::Entry(0_u64.to_be_bytes().to_vec())));
    };
    assert_refused(missing, root);
    let entry = RecordKey::Entry(1_u64.to_be_bytes().to_vec());
    assert_refused(|db, _| db.put(STATE, codec::encode(&entry), [1, 2]), "the record Entry");
    assert_refused(|db, _| db.put(STATE, [0xff; 3], [1, 2]), "a key of the state");
    assert_refused(|db, _| db.delete(STATE, codec::encode(&RecordKey::Chain)), "the state: ");
}

#[test]
fn a_damaged_final_marker() {
    let what = "the final marker";
    assert_refused(|db, _| db.put(CHAIN, MARKER_KEY, [0; 11]), what);
    let hash = |db: &Tampering, blocks: &[SealedBlock]| {
        put_marker(db, Marker { hash: blocks[1].hash(), ..marker(db) });
    };
    assert_refused(hash, what);
    let epoch = |db: &Tampering, _: &[SealedBlock]| {
        put_marker(db, Marker { epoch: Epoch::new(1), ..marker(db) })
    };
    assert_refused(epoch, what);
    let higher = |db: &Tampering, _: &[SealedBlock]| {
        put_marker(db, Marker { height: Height::new(7), ..marker(db) })
    };
    assert_refused(higher, "height 7: its hash");
    let checkpoint = |db: &Tampering, _: &[SealedBlock]| {
        put_marker(db, Marker { checkpoint: Height::new(3), ..marker(db) });
    };
    assert_refused(checkpoint, "the state: not what block 3 left behind");
    // Without a marker the chain would begin again.
    assert_refused(|db, _| db.delete(CHAIN, MARKER_KEY), what);
}

#[test]
fn a_damaged_index_of_proposals() {
    let what = "the index of proposed blocks";
    assert_refused(|db, _| db.put(PROPOSALS, [1; 39], [0; 8]), what);
    assert_refused(|db, _| db.put(PROPOSALS, db.first_key(PROPOSALS), [0; 7]), what);
    let body = |db: &Tampering, _: &[SealedBlock]| {
        let (_, hash) = columns::proposal_of(&db.first_key(PROPOSALS)).unwrap();
        db.delete(BLOCKS, hash.0);
    };
    assert_refused(body, "the proposed block");
}

#[test]
fn a_missing_start_of_the_epoch() {
    let mut chain = Chain::new(every(1));
    let evidence = vec![chain.double_vote(0)];
    let barrier = chain.execute(&Draft { view: 1, evidence, ..chain.draft() });
    chain.commit(&[barrier]);
    chain.reopen();
    chain.tamper(|db| db.delete(CHAIN, columns::epoch_key(Epoch::new(1))));
    let refusal = chain.refusal();
    assert!(refusal.contains("the start of epoch 1"), "{refusal}");
}

#[test]
fn another_block_in_a_place_is_found_by_executing_it() {
    let mut chain = Chain::new(every(100));
    chain.grow(1);
    let rival = chain.execute(&chain.draft());
    chain.grow(1);
    chain.tamper(|db| {
        let hash = rival.hash();
        db.put(BLOCKS, hash.0, rival.encoded());
        db.put(CHAIN, ByHeight::Hash.key(Height::new(2)), hash.0);
    });
    let refusal = chain.refusal();
    assert!(refusal.contains("the final marker"), "{refusal}");
}

#[test]
fn what_is_read_later_is_checked_then() {
    let mut chain = chain();
    let transaction = chain.blocks[0].transaction_hashes()[0];
    chain.tamper(|db| {
        db.put(CHAIN, ByHeight::Receipts.key(Height::new(1)), [7; 5]);
        db.put(CHAIN, ByHeight::Receipts.key(Height::new(6)), [7; 5]);
        db.put(CHAIN, ByHeight::Evidence.key(Height::new(2)), [7; 5]);
        db.put(CHAIN, ByHeight::ModeChange.key(Height::new(3)), [7; 5]);
        db.put(CHAIN, ByHeight::Proof.key(Height::new(2)), [7; 5]);
    });
    chain.reopen();
    let store = chain.store();
    let named = |error: StoreError, what: &str| {
        let text = error.to_string();
        assert!(text.contains(&format!("damaged at {what}")), "{what}: {text}");
    };
    named(store.receipts(Height::new(1)).unwrap_err(), "height 1: its receipts");
    named(store.locate(&transaction).unwrap_err(), "height 1: its receipts");
    // Those of a block that was executed again are known from that.
    assert_eq!(store.receipts(Height::new(6)).unwrap().unwrap().len(), 1);
    named(store.evidence().unwrap_err(), "height 2: its evidence");
    named(store.proof(Height::new(2)).unwrap_err(), "height 2: its proof");
    named(store.final_run(Height::new(1), 1 << 20).unwrap_err(), "height 2: its proof");

    chain.tamper(|db| {
        db.delete(CHAIN, ByHeight::Evidence.key(Height::new(2)));
        db.put(TX_INDEX, db.first_key(TX_INDEX), [7; 5]);
        db.delete(CHAIN, ByHeight::Receipts.key(Height::new(1)));
    });
    chain.reopen();
    let store = chain.store();
    named(store.mode_changes(5).unwrap_err(), "height 3: its change of mode");
    let errors = chain.blocks[..4].iter().filter_map(|block| {
        store.locate(&block.transaction_hashes()[0]).err().map(|error| error.to_string())
    });
    let errors: Vec<_> = errors.collect();
    assert!(errors.iter().any(|text| text.contains("the transaction index")), "{errors:?}");
}

/// The files of a database that hold its data.
fn files(chain: &Chain, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(chain.database()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// Reads everything that the store has; says what went wrong first.
fn read_all(chain: &Chain) -> Result<(), String> {
    let text = |error: StoreError| error.to_string();
    let opened = chain.try_open().map_err(|error| error.to_string())?;
    let store = opened.store;
    for block in &chain.blocks {
        let height = block.header.height;
        store.final_block(height).map_err(text)?;
        store.proof(height).map_err(text)?;
        store.receipts(height).map_err(text)?;
        for hash in block.transaction_hashes() {
            store.locate(hash).map_err(text)?;
        }
    }
    Ok(())
}

#[test]
fn a_flipped_bit_in_any_file_is_damage_that_is_found() {
    let mut chain = Chain::new(every(2));
    // Large enough for blob files.
    let transactions = vec![chain.put(9_000)];
    let block = chain.execute(&Draft { transactions, ..chain.draft() });
    chain.commit(&[block]);
    chain.grow(2);
    let block = chain.execute(&chain.draft());
    let vote = chain.vote(VoteKind::Prepare, &block);
    chain.persist(vote, &[block]);
    // Moves everything from the log to tables and blobs.
    chain.reopen();
    chain.close();
    let (tables, blobs) = (files(&chain, "sst"), files(&chain, "blob"));
    assert!(tables.len() >= columns::ALL.len() && !blobs.is_empty(), "{tables:?} {blobs:?}");
    read_all(&chain).unwrap();
    chain.close();
    for path in tables.iter().chain(&blobs) {
        // Opening to read everything may have replaced it.
        let Ok(mut bytes) = fs::read(path) else { continue };
        // In the first block of a table; in the one value of a blob file.
        let is_table = path.extension().is_some_and(|found| found == "sst");
        let place = if is_table { 4 } else { bytes.len() / 2 };
        bytes[place] ^= 1;
        fs::write(path, &bytes).unwrap();
        let error = read_all(&chain).expect_err("a flipped bit");
        assert!(error.contains("damaged at the database (Corruption"), "{path:?}: {error}");
        bytes[place] ^= 1;
        fs::write(path, &bytes).unwrap();
    }
    read_all(&chain).unwrap();
}
