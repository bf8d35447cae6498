//! The directory of a network that is made for one command.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::verdict::Verdict;

/// A directory that is removed unless it is to be kept.
#[derive(Debug)]
pub(crate) struct Scratch {
    dir: PathBuf,
    keep: bool,
}

impl Scratch {
    /// Checks something in a directory of its own. Where that fails or something does not hold, the directory
    /// stays; an error names it as where `what` is.
    ///
    /// # Errors
    /// Those of the check, and where there can be no directory.
    pub(crate) async fn with<R: Verdict>(
        dir: Option<PathBuf>,
        purpose: &str,
        what: &str,
        check: impl AsyncFnOnce(&Path) -> anyhow::Result<R>,
    ) -> anyhow::Result<R> {
        let mut scratch = Self::new(dir, purpose)?;
        let result = check(scratch.path()).await;
        if !result.as_ref().is_ok_and(R::holds) {
            scratch.keep();
        }
        result.with_context(|| format!("{what} in {}", scratch.path().display()))
    }

    /// Takes `dir`, which is kept, or a new temporary directory.
    ///
    /// # Errors
    /// Where `dir` exists already, or no directory can be made.
    pub(crate) fn new(dir: Option<PathBuf>, purpose: &str) -> anyhow::Result<Self> {
        if let Some(dir) = dir {
            if dir.exists() {
                bail!("{} exists: give a directory that does not", dir.display());
            }
            return Ok(Self { dir, keep: true });
        }
        let name =
            format!("catamaran-{purpose}-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir(&dir)
            .with_context(|| format!("cannot make the directory {}", dir.display()))?;
        Ok(Self { dir, keep: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// Leaves the directory where it is, for somebody to look into.
    pub(crate) fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            // Only disk space is lost if it cannot be removed.
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// Copies a directory with what is in it and who may read it.
pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    std::fs::set_permissions(to, std::fs::metadata(from)?.permissions())?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
