//! Cutting the power of a process that is gone: its disk becomes what would have survived.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::journal::{self, Image};
use super::{root, trash};

/// What a cut took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lost {
    pub cuts: u32,
    /// Files that ended shorter than they were.
    pub files: u64,
    pub bytes: u64,
    /// Files and names made, renamed or deleted in vain.
    pub names: u64,
}

impl Lost {
    pub fn add(&mut self, other: Self) {
        self.cuts += other.cuts;
        self.files += other.files;
        self.bytes += other.bytes;
        self.names += other.names;
    }
}

/// Cuts the power. The process that used this home must be gone.
///
/// # Errors
/// Where its files cannot be read or written.
pub fn cut(home: &Path, random: &mut ChaCha8Rng) -> io::Result<Lost> {
    let image = Image::read(home)?;
    let root = root(home);
    let kept = match image.pending() {
        0 => 0,
        // Mostly none: the kernel is in no hurry.
        pending if random.random_bool(0.5) => random.random_range(0..=pending),
        _ => 0,
    };
    let mut lost = Lost { cuts: 1, names: (image.pending() - kept) as u64, ..Lost::default() };
    let found = files(home)?;
    let after = home.join("data.after");
    create_private(&after)?;
    for (path, number) in image.names(kept) {
        // Of files made by calls that were cut off themselves there is no record.
        let Some(source) = found.get(&number) else {
            return Err(io::Error::other(format!("nothing is left of {}", path.display())));
        };
        let within = path.strip_prefix(&root).map_err(io::Error::other)?;
        let target = after.join(within);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::hard_link(source, &target)?;
        let taken = shorten(&target, image.safe(number), random)?;
        lost.files += u64::from(taken > 0);
        lost.bytes += taken;
    }
    let before = home.join("data.before");
    fs::rename(&root, &before)?;
    fs::rename(&after, &root)?;
    fs::remove_dir_all(before)?;
    fs::remove_dir_all(trash(home))?;
    fs::create_dir_all(trash(home))?;
    journal::begin(home)?;
    Ok(lost)
}

/// Makes a directory as the node does.
fn create_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(directory)
}

/// Takes away what of a file is not safe, or the end of it. How many bytes.
fn shorten(path: &Path, safe: u64, random: &mut ChaCha8Rng) -> io::Result<u64> {
    let size = fs::metadata(path)?.len();
    if size <= safe {
        return Ok(0);
    }
    // All of it, or torn at any byte.
    let end = if random.random_bool(0.5) { safe } else { random.random_range(safe..size) };
    OpenOptions::new().write(true).open(path)?.set_len(end)?;
    Ok(size - end)
}

/// Where each file is, under its own name or kept after its deletion.
fn files(home: &Path) -> io::Result<BTreeMap<u64, PathBuf>> {
    let mut found = BTreeMap::new();
    find(&trash(home), &mut found)?;
    find(&root(home), &mut found)?;
    Ok(found)
}

fn find(directory: &Path, found: &mut BTreeMap<u64, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let data = entry.metadata()?;
        if data.is_dir() {
            find(&entry.path(), found)?;
        } else {
            found.insert(data.ino(), entry.path());
        }
    }
    Ok(())
}

/// Flips one bit of a file.
///
/// # Errors
/// Where it cannot be read or written.
pub fn flip(path: &Path, bit: u64) -> io::Result<()> {
    let mut file: File = OpenOptions::new().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.seek(SeekFrom::Start(bit / 8))?;
    file.read_exact(&mut byte)?;
    byte[0] ^= 1 << (bit % 8);
    file.seek(SeekFrom::Start(bit / 8))?;
    file.write_all(&byte)
}

#[cfg(test)]
mod tests;
