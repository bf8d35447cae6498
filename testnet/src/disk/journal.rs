//! What of a disk would survive a loss of power, from the journal that the library writes.
//!
//! The model: of a file, everything up to its size at its last sync is safe. Names are safe once
//! their directory was synced; those that are not may come or go in the order of the calls. A file
//! is known by its inode number, whatever it is called.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{is_unwatched, root};

const FILE: &str = "disk.journal";

/// The journal of the validator with this home.
pub(super) fn path(home: &Path) -> PathBuf {
    home.join(FILE)
}

/// Begins a journal: everything that is there now is safe.
pub(super) fn begin(home: &Path) -> io::Result<()> {
    let mut text = String::new();
    describe(&root(home), &mut text)?;
    let mut file = File::create(path(home))?;
    file.write_all(text.as_bytes())
}

fn describe(directory: &Path, text: &mut String) -> io::Result<()> {
    use std::fmt::Write as _;
    if !directory.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, data) = (entry.path(), entry.metadata()?);
        if data.is_dir() {
            describe(&path, text)?;
        } else if !is_unwatched(&path) {
            let (number, size) = (data.ino(), data.len());
            let _ = writeln!(text, "C {number} {}\nS {number} {size}", path.display());
        }
    }
    let _ = writeln!(text, "Y {}/", directory.display());
    Ok(())
}

/// A change of names that is not safe yet.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Create(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Delete(PathBuf),
}

impl Change {
    /// The name that it makes or takes away.
    fn name(&self) -> &Path {
        match self {
            Self::Create(path, _) | Self::Rename(_, path) | Self::Delete(path) => path,
        }
    }

    fn make(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Create(path, number) => drop(names.insert(path.clone(), *number)),
            Self::Delete(path) => drop(names.remove(path)),
            Self::Rename(from, to) => {
                if let Some(number) = names.remove(from) {
                    names.insert(to.clone(), number);
                }
                // A directory takes along what is in it.
                let within: Vec<PathBuf> =
                    names.keys().filter(|path| path.starts_with(from)).cloned().collect();
                for path in within {
                    let rest = path.strip_prefix(from).expect("it starts with it").to_owned();
                    if let Some(number) = names.remove(&path) {
                        names.insert(to.join(rest), number);
                    }
                }
            }
        }
    }
}

/// What is safe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Which file each safe name leads to.
    names: BTreeMap<PathBuf, u64>,
    /// Changes of names since, in their order.
    pending: Vec<Change>,
    /// How much of each file is safe, in bytes.
    safe: BTreeMap<u64, u64>,
    /// Files of which a sync failed.
    poisoned: Vec<u64>,
}

impl Image {
    /// Reads a journal.
    ///
    /// # Errors
    /// Where it cannot be read or is none.
    pub fn read(home: &Path) -> io::Result<Self> {
        let mut image = Self::default();
        for line in fs::read_to_string(path(home))?.lines() {
            let wrong = || io::Error::other(format!("{line:?} is no line of a journal"));
            image.take(line).ok_or_else(wrong)?;
        }
        Ok(image)
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (what, rest) = line.split_once(' ')?;
        match what {
            "C" => {
                let (number, path) = numbered(rest)?;
                self.safe.insert(number, 0);
                self.poisoned.retain(|poisoned| *poisoned != number);
                self.pending.push(Change::Create(path.into(), number));
            }
            "S" => {
                let (number, size) = numbered(rest)?;
                if !self.poisoned.contains(&number) {
                    self.safe.insert(number, size.parse().ok()?);
                }
            }
            "T" => {
                let (number, size) = numbered(rest)?;
                let safe = self.safe.entry(number).or_default();
                *safe = size.parse::<u64>().ok()?.min(*safe);
            }
            "P" => self.poisoned.push(rest.parse().ok()?),
            "R" => {
                let (from, to) = rest.split_once('\t')?;
                // What was pending within a directory goes along with it.
                self.settle(Path::new(from));
                self.pending.push(Change::Rename(from.into(), to.into()));
            }
            "U" => self.pending.push(Change::Delete(rest.into())),
            "Y" => self.settle(Path::new(rest.strip_suffix('/')?)),
            _ => return None,
        }
        Some(())
    }

    /// A directory was synced.
    fn settle(&mut self, directory: &Path) {
        let names = &mut self.names;
        self.pending.retain(|change| {
            let settled = change.name().parent() == Some(directory);
            if settled {
                change.make(names);
            }
            !settled
        });
    }

    /// How many changes of names are not safe.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// What each name leads to where only the first `kept` of the pending changes reached the disk.
    pub fn names(&self, kept: usize) -> BTreeMap<PathBuf, u64> {
        let mut names = self.names.clone();
        self.pending.iter().take(kept).for_each(|change| change.make(&mut names));
        names
    }

    /// How much of a file is safe, in bytes.
    pub fn safe(&self, number: u64) -> u64 {
        self.safe.get(&number).copied().unwrap_or_default()
    }
}

fn numbered(text: &str) -> Option<(u64, &str)> {
    let (number, rest) = text.split_once(' ')?;
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(lines: &[&str]) -> Image {
        let mut image = Image::default();
        lines.iter().for_each(|line| image.take(line).expect("a line of a journal"));
        image
    }

    fn names(image: &Image, kept: usize) -> Vec<(String, u64)> {
        let names = image.names(kept).into_iter();
        names.map(|(path, number)| (path.display().to_string(), number)).collect()
    }

    #[test]
    fn a_file_is_safe_up_to_its_last_sync() {
        let image = image(&["C 7 /d/log", "S 7 100", "S 7 250", "T 7 200", "P 7", "S 7 900"]);
        assert_eq!(image.safe(7), 200, "cut, then poisoned");
        assert_eq!(image.safe(8), 0);
    }

    #[test]
    fn names_are_safe_once_their_directory_is() {
        let image = image(&["C 7 /d/a", "Y /d/", "C 8 /d/b", "R /d/b\t/d/a", "U /d/a"]);
        assert_eq!(image.pending(), 3);
        assert_eq!(names(&image, 0), [("/d/a".into(), 7)]);
        assert_eq!(names(&image, 1), [("/d/a".into(), 7), ("/d/b".into(), 8)]);
        assert_eq!(names(&image, 2), [("/d/a".into(), 8)]);
        assert_eq!(names(&image, 3), []);
    }

    #[test]
    fn a_directory_takes_its_files_along() {
        let image = image(&["C 7 /d/new/a", "Y /d/new/", "R /d/new\t/d/db"]);
        assert_eq!(names(&image, 0), [("/d/new/a".into(), 7)]);
        assert_eq!(names(&image, 1), [("/d/db/a".into(), 7)]);
    }
}
