//! Disks that lose power, fail and fill up, and clocks that are wrong, under unchanged nodes.
//!
//! A small library in C (`testnet/disk/faultdisk.c`) is preloaded into the validators of a testnet
//! that asks for it. It carries every call out for real and writes down what would survive a loss
//! of power ([`journal`]); [`power`] makes that true once the process is gone; [`Knobs`] are the
//! faults of a process that runs. docs/adr/0009-faulty-disks.md says why it is done like this.

pub mod journal;
pub mod knobs;
pub mod power;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use knobs::{Knobs, Room};

/// What the build made of the library's source.
const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/faultdisk.so"));
const FILE: &str = "faultdisk.so";
/// Names the home of a validator to the library.
pub(crate) const HOME_VARIABLE: &str = "FAULTDISK";

/// Puts the library into a directory.
///
/// # Errors
/// Where it cannot be written.
pub fn install(directory: &Path) -> io::Result<PathBuf> {
    let path = directory.join(FILE);
    fs::write(&path, LIBRARY)?;
    Ok(path)
}

/// Makes a home's disk faulty from the next start on, where it is not: what is there now is safe.
///
/// # Errors
/// Where the home cannot be written.
pub fn prepare(home: &Path) -> io::Result<()> {
    if !journal::path(home).exists() {
        fs::create_dir_all(trash(home))?;
        Knobs::create(home)?;
        journal::begin(home)?;
    }
    Ok(())
}

/// Takes what is on a home's disk now as safe, where the disk is faulty: somebody else changed it.
///
/// # Errors
/// Where the home cannot be read or written.
pub fn settle(home: &Path) -> io::Result<()> {
    if journal::path(home).exists() { journal::begin(home) } else { Ok(()) }
}

/// Where the files are that can be lost.
fn root(home: &Path) -> PathBuf {
    home.join("data")
}

/// Where deleted content waits until its deletion is safe.
fn trash(home: &Path) -> PathBuf {
    home.join("disk.trash")
}

/// Whether the library leaves a file alone: RocksDB's own log, and locks.
fn is_unwatched(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.starts_with("LOG") || name == "LOCK" || name == "node.lock"
}
