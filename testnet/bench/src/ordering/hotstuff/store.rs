//! HotStuff's key-value store as a map in memory.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use hotstuff_rs::block_tree::pluggables::{KVGet, KVStore, WriteBatch};

type Map = HashMap<Vec<u8>, Vec<u8>>;

/// A replica's store; its clones are the same store.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<RwLock<Map>>);

impl Memory {
    fn read(&self) -> RwLockReadGuard<'_, Map> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Map)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl KVGet for Memory {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.read().get(key).cloned()
    }
}

impl KVStore for Memory {
    type WriteBatch = Batch;
    type Snapshot<'a> = Snapshot<'a>;

    fn write(&mut self, batch: Batch) {
        self.change(|map| {
            for (key, value) in batch.0 {
                match value {
                    Some(value) => map.insert(key, value),
                    None => map.remove(&key),
                };
            }
        });
    }

    fn clear(&mut self) {
        self.change(Map::clear);
    }

    fn snapshot(&self) -> Snapshot<'_> {
        Snapshot(self.read())
    }
}

/// The store as it is: nobody writes while this lives.
pub(super) struct Snapshot<'a>(RwLockReadGuard<'a, Map>);

impl KVGet for Snapshot<'_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key).cloned()
    }
}

/// What is written together: for each key its value, or none where it is deleted. What comes later
/// counts.
pub(super) struct Batch(HashMap<Vec<u8>, Option<Vec<u8>>>);

impl WriteBatch for Batch {
    fn new() -> Self {
        Self(HashMap::new())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key.to_vec(), Some(value.to_vec()));
    }

    fn delete(&mut self, key: &[u8]) {
        self.0.insert(key.to_vec(), None);
    }
}
