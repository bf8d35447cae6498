//! Timing of synced writes.

use std::time::Instant;

use chain::block::SealedBlock;
use chain::types::{Digest, Height};
use consensus::application::{Finals, Storage, StorageError};
use prometheus_client::metrics::histogram::Histogram;

/// A store that measures how long its synced writes take.
#[derive(Debug)]
pub struct TimedStorage<S> {
    inner: S,
    sync: Histogram,
}

impl<S> TimedStorage<S> {
    pub(super) const fn new(inner: S, sync: Histogram) -> Self {
        Self { inner, sync }
    }
}

impl<R, S: Storage<R>> Storage<R> for TimedStorage<S> {
    fn persist(&mut self, record: &R, blocks: &[SealedBlock]) -> Result<(), StorageError> {
        let begun = Instant::now();
        let result = self.inner.persist(record, blocks);
        self.sync.observe(begun.elapsed().as_secs_f64());
        result
    }

    fn finals(&self, from: Height, max_bytes: usize) -> Result<Option<Finals>, StorageError> {
        self.inner.finals(from, max_bytes)
    }

    fn final_hash(&self, height: Height) -> Result<Option<Digest>, StorageError> {
        self.inner.final_hash(height)
    }
}
