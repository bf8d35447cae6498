//! Deleting a chain without deleting what its validator has promised.

use std::path::Path;

use chain::types::Digest;
use rocksdb::{DB, IteratorMode, WriteBatch, WriteOptions};

use super::columns::{self, BLOCKS, CHAIN, PROPOSALS, RECORD_KEY, SAFETY, STATE, TX_INDEX};
use super::error::{OpenError, StoreError};
use super::lock::DirectoryLock;
use super::open;

/// Above every key of every column family.
const LAST: [u8; 512] = [0xff; 512];

/// What a reset left in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Whether there is a safety record.
    pub record: bool,
    /// Proposed blocks above the last final one, which the record may rest on.
    pub blocks: usize,
}

/// Deletes the final chain and the state, in one atomic write. The safety record and the proposed
/// blocks that it may rest on stay, so the validator goes on keeping its promises while it catches
/// up.
///
/// # Errors
/// [`OpenError`] where a node runs on the directory, or the store is missing, damaged, or of
/// another chain: its votes cannot be saved then.
pub fn keep_votes(directory: &Path, chain_id: Digest) -> Result<Kept, OpenError> {
    if !open::is_there(directory) {
        return Ok(Kept { record: false, blocks: 0 });
    }
    let _lock = DirectoryLock::acquire(directory)?;
    let db = open::open_database(directory, chain_id)?;
    Ok(delete_chain(&db)?)
}

fn delete_chain(db: &DB) -> Result<Kept, StoreError> {
    let column = |name| db.cf_handle(name).expect("every column family is opened with the store");
    let mut batch = WriteBatch::default();
    for name in [BLOCKS, CHAIN, STATE, TX_INDEX] {
        batch.delete_range_cf(column(name), &[][..], &LAST[..]);
    }
    let mut blocks = 0;
    for item in db.iterator_cf(column(PROPOSALS), IteratorMode::Start) {
        let (key, _) = item?;
        let (_, hash) = columns::proposal_of(&key)
            .ok_or_else(|| StoreError::damaged("the index of proposed blocks"))?;
        let block = db
            .get_cf(column(BLOCKS), hash.0)?
            .ok_or_else(|| StoreError::damaged(format!("the proposed block {hash}")))?;
        // After the deletion of the range, so this one stays.
        batch.put_cf(column(BLOCKS), hash.0, block);
        blocks += 1;
    }
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    db.write_opt(batch, &synced)?;
    let record = db.get_cf(column(SAFETY), RECORD_KEY)?.is_some();
    Ok(Kept { record, blocks })
}

/// Deletes everything, the votes included. A validator that votes again with the same key on the
/// same chain may contradict itself.
///
/// # Errors
/// [`OpenError`] where a node runs on the directory, or the system refuses.
pub fn forget(directory: &Path) -> Result<(), OpenError> {
    if !directory.exists() {
        return Ok(());
    }
    let _lock = DirectoryLock::acquire(directory)?;
    for name in [open::DATABASE, open::UNFINISHED, open::REPLACED] {
        let path = directory.join(name);
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(|source| OpenError::Io { path, source })?;
        }
    }
    Ok(())
}
