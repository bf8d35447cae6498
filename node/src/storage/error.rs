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
         belongs to the genesis file; only where this key is done with the other chain for good, \
         `node reset --yes --forget-votes` lets this home begin on the new one"
    )]
    OtherChain { path: PathBuf, found: Digest, expected: Digest },
    #[error(
        "{path} has storage schema {found}, this program knows {known}: run the newer program that \
         wrote it"
    )]
    NewerSchema { path: PathBuf, found: u32, known: u32 },
    #[error(
        "{path} has storage schema {found}, this program needs {known}: run the older program that \
         wrote it; an empty data directory would forget what this validator has promised"
    )]
    OlderSchema { path: PathBuf, found: u32, known: u32 },
    #[error("{path} is not a store of this schema: {what}; run the program that wrote it")]
    Columns { path: PathBuf, what: String },
    #[error("there is no store in {path}: `node run` makes one when it first runs on this home")]
    Missing { path: PathBuf },
    #[error("told to stop before everything was loaded")]
    Stopped,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The store failed, or holds what it must not hold. Always fatal.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("database error: {0}")]
    Database(rocksdb::Error),
    // Never "restore a copy": an older one has forgotten what was promised since.
    #[error(
        "the store is damaged at {what}: this validator must not vote again under its key, also \
         not from an older copy of the disk; keep it stopped, and let governance replace the key; \
         `node reset --yes --forget-votes` only for a key that will never validate again"
    )]
    Damaged { what: String },
    #[error(
        "block {height} is pruned here: the lowest one is {lowest}; ask a node that keeps more"
    )]
    Pruned { height: Height, lowest: Height },
    #[error(
        "executing block {height} again gives another result than it had ({what}): run the \
         version of the program that it was executed with; if that was this one, the machine \
         cannot be trusted, and the validator must stay stopped"
    )]
    Replay { height: Height, what: String },
}

impl From<rocksdb::Error> for StoreError {
    fn from(error: rocksdb::Error) -> Self {
        match error.kind() {
            rocksdb::ErrorKind::Corruption => Self::damaged(format!("the database ({error})")),
            _ => Self::Database(error),
        }
    }
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
