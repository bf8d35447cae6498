//! What a validator said: every promise that its engine lets out, in a file of its own that no fault
//! of the disk touches. Kept where [`SaidLog::begin`] asked for it. Over all its lives an honest validator says one thing per slot.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use chain::types::Digest;
use consensus::message::Slot;

/// The file's name in a validator's home.
const FILE: &str = "said.log";
/// Promises that are not written again where they are repeated soon.
const RECENT: usize = 256;

/// Writes down promises, where somebody wants to know them.
#[derive(Debug)]
pub struct SaidLog {
    file: Option<File>,
    recent: VecDeque<(Slot, Digest)>,
}

impl SaidLog {
    /// The log of the validator with this home.
    pub fn path(home: &Path) -> PathBuf {
        home.join(FILE)
    }

    /// Has the validator with this home write down what it promises from its next start on.
    ///
    /// # Errors
    /// Where the file cannot be made.
    pub fn begin(home: &Path) -> io::Result<()> {
        File::create(Self::path(home)).map(drop)
    }

    /// Goes on with what an earlier life of the validator wrote, where the file was begun: a testnet
    /// that runs for days would fill the disk.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = match OpenOptions::new().append(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            opened => Some(opened?),
        };
        Ok(Self { file, recent: VecDeque::with_capacity(RECENT) })
    }

    /// Notes a promise before it leaves.
    ///
    /// # Panics
    /// Where the file cannot be written: what is said unheard proves nothing.
    pub fn note(&mut self, slot: Slot, digest: Digest) {
        let Some(file) = &mut self.file else {
            return;
        };
        let said = (slot, digest);
        if self.recent.contains(&said) {
            return;
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(said);
        // One write, so that a line is whole or missing, whenever the process ends.
        let line = format!("{slot:?}\t{digest}\n");
        file.write_all(line.as_bytes()).expect("the log of promises can be written");
    }
}

/// What a validator said over all its lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Slots in which it said something.
    pub slots: usize,
    /// Those in which it said two things.
    pub contradictions: Vec<String>,
}

/// Reads what the validator with this home said.
///
/// # Errors
/// Where the file cannot be read.
pub fn read(home: &Path) -> io::Result<Said> {
    let path = SaidLog::path(home);
    if !path.exists() {
        return Ok(Said::default());
    }
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    let mut contradictions = Vec::new();
    for line in BufReader::new(File::open(path)?).lines() {
        let line = line?;
        let (slot, digest) =
            line.split_once('\t').ok_or_else(|| io::Error::other("a line without a promise"))?;
        match first.get(slot) {
            Some(known) if known != digest => {
                contradictions.push(format!("{slot}: {known} and {digest}"));
            }
            Some(_) => {}
            None => drop(first.insert(slot.to_owned(), digest.to_owned())),
        }
    }
    Ok(Said { slots: first.len(), contradictions })
}

#[cfg(test)]
mod tests {
    use chain::types::{Epoch, View};

    use super::*;

    #[test]
    fn a_contradiction_is_found_over_two_lives() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let slot = |view| Slot::NewView(Epoch::default(), View::new(view));
        let life = |said: &[(u64, u8)]| {
            let mut log = SaidLog::open(&SaidLog::path(home.path())).expect("it opens");
            said.iter().for_each(|(view, byte)| log.note(slot(*view), Digest([*byte; 32])));
        };
        life(&[(9, 9)]);
        assert_eq!(read(home.path()).expect("nobody asked for it"), Said::default());
        SaidLog::begin(home.path()).expect("a file");
        life(&[(1, 1), (2, 2), (2, 2)]);
        life(&[(2, 2), (3, 3)]);
        let said = read(home.path()).expect("it reads");
        assert_eq!((said.slots, said.contradictions.len()), (3, 0));
        life(&[(1, 9)]);
        let said = read(home.path()).expect("it reads");
        assert_eq!((said.slots, said.contradictions.len()), (3, 1), "{said:?}");
        assert!(said.contradictions[0].contains("NewView"), "{said:?}");
    }
}
