//! Room on the disk. A validator stops voting while there is some left, so that what it promised can
//! still be written, and goes on by itself once there is more.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;

/// Shortest time between two looks.
const EVERY: Duration = Duration::from_millis(250);

/// Looks after the free space of the filesystem that a directory is on.
#[derive(Debug)]
pub struct FreeSpace {
    directory: PathBuf,
    /// In bytes. Below it nothing may be promised.
    floor: u64,
    looked: Option<Instant>,
    low: bool,
}

impl FreeSpace {
    pub fn new(directory: &Path, floor: u64) -> Self {
        Self { directory: directory.into(), floor, looked: None, low: false }
    }

    /// When to look again while it is low.
    pub fn next_look(&self) -> Instant {
        self.looked.map_or_else(Instant::now, |looked| looked + EVERY)
    }

    /// Whether there is too little, as of the last quarter of a second.
    pub fn is_low(&mut self) -> bool {
        if self.looked.is_none_or(|looked| looked.elapsed() >= EVERY) {
            self.looked = Some(Instant::now());
            self.look();
        }
        self.low
    }

    fn look(&mut self) {
        // Where the system does not tell, a write that fails will.
        let Ok(free) = free(&self.directory) else {
            return;
        };
        let low = free < self.floor;
        let (mib, floor) = (free >> 20, self.floor >> 20);
        if low && !self.low {
            tracing::warn!(
                "{mib} MiB are free where {} is, less than storage.min_free_mib = {floor}: this node \
                 takes no part in consensus until there is more; it still answers reads",
                self.directory.display()
            );
        } else if self.low && !low {
            tracing::info!("{mib} MiB are free again: taking part in consensus");
        }
        self.low = low;
    }
}

/// Bytes that this process may still write to the filesystem that a path is on.
///
/// # Errors
/// Where the system does not tell.
pub fn free(path: &Path) -> nix::Result<u64> {
    let found = statvfs(path)?;
    Ok(found.blocks_available().saturating_mul(found.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_disk_has_everything_and_none_has_less_than_nothing() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        assert!(FreeSpace::new(directory.path(), u64::MAX).is_low());
        assert!(!FreeSpace::new(directory.path(), 0).is_low());
        // What cannot be asked is not low.
        assert!(!FreeSpace::new(&directory.path().join("none"), u64::MAX).is_low());
    }
}
