//! Which directories open, and what the others are told.

use std::fs;

use chain::types::{Digest, Height};
use rocksdb::{DB, Options};

use super::super::columns::{self, IDENTITY_KEY, META};
use super::super::records::Identity;
use super::super::*;
use super::fixture::{Chain, every, genesis};

/// Writes another identity over that of the store.
fn claim(chain: &mut Chain, schema: u32, chain_id: Digest) {
    let identity = Identity { schema, chain_id };
    chain.tamper(|db| db.put(META, IDENTITY_KEY, identity.to_bytes()));
}

/// Gives the database one more column family.
fn add_column(chain: &mut Chain, name: &str) {
    chain.close();
    let (options, path) = (columns::database_options(), chain.database());
    let mut db = DB::open_cf_descriptors(&options, path, columns::descriptors()).unwrap();
    db.create_cf(name, &Options::default()).unwrap();
}

#[test]
fn a_fresh_store_stands_on_genesis() {
    let mut chain = Chain::new(every(4));
    let store = chain.store();
    assert_eq!(store.chain_id(), chain.genesis.chain_id);
    assert_eq!(store.final_tip(), (Height::new(0), chain.genesis.chain_id));
    assert_eq!(store.final_hash(Height::new(0)).unwrap(), Some(chain.genesis.chain_id));
    assert_eq!(store.final_hash(Height::new(1)).unwrap(), None);
    assert_eq!(store.block(&chain.genesis.chain_id).unwrap(), None);
    assert_eq!(store.checkpoint_height(), Height::new(0));
    assert_eq!(store.receipts(Height::new(0)).unwrap(), None);
    assert_eq!(store.locate(&Digest([1; 32])).unwrap(), None);
    assert_eq!(store.final_run(Height::new(1), 1000).unwrap(), None);
    assert_eq!(store.evidence().unwrap(), []);
    assert_eq!(store.mode_changes(9).unwrap(), []);
    let start = store.epoch_start(Epoch::new(0)).unwrap().unwrap();
    assert_eq!((start.height, start.hash), (Height::new(0), chain.genesis.chain_id));
    assert_eq!(store.epoch_start(Epoch::new(1)).unwrap(), None);
    let opened = {
        chain.close();
        chain.try_open().unwrap()
    };
    assert_eq!((opened.recovered.opening_height, opened.recovered.opening_hash), chain.tip());
    assert_eq!(opened.recovered.opening_mode, Mode::Fast);
    assert_eq!(opened.replayed, 0);
}

#[test]
fn one_process_at_a_time_and_the_other_learns_which() {
    let mut chain = Chain::new(every(4));
    let error = chain.try_open().unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&format!("in use by process {}", std::process::id())), "{text}");
    chain.reopen();
}

#[test]
fn the_store_of_another_chain_is_refused_with_both_names() {
    let mut chain = Chain::new(every(4));
    chain.grow(1);
    chain.close();
    let ours = chain.genesis.clone();
    chain.genesis = genesis(Digest([8; 32]));
    let refusal = chain.refusal();
    for part in ["another chain", &"07".repeat(32), &"08".repeat(32), "--yes --forget-votes"] {
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
    chain.genesis = ours;
    chain.reopen();
}

#[test]
fn another_schema_is_refused_and_says_which_program_can_read_it() {
    let mut chain = Chain::new(every(4));
    let chain_id = chain.genesis.chain_id;
    claim(&mut chain, SCHEMA + 1, chain_id);
    let error = chain.try_open().unwrap_err();
    assert!(matches!(error, OpenError::NewerSchema { found, .. } if found == SCHEMA + 1));
    assert!(error.to_string().contains("run the newer program"), "{error}");
}

#[test]
fn an_older_schema_is_refused_without_advice_to_forget() {
    let mut chain = Chain::new(every(4));
    let chain_id = chain.genesis.chain_id;
    claim(&mut chain, SCHEMA - 1, chain_id);
    let error = chain.try_open().unwrap_err();
    assert!(matches!(error, OpenError::OlderSchema { found, .. } if found == SCHEMA - 1));
    assert!(error.to_string().contains("run the older program"), "{error}");
}

#[test]
fn unknown_column_families_are_refused_by_name() {
    let mut chain = Chain::new(every(4));
    add_column(&mut chain, "surprise");
    let refusal = chain.refusal();
    assert!(refusal.contains("not a store of this schema"), "{refusal}");
    assert!(refusal.contains("surprise"), "{refusal}");
}

#[test]
fn a_newer_schema_with_other_column_families_is_told_from_a_strange_store() {
    let mut chain = Chain::new(every(4));
    let chain_id = chain.genesis.chain_id;
    claim(&mut chain, SCHEMA + 1, chain_id);
    add_column(&mut chain, "surprise");
    assert!(matches!(chain.try_open(), Err(OpenError::NewerSchema { .. })));
}

#[test]
fn a_missing_column_family_is_refused() {
    let mut chain = Chain::new(every(4));
    chain.close();
    let options = columns::database_options();
    let mut db =
        DB::open_cf_descriptors(&options, chain.database(), columns::descriptors()).unwrap();
    db.drop_cf(columns::SAFETY).unwrap();
    drop(db);
    let refusal = chain.refusal();
    assert!(refusal.contains("not a store of this schema"), "{refusal}");
}

#[test]
fn what_a_crash_left_of_a_database_in_the_making_is_made_again() {
    let mut chain = Chain::new(every(4));
    chain.close();
    // The crash came before the rename.
    fs::rename(chain.database(), chain.path().join("db.new")).unwrap();
    fs::remove_file(chain.path().join("db.new/CURRENT")).unwrap();
    chain.reopen();
    chain.grow(3);
    chain.reopen();
    assert!(!chain.path().join("db.new").exists());

    // A left-over beside a store means nothing.
    fs::create_dir(chain.path().join("db.new")).unwrap();
    chain.reopen();
}

#[test]
fn half_a_database_is_damage_and_never_made_again() {
    let mut chain = Chain::new(every(4));
    chain.grow(1);
    chain.close();
    fs::remove_file(chain.database().join("CURRENT")).unwrap();
    let refusal = chain.refusal();
    assert!(refusal.contains("damaged") && refusal.contains("CURRENT"), "{refusal}");
    assert!(!refusal.contains("restore"), "{refusal}");
}

#[test]
fn a_store_that_is_told_to_stop_stops_executing_and_lets_go() {
    let mut chain = Chain::new(every(100));
    chain.grow(2);
    chain.close();
    let stop = tokio_util::sync::CancellationToken::new();
    stop.cancel();
    let verifier = std::sync::Arc::new(chain::crypto::Ed25519);
    let opened = Store::open::<super::fixture::Record>(
        chain.path(),
        &chain.genesis,
        verifier,
        chain.policy,
        &stop,
    );
    assert!(matches!(opened, Err(OpenError::Stopped)));
    assert_eq!(chain.reopen(), 2);
}
