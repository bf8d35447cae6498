//! A store that tells of its synced writes.

use chain::block::SealedBlock;
use chain::types::{Digest, Height};
use consensus::application::{Finals, Storage, StorageError};

use super::layer::{Moment, Watcher};

/// Tells a [`Watcher`] before and after the safety record is written.
pub(super) struct WatchedStorage<S> {
    pub inner: S,
    pub watcher: Watcher,
}

impl<R, S: Storage<R>> Storage<R> for WatchedStorage<S> {
    fn persist(&mut self, record: &R, blocks: &[SealedBlock]) -> Result<(), StorageError> {
        (self.watcher)(Moment::Persist);
        self.inner.persist(record, blocks)?;
        (self.watcher)(Moment::Persisted);
        Ok(())
    }

    fn finals(&self, from: Height, max_bytes: usize) -> Result<Option<Finals>, StorageError> {
        self.inner.finals(from, max_bytes)
    }

    fn final_hash(&self, height: Height) -> Result<Option<Digest>, StorageError> {
        self.inner.final_hash(height)
    }
}
