//! A look into the store of a node that does not run; changes nothing.

use std::path::Path;

use bincode::Decode;
use chain::codec::Bounded;
use chain::types::{Digest, Epoch, Height};
use rocksdb::{DB, IteratorMode};
use serde::Serialize;

use super::columns::{self, BLOCKS, ByHeight, CHAIN, MARKER_KEY, PROPOSALS, RECORD_KEY, SAFETY};
use super::error::{OpenError, StoreError};
use super::lock::DirectoryLock;
use super::open;
use super::records::{self, Marker, SCHEMA};
use super::recover::base_of;

/// How much a column family holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnSize {
    pub name: &'static str,
    pub entries: u64,
    /// On disk, without what is in the write-ahead log only.
    pub bytes: u64,
}

/// What is in a store.
#[derive(Clone, Debug)]
pub struct Contents<R> {
    pub schema: u32,
    pub final_height: Height,
    /// The chain id where the chain has no block yet.
    pub final_hash: Digest,
    pub epoch: Epoch,
    /// The lowest height whose block is here.
    pub base: Height,
    /// Height of the block whose state is on disk: a start executes what is above it again.
    pub checkpoint: Height,
    /// Proposed blocks above the last final one.
    pub proposals: u64,
    /// What the validator has promised; `None` where it has not voted yet.
    pub record: Option<R>,
    pub columns: Vec<ColumnSize>,
}

/// Reads what a store holds.
///
/// # Errors
/// [`OpenError`] where a node runs on the directory, or the store is missing, damaged, or of
/// another chain.
pub fn inspect<R: Decode<()> + Bounded>(
    directory: &Path,
    chain_id: Digest,
) -> Result<Contents<R>, OpenError> {
    if !open::is_there(directory) {
        return Err(OpenError::Missing { path: directory.into() });
    }
    let _lock = DirectoryLock::acquire(directory)?;
    let db = open::open_read_only(directory, chain_id)?;
    Ok(contents(&db, chain_id)?)
}

fn contents<R: Decode<()> + Bounded>(db: &DB, chain_id: Digest) -> Result<Contents<R>, StoreError> {
    let get = |column, key| db.get_cf(columns::of(db, column), key);
    let none = Marker {
        height: Height::new(0),
        hash: chain_id,
        epoch: Epoch::default(),
        checkpoint: Height::new(0),
    };
    let marker = match get(CHAIN, MARKER_KEY)? {
        Some(bytes) => records::decode(&bytes, || "the final marker".into())?,
        None => none,
    };
    let base = base_of(db, &marker)?;
    check_chain(db, base, &marker)?;
    let record = get(SAFETY, RECORD_KEY)?
        .map(|bytes| records::decode(&bytes, || "the safety record".into()))
        .transpose()?;
    let columns: Vec<_> =
        columns::ALL.iter().map(|name| size(db, name)).collect::<Result<_, _>>()?;
    let proposals = columns.iter().find(|column| column.name == PROPOSALS);
    Ok(Contents {
        schema: SCHEMA,
        final_height: marker.height,
        final_hash: marker.hash,
        epoch: marker.epoch,
        base,
        checkpoint: marker.checkpoint,
        proposals: proposals.map_or(0, |column| column.entries),
        record,
        columns,
    })
}

/// Every height from the lowest to the last final one has a hash whose block is there; the last one
/// in any case.
fn check_chain(db: &DB, base: Height, marker: &Marker) -> Result<(), StoreError> {
    for height in base.min(marker.height).get().max(1)..=marker.height.get() {
        let height = Height::new(height);
        let missing = |what: &str| StoreError::damaged(format!("height {height}: {what}"));
        let hash = db
            .get_cf(columns::of(db, CHAIN), ByHeight::Hash.key(height))?
            .ok_or_else(|| missing("its hash"))?;
        if db.get_pinned_cf(columns::of(db, BLOCKS), &hash)?.is_none() {
            return Err(missing("its block"));
        }
        if height == marker.height && hash != marker.hash.0 {
            return Err(missing("another block than the final marker names"));
        }
    }
    Ok(())
}

fn size(db: &DB, name: &'static str) -> Result<ColumnSize, StoreError> {
    let column = columns::of(db, name);
    let mut entries = 0;
    for item in db.iterator_cf(column, IteratorMode::Start) {
        item?;
        entries += 1;
    }
    let number = |property| Ok::<_, StoreError>(db.property_int_value_cf(column, property)?);
    let tables = number("rocksdb.live-sst-files-size")?.unwrap_or(0);
    let blobs = number("rocksdb.live-blob-file-size")?.unwrap_or(0);
    Ok(ColumnSize { name, entries, bytes: tables + blobs })
}
