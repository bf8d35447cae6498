//! One process per data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::error::OpenError;

/// Name of the lock file in the data directory.
const FILE: &str = "node.lock";

/// Holds the data directory against other processes until dropped. The operating system lets go
/// of it when the process dies, however it dies.
#[derive(Debug)]
pub struct DirectoryLock {
    /// Kept open: closing it releases the lock.
    _file: File,
}

impl DirectoryLock {
    /// Locks a directory and writes this process's id into the lock file.
    ///
    /// # Errors
    /// [`OpenError::Locked`] where another process holds it, [`OpenError::Io`] where the file
    /// cannot be made.
    pub fn acquire(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(FILE);
        let failed = |source| OpenError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked {
                    path: directory.into(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }

    /// Where the lock of a data directory is.
    pub fn path(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }
}

/// Who holds the lock, in words.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(20).read_to_string(&mut text);
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => format!("process {pid}"),
        _ => "another process".into(),
    }
}
