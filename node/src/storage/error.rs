//! What can go wrong with a store, each with what to do about it.

use std::path::PathBuf;

use chain::types::{Digest, Height};
use consensus::application::StorageError;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{path} is in use by {holder}: stop it first, or give this node another home")]
    Locked { path: PathBuf, holder: String },
    #[error("cannot use {path}: {source}")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "{path} holds another chain ({found}, this genesis is {expected}): use the home that \
         belongs to the genesis file, or `node reset`"
    )]
    OtherChain { path: PathBuf, found: Digest, expected: Digest },
    #[error(
        "{path} has storage schema {found}, this program knows {known}: run the newer program that \
         wrote it"
    )]
    NewerSchema { path: PathBuf, found: u32, known: u32 },
    #[error(
        "{path} has storage schema {found}, this program needs {known}: catch up from the network \
         with a fresh data directory"
    )]
    OlderSchema { path: PathBuf, found: u32, known: u32 },
    #[error("{path} is not a store of this schema: {what}")]
    Columns { path: PathBuf, what: String },
    #[error("there is no store in {path}")]
    Missing { path: PathBuf },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The store failed, or holds what it must not hold. Always fatal.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("database error: {0}")]
    Database(#[from] rocksdb::Error),
    #[error(
        "the store is damaged at {what}: a validator with a damaged store must not vote again \
         under the same key; restore the disk, or come back as an observer from fresh data"
    )]
    Damaged { what: String },
    #[error("replaying block {height} gives another result than it had: {what}")]
    Replay { height: Height, what: String },
}

impl StoreError {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    /// For the driver, which only needs to know that it is over.
    pub(crate) fn fatal(self, doing: &'static str) -> StorageError {
        StorageError { doing, source: Box::new(self) }
    }
}
