//! What survives a restart: the safety record, blocks, proofs, receipts, the state and where each
//! transaction is. On RocksDB; docs/adr/0003-storage-layout.md says how and why.
//!
//! [`Store::open`] verifies what it finds and gives everything that a node starts from. The
//! consensus thread is the only writer; any thread may read.

mod columns;
mod error;
mod finals;
pub mod fork;
pub mod inspect;
pub mod install;
pub mod lock;
mod memory;
mod open;
mod prune;
mod read;
mod recent;
mod records;
mod recover;
pub mod reset;
mod tx_index;
mod write;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chain::block::{Mode, SealedBlock};
use chain::state::{RecordKey, RecordValue};
use chain::types::{Digest, Epoch, Height, View};
use consensus::application::{Finals, Storage, StorageError};
use consensus::engine::FaultModel;
use consensus::registry::EngineName;
use rocksdb::{ColumnFamily, DB};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use error::{OpenError, StoreError};
pub use memory::StoreMemory;
pub use prune::MIN_RETAINED;
pub use read::TxLocation;
pub use records::{EpochOpening, EpochStart, EvidenceOnChain, ModeChange, SCHEMA};
pub use recover::{GenesisState, Opened};
pub use tx_index::TxPlace;
pub use write::{CheckpointPolicy, FinalBlock};

use lock::DirectoryLock;
use recent::Recent;
use records::Marker;

/// The node's durable memory. Cheap to clone; all clones are one store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    db: DB,
    chain_id: Digest,
    /// The first epoch, which is in the genesis file and not in the store.
    genesis: EpochStart,
    engine: EngineName,
    policy: CheckpointPolicy,
    /// The lowest height whose block is here. Rises before blocks go.
    base: AtomicU64,
    writer: Mutex<Writer>,
    recent: RwLock<Recent>,
    /// Last, so that it is released after the database is closed,
    _lock: DirectoryLock,
    /// and that is told.
    closed: CancellationToken,
    _tells: DropGuard,
}

/// What only the writing thread needs.
struct Writer {
    marker: Marker,
    /// Mode, epoch and view of the last final block.
    mode: Mode,
    position: (Epoch, View),
    /// Stored blocks above the last final one, with their epoch.
    proposals: BTreeMap<(Height, Digest), Epoch>,
    /// State records changed since the last checkpoint; `None` is a deletion.
    dirty: BTreeMap<RecordKey, Option<RecordValue>>,
    /// Transactions committed since the last checkpoint.
    transactions: usize,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({:?} in {:?})", self.0.chain_id, self.0.db.path())
    }
}

impl Store {
    pub fn chain_id(&self) -> Digest {
        self.0.chain_id
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        self.0.db.path()
    }

    /// Cancelled once the last clone is gone and the directory is free.
    pub fn closed(&self) -> CancellationToken {
        self.0.closed.clone()
    }

    /// Whether finality is a certificate here, which every run of committed blocks then ends with.
    fn has_proofs(&self) -> bool {
        self.0.engine.fault_model() == FaultModel::Byzantine
    }

    fn column(&self, name: &str) -> &ColumnFamily {
        self.0.db.cf_handle(name).expect("every column family is opened with the store")
    }

    // A panic while a lock is held leaves complete values behind: every change under a lock is a
    // plain assignment or insertion.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.0.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent(&self) -> RwLockReadGuard<'_, Recent> {
        self.0.recent.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent_mut(&self) -> RwLockWriteGuard<'_, Recent> {
        self.0.recent.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: bincode::Encode> Storage<R> for Store {
    fn persist(&mut self, record: &R, blocks: &[SealedBlock]) -> Result<(), StorageError> {
        self.persist_record(record, blocks)
            .map_err(|error| error.fatal("writing the safety record"))
    }

    fn finals(&self, from: Height, max_bytes: usize) -> Result<Option<Finals>, StorageError> {
        match self.final_run(from, max_bytes) {
            // Who asks from so far behind needs a snapshot.
            Err(StoreError::Pruned { .. }) => Ok(None),
            run => run.map_err(|error| error.fatal("reading final blocks")),
        }
    }

    fn final_hash(&self, height: Height) -> Result<Option<Digest>, StorageError> {
        match Store::final_hash(self, height) {
            Err(StoreError::Pruned { .. }) => Ok(None),
            hash => hash.map_err(|error| error.fatal("reading the final chain")),
        }
    }
}

#[cfg(test)]
mod tests;
