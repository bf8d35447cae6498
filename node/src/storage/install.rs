//! Beginning a store with a snapshot instead of genesis.

use std::path::{Path, PathBuf};

use chain::codec;
use chain::snapshot::{Ancestry, Manifest};
use chain::state::State;
use chain::types::{Digest, Height};
use rocksdb::{DB, IteratorMode, WriteBatch, WriteOptions};

use super::columns::{
    self, BASE_KEY, BLOCKS, ByHeight, CHAIN, MARKER_KEY, PROPOSALS, RECORD_KEY, SAFETY, STATE,
};
use super::error::{OpenError, StoreError};
use super::lock::DirectoryLock;
use super::open;
use super::records::{self, Base, EpochOpening, Marker};

/// Bytes of records in one write.
const WRITE_BYTES: usize = 4 * 1024 * 1024;

/// Why a snapshot cannot begin a store.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error(
        "{path} already holds the chain up to height {found}: a snapshot of height {height} would \
         lose blocks",
        path = path.display()
    )]
    Behind { path: PathBuf, found: Height, height: Height },
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl From<StoreError> for InstallError {
    fn from(error: StoreError) -> Self {
        Self::Open(error.into())
    }
}

/// What a validator has promised, and what that rests on: it goes along into the new store.
#[derive(Default)]
struct Promises {
    record: Option<Vec<u8>>,
    proposals: Vec<Proposal>,
}

/// A stored block above the last final one, as it stands in its column families.
struct Proposal {
    key: Box<[u8]>,
    epoch: Box<[u8]>,
    hash: Digest,
    body: Vec<u8>,
}

/// The final height of the store in a data directory; `None` where there is no store.
///
/// # Errors
/// [`OpenError`] where a node runs on the directory, or the store is damaged or of another chain.
pub fn final_height(directory: &Path, chain_id: Digest) -> Result<Option<Height>, OpenError> {
    if !open::is_there(directory) {
        return Ok(None);
    }
    let _lock = DirectoryLock::acquire(directory)?;
    let db = open::open_read_only(directory, chain_id)?;
    Ok(Some(marker_of(&db)?))
}

/// Makes the store of a data directory begin with a snapshot that was verified, with the state after
/// its last block. All or nothing: interrupted, the directory is as it was before. What is there
/// already must be older; of that the validator's promises stay, and nothing else.
///
/// # Errors
/// [`InstallError`] where a node runs on the directory, its store is newer, damaged or of another
/// chain, or the system refuses.
///
/// # Panics
/// Where the state is not the one after the snapshot's last block.
pub fn install(directory: &Path, manifest: &Manifest, state: &State) -> Result<(), InstallError> {
    let header = &manifest.tip.header;
    assert_eq!(state.root(), header.state_root, "a snapshot is verified before it is installed");
    std::fs::create_dir_all(directory)
        .map_err(|source| OpenError::Io { path: directory.into(), source })?;
    let _lock = DirectoryLock::acquire(directory)?;
    let mut promises = Promises::default();
    if open::is_there(directory) {
        let db = open::open_database(directory, header.chain_id)?;
        let found = marker_of(&db)?;
        if found >= header.height {
            let (path, height) = (directory.to_owned(), header.height);
            return Err(InstallError::Behind { path, found, height });
        }
        promises = promises_of(&db, header.height)?;
    }
    Ok(open::create(directory, header.chain_id, |db| fill(db, manifest, state, &promises))?)
}

fn marker_of(db: &DB) -> Result<Height, StoreError> {
    let bytes = db.get_cf(column(db, CHAIN), MARKER_KEY)?;
    let marker: Option<Marker> =
        bytes.map(|bytes| records::decode(&bytes, || "the final marker".into())).transpose()?;
    Ok(marker.map_or(Height::new(0), |marker| marker.height))
}

fn promises_of(db: &DB, above: Height) -> Result<Promises, StoreError> {
    let mut promises =
        Promises { record: db.get_cf(column(db, SAFETY), RECORD_KEY)?, proposals: Vec::new() };
    for item in db.iterator_cf(column(db, PROPOSALS), IteratorMode::Start) {
        let (key, epoch) = item?;
        let damaged = || StoreError::damaged("the index of proposed blocks");
        let (height, hash) = columns::proposal_of(&key).ok_or_else(damaged)?;
        if height > above {
            let missing = || StoreError::damaged(format!("the proposed block {hash}"));
            let body = db.get_cf(column(db, BLOCKS), hash.0)?.ok_or_else(missing)?;
            promises.proposals.push(Proposal { key, epoch, hash, body });
        }
    }
    Ok(promises)
}

fn fill(
    db: &DB,
    manifest: &Manifest,
    state: &State,
    promises: &Promises,
) -> Result<(), StoreError> {
    let mut writes = Writes { db, batch: WriteBatch::default() };
    for (key, value) in state.records() {
        writes.put(STATE, &codec::encode(key), &codec::encode(value))?;
    }
    add_chain(&mut writes, manifest, state)?;
    if let Some(record) = &promises.record {
        writes.put(SAFETY, RECORD_KEY, record)?;
    }
    for Proposal { key, epoch, hash, body } in &promises.proposals {
        writes.put(PROPOSALS, key, epoch)?;
        writes.put(BLOCKS, &hash.0, body)?;
    }
    writes.finish()
}

/// Everything but the state: the last block with its proof, the headers below, the epochs.
fn add_chain(
    writes: &mut Writes<'_>,
    manifest: &Manifest,
    state: &State,
) -> Result<(), StoreError> {
    let (tip, height) = (&manifest.tip, manifest.height());
    writes.put(BLOCKS, &tip.hash().0, tip.encoded())?;
    for header in manifest.recent.iter().chain([&tip.header]) {
        let hash = header.hash(&header.chain_id);
        writes.put(CHAIN, &ByHeight::Hash.key(header.height), &hash.0)?;
        writes.put(CHAIN, &ByHeight::Header.key(header.height), &codec::encode(header))?;
    }
    if let Ancestry::Certified { proof, .. } = &manifest.ancestry {
        writes.put(CHAIN, &ByHeight::Proof.key(height), &codec::encode(proof))?;
    }
    for opening in openings(manifest, state)? {
        let key = columns::epoch_key(opening.validators.epoch);
        writes.put(CHAIN, &key, &codec::encode(&opening))?;
    }
    let marker = Marker { height, hash: tip.hash(), epoch: manifest.epoch(), checkpoint: height };
    writes.put(CHAIN, MARKER_KEY, &codec::encode(&marker))?;
    writes.put(CHAIN, BASE_KEY, &codec::encode(&Base(height.next())))
}

fn openings(manifest: &Manifest, state: &State) -> Result<Vec<EpochOpening>, StoreError> {
    match &manifest.ancestry {
        Ancestry::Certified { lineage, .. } => Ok(lineage
            .0
            .iter()
            .map(|change| EpochOpening {
                barrier: change.barrier.clone(),
                finality: Some(change.finality.clone()),
                validators: change.validators.clone(),
            })
            .collect()),
        Ancestry::Reported { barriers } => barriers
            .iter()
            .map(|barrier| {
                let epoch = barrier.epoch.next();
                let missing = || StoreError::damaged(format!("the validators of epoch {epoch}"));
                let validators = state.validators_of(epoch).cloned().ok_or_else(missing)?;
                Ok(EpochOpening { barrier: barrier.clone(), finality: None, validators })
            })
            .collect(),
    }
}

/// Writes in batches of a few mebibytes. No write-ahead log: a new store that is not finished is
/// worth nothing.
struct Writes<'a> {
    db: &'a DB,
    batch: WriteBatch,
}

impl Writes<'_> {
    fn put(&mut self, name: &str, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.batch.put_cf(column(self.db, name), key, value);
        if self.batch.size_in_bytes() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        Ok(self.db.write_opt(std::mem::take(&mut self.batch), &options)?)
    }

    fn finish(mut self) -> Result<(), StoreError> {
        self.write()?;
        for name in columns::ALL {
            self.db.flush_cf(column(self.db, name))?;
        }
        Ok(())
    }
}

fn column<'a>(db: &'a DB, name: &str) -> &'a rocksdb::ColumnFamily {
    db.cf_handle(name).expect("every column family is opened with the store")
}
