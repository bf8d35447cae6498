//! Opening the database and making sure whose it is.

use std::fs;
use std::path::Path;

use chain::types::Digest;
use rocksdb::{DB, Options, WriteOptions};

use super::StoreError;
use super::columns::{self, IDENTITY_KEY};
use super::error::OpenError;
use super::records::{Identity, SCHEMA};

/// The database within the data directory.
pub(super) const DATABASE: &str = "db";
/// A database that is being made: not valid yet.
pub(super) const UNFINISHED: &str = "db.new";
/// A database whose place another one takes. Where this is, the other one is finished.
pub(super) const REPLACED: &str = "db.old";
/// Every database of RocksDB has this file.
const CURRENT: &str = "CURRENT";
/// How the names of write-ahead logs end.
const LOG: &str = "log";

/// Whether a data directory holds a database.
pub(super) fn is_there(directory: &Path) -> bool {
    [DATABASE, REPLACED].iter().any(|name| directory.join(name).exists())
}

/// Opens the database of a data directory for writing; makes it where there is none.
pub(super) fn open_database(directory: &Path, chain_id: Digest) -> Result<DB, OpenError> {
    let path = directory.join(DATABASE);
    finish_replacing(directory)?;
    // Anything there is a store, whole or damaged: it is never made again.
    if !path.exists() {
        create(directory, chain_id, |_| Ok(()))?;
    }
    check_files(&path)?;
    check_columns(&path, chain_id)?;
    let db = DB::open_cf_descriptors(&columns::database_options(), &path, columns::descriptors())
        .map_err(StoreError::from)?;
    check_identity(&db, &path, chain_id)?;
    Ok(db)
}

/// Opens the database of a data directory without changing it.
pub(super) fn open_read_only(directory: &Path, chain_id: Digest) -> Result<DB, OpenError> {
    let path = directory.join(DATABASE);
    finish_replacing(directory)?;
    if !path.exists() {
        return Err(OpenError::Missing { path: directory.into() });
    }
    check_files(&path)?;
    check_columns(&path, chain_id)?;
    let options = columns::database_options();
    let db = DB::open_cf_descriptors_read_only(&options, &path, columns::descriptors(), false)
        .map_err(StoreError::from)?;
    check_identity(&db, &path, chain_id)?;
    Ok(db)
}

/// Makes a database under another name, with the content that `fill` gives it, and renames it once
/// that is on disk, so a crash in between leaves nothing that looks like a store. One that is there
/// is replaced.
pub(super) fn create(
    directory: &Path,
    chain_id: Digest,
    fill: impl FnOnce(&DB) -> Result<(), StoreError>,
) -> Result<(), OpenError> {
    let unfinished = directory.join(UNFINISHED);
    remove(&unfinished)?;
    let mut options = columns::database_options();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let db = DB::open_cf_descriptors(&options, &unfinished, columns::descriptors())
        .map_err(StoreError::from)?;
    fill(&db)?;
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    let identity = Identity { schema: SCHEMA, chain_id };
    db.put_opt(IDENTITY_KEY, identity.to_bytes(), &synced).map_err(StoreError::from)?;
    drop(db);
    let path = directory.join(DATABASE);
    if path.exists() {
        rename(&path, &directory.join(REPLACED))?;
        sync(directory)?;
    }
    rename(&unfinished, &path)?;
    sync(directory)?;
    remove(&directory.join(REPLACED))
}

/// Finishes the replacement of a database that was interrupted between its two renames or after
/// them. Only whoever holds the directory's lock calls this.
pub(super) fn finish_replacing(directory: &Path) -> Result<(), OpenError> {
    let (path, replaced) = (directory.join(DATABASE), directory.join(REPLACED));
    if !replaced.exists() {
        return Ok(());
    }
    if !path.exists() {
        rename(&directory.join(UNFINISHED), &path)?;
        sync(directory)?;
    }
    remove(&replaced)
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.to_owned();
    |source| OpenError::Io { path, source }
}

fn rename(from: &Path, to: &Path) -> Result<(), OpenError> {
    fs::rename(from, to).map_err(failed(to))
}

fn remove(path: &Path) -> Result<(), OpenError> {
    if path.exists() { fs::remove_dir_all(path).map_err(failed(path)) } else { Ok(()) }
}

fn sync(directory: &Path) -> Result<(), OpenError> {
    fs::File::open(directory).and_then(|opened| opened.sync_all()).map_err(failed(directory))
}

/// Looks for what every database has that was ever opened for writing. RocksDB itself does not miss
/// the log that was written last, and with it would forget the newest promises.
fn check_files(path: &Path) -> Result<(), OpenError> {
    let missing = |what: &str| {
        Err(StoreError::damaged(format!("{what} in {}: it is missing", path.display())).into())
    };
    if !path.join(CURRENT).exists() {
        return missing(CURRENT);
    }
    for entry in fs::read_dir(path).map_err(failed(path))? {
        if entry.map_err(failed(path))?.path().extension().is_some_and(|found| found == LOG) {
            return Ok(());
        }
    }
    missing("the write-ahead log")
}

/// Compares the column families with those of this schema, before a program that does not know
/// them opens the store for writing.
fn check_columns(path: &Path, chain_id: Digest) -> Result<(), OpenError> {
    let mut found = DB::list_cf(&Options::default(), path).map_err(StoreError::from)?;
    let mut known = columns::ALL.map(String::from);
    found.sort_unstable();
    known.sort_unstable();
    if found == known {
        return Ok(());
    }
    // Another schema says so in its identity, and that is the better message.
    let db = DB::open_cf_for_read_only(&Options::default(), path, [columns::META], false)
        .map_err(StoreError::from)?;
    check_identity(&db, path, chain_id)?;
    let what = format!("column families {} where {} belong", found.join(", "), known.join(", "));
    Err(OpenError::Columns { path: path.into(), what })
}

fn check_identity(db: &DB, path: &Path, chain_id: Digest) -> Result<(), OpenError> {
    let identity = db
        .get(IDENTITY_KEY)
        .map_err(StoreError::from)?
        .and_then(|bytes| Identity::from_bytes(&bytes))
        .ok_or_else(|| StoreError::damaged("the identity of the store"))?;
    let (path, found, known) = (path.to_path_buf(), identity.schema, SCHEMA);
    if found > known {
        return Err(OpenError::NewerSchema { path, found, known });
    }
    if found < known {
        return Err(OpenError::OlderSchema { path, found, known });
    }
    if identity.chain_id != chain_id {
        let (found, expected) = (identity.chain_id, chain_id);
        return Err(OpenError::OtherChain { path, found, expected });
    }
    Ok(())
}
