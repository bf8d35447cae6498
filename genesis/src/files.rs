//! Files that must be complete or absent, and files that nobody else may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Mode of files with secrets: read and written by their owner only.
pub const PRIVATE: u32 = 0o600;
/// Mode of files that everyone may read.
pub const PUBLIC: u32 = 0o644;

/// A file that cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} already exists and is not overwritten")]
    Exists { path: PathBuf },
    #[error("{path} may be read by others (mode {mode:o}): run chmod 600 on it")]
    WideMode { path: PathBuf, mode: u32 },
    #[error("{path} has more than {max} bytes")]
    TooLarge { path: PathBuf, max: u64 },
    #[error("{path} is not a regular file")]
    NotAFile { path: PathBuf },
}

impl FileError {
    fn io(path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::AlreadyExists {
            return Self::Exists { path: path.to_owned() };
        }
        Self::Io { path: path.to_owned(), source }
    }
}

/// Writes a file that must not exist yet, and returns once it is on disk under its name.
///
/// A crash leaves the whole file or none: the bytes go to a temporary name first.
///
/// # Errors
/// [`FileError::Exists`], or what the system said.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let temporary = temporary_name(path);
    let at = |source| FileError::io(path, source);
    let result = write_synced(&temporary, bytes, mode)
        .map_err(|source| FileError::Io { path: temporary.clone(), source });
    // A hard link fails where the name is taken, which a rename would silently replace.
    let result = result.and_then(|()| fs::hard_link(&temporary, path).map_err(at));
    let removed = fs::remove_file(&temporary);
    result?;
    removed.map_err(at)?;
    sync_directory(path)
}

/// Gives a file another name, which must be free. It is on disk under the new name when this returns;
/// a crash leaves it under one name or both.
///
/// # Errors
/// [`FileError::Exists`], or what the system said.
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    also_name(from, to)?;
    fs::remove_file(from).map_err(|source| FileError::io(from, source))?;
    sync_directory(from)
}

/// Gives a file a second name, which must be free. It is on disk under both when this returns.
///
/// # Errors
/// [`FileError::Exists`], or what the system said.
pub fn also_name(file: &Path, name: &Path) -> Result<(), FileError> {
    // Fails where the name is taken, which a rename would silently replace.
    fs::hard_link(file, name).map_err(|source| FileError::io(name, source))?;
    sync_directory(name)
}

/// Puts a file in the place of another, which is gone then. A crash leaves one of the two.
///
/// # Errors
/// What the system said.
pub fn replace(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(|source| FileError::io(to, source))?;
    sync_directory(to)
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_directory(path: &Path) -> Result<(), FileError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| FileError::io(directory, source))
}

/// Creates a directory, and those above it, that only its owner may enter. One that exists is left
/// as it is.
///
/// # Errors
/// What the system said.
pub fn create_private_directory(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| FileError::Io { path: path.to_owned(), source })
}

/// Whether a directory has no entries.
///
/// # Errors
/// What the system said.
pub fn is_empty_directory(path: &Path) -> Result<bool, FileError> {
    let mut entries =
        fs::read_dir(path).map_err(|source| FileError::Io { path: path.to_owned(), source })?;
    Ok(entries.next().is_none())
}

/// Reads a file of at most `max` bytes.
///
/// # Errors
/// [`FileError`] where it is missing, too large or no regular file.
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>, FileError> {
    let (file, _) = open(path)?;
    let mut bytes = Vec::new();
    read_into(path, file, max, &mut bytes)?;
    Ok(bytes)
}

/// Reads a secret of at most `max` bytes from a file that only its owner may read. The memory is
/// wiped when the result is dropped.
///
/// # Errors
/// [`FileError::WideMode`] where others may read it, and as [`read`].
pub fn read_private(path: &Path, max: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let (file, metadata) = open(path)?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(FileError::WideMode { path: path.to_owned(), mode });
    }
    // Enough from the start: growing would leave copies of the secret behind.
    let capacity = metadata.len().min(max).saturating_add(1) as usize;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    read_into(path, file, max, &mut bytes)?;
    Ok(bytes)
}

fn open(path: &Path) -> Result<(File, fs::Metadata), FileError> {
    let at = |source| FileError::Io { path: path.to_owned(), source };
    // Asked before it is opened: opening a pipe would wait for a writer.
    if !fs::metadata(path).map_err(at)?.is_file() {
        return Err(FileError::NotAFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(at)?;
    let metadata = file.metadata().map_err(at)?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile { path: path.to_owned() });
    }
    Ok((file, metadata))
}

fn read_into(path: &Path, file: File, max: u64, bytes: &mut Vec<u8>) -> Result<(), FileError> {
    file.take(max.saturating_add(1))
        .read_to_end(bytes)
        .map_err(|source| FileError::Io { path: path.to_owned(), source })?;
    if bytes.len() as u64 > max {
        return Err(FileError::TooLarge { path: path.to_owned(), max });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
