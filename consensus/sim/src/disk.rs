//! A disk that loses what was not synced, and fails at any chosen point.
//!
//! Writes are atomic and ordered, as RocksDB's are with its write-ahead log: a crash keeps a prefix
//! of what was written after the last sync. A write of which only a part got there fails its
//! checksum and is dropped whole, with everything behind it. Damage to what was synced cannot be
//! mended: the node refuses to start. [`SimStorage`] is the engine's side of the disk,
//! [`Disk::write_finals`] the application's.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use chain::block::{BlockKind, SealedBlock};
use chain::codec;
use chain::types::{Digest, Height};
use consensus::application::{Commit, Finals, Storage, StorageError};
use consensus::engine::{FaultModel, RECENT_HEADERS, Recovered};
use consensus::footprint::Footprint;

use crate::application::Snapshot;
use crate::dice::Dice;
use crate::genesis::Genesis;

/// Where within a turn a node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrashPoint {
    /// The safety record never reaches the disk.
    BeforeWrite,
    /// A part of it reaches the disk.
    MidWrite,
    /// Written, not synced: the crash decides whether it survives.
    BeforeSync,
    /// Synced, and nothing that waited for it has left.
    BeforeRelease,
    /// Some messages have left, the next ones do not.
    AfterSends(u16),
    /// Everything left; the final blocks are not written.
    BeforeCommit,
    /// The final blocks are written, not synced.
    AfterCommit,
}

/// Changes a record that a crash gives back: a planted bug, "this was never synced".
pub type Tamper<R> = Rc<dyn Fn(&mut R)>;

/// One node's disk: survives its crashes, shared by its storage, application and outbox.
pub struct Disk<R>(Rc<RefCell<State<R>>>);

impl<R> Clone for Disk<R> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<R> std::fmt::Debug for Disk<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.0.borrow();
        f.debug_struct("Disk")
            .field("finals", &state.finals.len())
            .field("unsynced", &state.unsynced.len())
            .field("fuse", &state.fuse)
            .finish_non_exhaustive()
    }
}

struct State<R> {
    genesis: Rc<Genesis>,
    record: Option<Vec<u8>>,
    /// Proposed blocks above the last final one.
    blocks: BTreeMap<Digest, SealedBlock>,
    /// By height from 1 on.
    finals: Vec<Final>,
    unsynced: Vec<Logged>,
    fuse: Option<CrashPoint>,
    /// The next sync fails.
    sync_fails: bool,
    /// What was synced does not read back.
    damaged: bool,
    /// The node is dead from here on: nothing more is written or sent.
    blown: bool,
    sends: u16,
    syncs: u64,
    /// Writes that a crash left in part.
    torn: u64,
    tamper: Option<Tamper<R>>,
    backup: Backup,
}

/// What a disk held once; nothing before the first copy was made.
#[derive(Clone, Default)]
struct Backup {
    record: Option<Vec<u8>>,
    blocks: BTreeMap<Digest, SealedBlock>,
    finals: usize,
}

#[derive(Clone)]
struct Final {
    commit: Commit,
    /// State after the block.
    snapshot: Snapshot,
}

enum Write {
    Promise { record: Vec<u8>, blocks: Vec<SealedBlock> },
    Finals(Vec<Final>),
}

/// A write as the log has it.
struct Logged {
    write: Write,
    /// Whether its checksum holds: not where only a part reached the disk.
    whole: bool,
}

impl From<Write> for Logged {
    fn from(write: Write) -> Self {
        Self { write, whole: true }
    }
}

/// Why a simulated disk does not answer.
#[derive(Debug)]
enum Broken {
    Crashed,
    SyncFailed,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Crashed => "the simulated node crashed",
            Self::SyncFailed => "the simulated disk failed to sync",
        })
    }
}

impl std::error::Error for Broken {}

fn broken(doing: &'static str, why: Broken) -> StorageError {
    StorageError { doing, source: Box::new(why) }
}

impl<R> Disk<R> {
    pub fn new(genesis: Rc<Genesis>) -> Self {
        Self(Rc::new(RefCell::new(State {
            genesis,
            record: None,
            blocks: BTreeMap::new(),
            finals: Vec::new(),
            unsynced: Vec::new(),
            fuse: None,
            sync_fails: false,
            damaged: false,
            blown: false,
            sends: 0,
            syncs: 0,
            torn: 0,
            tamper: None,
            backup: Backup::default(),
        })))
    }

    /// Dies at this point of the next turn that gets there.
    pub fn arm(&self, point: CrashPoint) {
        let mut state = self.0.borrow_mut();
        state.fuse = Some(point);
        state.sends = 0;
    }

    /// The next sync fails: the write before it may be there or not.
    pub fn fail_next_sync(&self) {
        self.0.borrow_mut().sync_fails = true;
    }

    /// No crash or failure to come.
    pub fn disarm(&self) {
        let mut state = self.0.borrow_mut();
        state.fuse = None;
        state.sync_fails = false;
    }

    /// Whether a crash or a failure is armed and has not happened.
    pub fn is_armed(&self) -> bool {
        let state = self.0.borrow();
        state.fuse.is_some() || state.sync_fails
    }

    /// Damages what was synced.
    pub fn damage(&self) {
        self.0.borrow_mut().damaged = true;
    }

    /// Whether a starting node finds damage: it must refuse to start, because it cannot know what
    /// it promised.
    pub fn is_damaged(&self) -> bool {
        self.0.borrow().damaged
    }

    /// Everything is gone, as on a new disk. The caller has settled the disk.
    pub fn wipe(&self) {
        let mut state = self.0.borrow_mut();
        state.record = None;
        state.blocks.clear();
        state.finals.clear();
        state.damaged = false;
    }

    /// How many writes a crash left in part.
    pub fn torn(&self) -> u64 {
        self.0.borrow().torn
    }

    /// Whether the node died.
    pub fn is_blown(&self) -> bool {
        self.0.borrow().blown
    }

    /// Plants a bug: every record that a crash gives back is changed first.
    pub fn set_tamper(&self, tamper: Tamper<R>) {
        self.0.borrow_mut().tamper = Some(tamper);
    }

    /// How often the disk was synced.
    pub fn syncs(&self) -> u64 {
        self.0.borrow().syncs
    }

    /// Whether the message that is about to leave still does.
    pub fn may_send(&self) -> bool {
        let mut state = self.0.borrow_mut();
        if let Some(CrashPoint::AfterSends(limit)) = state.fuse {
            if state.sends >= limit {
                state.blow();
            }
            state.sends += 1;
        }
        !state.blown
    }

    /// Writes final blocks, each run up to a proof atomically, without a sync.
    ///
    /// # Errors
    /// Where the crash point is here.
    pub fn write_finals(&self, commits: Vec<(Commit, Snapshot)>) -> Result<(), StorageError> {
        let mut state = self.0.borrow_mut();
        state.pass(CrashPoint::BeforeCommit, "committing")?;
        let mut run = Vec::new();
        let needs_proof = state.genesis.fault_model == FaultModel::Byzantine;
        for (commit, snapshot) in commits {
            let proven = commit.proof.is_some() || !needs_proof;
            run.push(Final { commit, snapshot });
            if proven {
                state.unsynced.push(Write::Finals(std::mem::take(&mut run)).into());
            }
        }
        assert!(run.is_empty(), "the last of the committed blocks has a proof");
        state.pass(CrashPoint::AfterCommit, "committing")
    }

    /// The node dies now if it has not: a prefix of what was not synced survives. The disk then
    /// works again.
    pub fn crash(&self, dice: &mut Dice) {
        let mut state = self.0.borrow_mut();
        let kept = dice.index(state.unsynced.len() + 1);
        state.unsynced.truncate(kept);
        if let Some(torn) = state.unsynced.iter().position(|logged| !logged.whole) {
            state.unsynced.truncate(torn);
            state.torn += 1;
        }
        state.sync();
        state.fuse = None;
        state.sync_fails = false;
        state.blown = false;
        state.sends = 0;
    }

    /// Deletes the chain and keeps what was promised, as an operator's reset does.
    pub fn forget_chain(&self) {
        self.0.borrow_mut().finals.clear();
    }

    /// Copies everything on a settled disk.
    pub fn back_up(&self) {
        let mut state = self.0.borrow_mut();
        state.backup = Backup {
            record: state.record.clone(),
            blocks: state.blocks.clone(),
            finals: state.finals.len(),
        };
    }

    /// Puts the copy back: what was promised since is forgotten.
    pub fn restore(&self) {
        let mut state = self.0.borrow_mut();
        let Backup { record, blocks, finals } = state.backup.clone();
        state.record = record;
        state.blocks = blocks;
        state.finals.truncate(finals);
    }

    /// The final blocks that are written, synced or not.
    pub fn final_blocks(&self) -> Vec<SealedBlock> {
        self.0.borrow().entries().map(|entry| entry.commit.block.clone()).collect()
    }

    /// Height of the last final block that is written, synced or not.
    pub fn final_height(&self) -> Height {
        let state = self.0.borrow();
        state
            .entries()
            .next_back()
            .map_or(Height::default(), |last| last.commit.block.header.height)
    }
}

impl<R: bincode::Encode + bincode::Decode<()> + codec::Bounded> Disk<R> {
    /// What a starting node finds: where it stands, and the state after its last final block.
    pub fn recover(&self) -> (Recovered<R>, Snapshot) {
        let state = self.0.borrow();
        assert!(state.unsynced.is_empty() && !state.blown, "a node starts on a settled disk");
        assert!(!state.damaged, "a node refuses to start on a damaged disk");
        let genesis = &state.genesis;
        let last = state.finals.last();
        let snapshot = last.map_or_else(|| genesis.snapshot.clone(), |last| last.snapshot.clone());
        let final_height = last.map_or(Height::default(), |l| l.commit.block.header.height);
        let opening = state
            .finals
            .iter()
            .rev()
            .map(|entry| &entry.commit.block)
            .find(|block| block.header.kind == BlockKind::Barrier);
        let record = state.record.as_ref().map(|bytes| {
            let mut record = codec::decode(bytes).expect("a record decodes from its own encoding");
            if let Some(tamper) = &state.tamper {
                tamper(&mut record);
            }
            record
        });
        let recent = state.finals.len().saturating_sub(RECENT_HEADERS);
        let recovered = Recovered {
            validators: snapshot.validators().clone(),
            final_height,
            final_hash: last.map_or(genesis.hash, |last| last.commit.block.hash()),
            final_block: last.map(|last| last.commit.block.clone()),
            final_proof: last.and_then(|last| last.commit.proof.clone()),
            opening_height: opening.map_or(Height::default(), |block| block.header.height),
            opening_hash: opening.map_or(genesis.hash, SealedBlock::hash),
            opening_mode: opening.map_or(genesis.mode, |block| block.header.mode),
            recent: state.finals[recent..]
                .iter()
                .map(|entry| Footprint::of(&entry.commit.block))
                .collect(),
            blocks: state
                .blocks
                .values()
                .filter(|block| block.header.height > final_height)
                .cloned()
                .collect(),
            record,
        };
        (recovered, snapshot)
    }
}

impl<R> State<R> {
    fn entries(&self) -> impl DoubleEndedIterator<Item = &Final> {
        let unsynced = self.unsynced.iter().flat_map(|logged| match &logged.write {
            Write::Finals(run) => run.as_slice(),
            Write::Promise { .. } => &[],
        });
        self.finals.iter().chain(unsynced)
    }

    fn entries_from(&self, height: Height) -> impl Iterator<Item = &Final> {
        let below = usize::try_from(height.get().saturating_sub(1)).unwrap_or(usize::MAX);
        self.entries().skip(below)
    }

    fn blow(&mut self) {
        self.blown = true;
        self.fuse = None;
    }

    /// Fails if the node is dead or dies here.
    fn pass(&mut self, point: CrashPoint, doing: &'static str) -> Result<(), StorageError> {
        if self.fuse == Some(point) {
            self.blow();
        }
        if self.blown { Err(broken(doing, Broken::Crashed)) } else { Ok(()) }
    }

    /// Everything written is there for good.
    fn sync(&mut self) {
        for logged in std::mem::take(&mut self.unsynced) {
            match logged.write {
                Write::Promise { record, blocks } => {
                    self.record = Some(record);
                    self.blocks.extend(blocks.into_iter().map(|block| (block.hash(), block)));
                }
                Write::Finals(run) => {
                    self.finals.extend(run);
                    let last = self.finals.last().map(|last| last.commit.block.header.height);
                    self.blocks.retain(|_, block| Some(block.header.height) > last);
                }
            }
        }
        self.syncs += 1;
    }
}

/// What the engine's driver writes to and reads from.
#[derive(Debug)]
pub struct SimStorage<R>(pub Disk<R>);

impl<R: bincode::Encode> Storage<R> for SimStorage<R> {
    fn persist(&mut self, record: &R, blocks: &[SealedBlock]) -> Result<(), StorageError> {
        let mut state = self.0.0.borrow_mut();
        state.pass(CrashPoint::BeforeWrite, "writing the safety record")?;
        let write = Write::Promise { record: codec::encode(record), blocks: blocks.to_vec() };
        let whole = state.fuse != Some(CrashPoint::MidWrite);
        state.unsynced.push(Logged { write, whole });
        state.pass(CrashPoint::MidWrite, "writing the safety record")?;
        state.pass(CrashPoint::BeforeSync, "syncing the safety record")?;
        if state.sync_fails {
            state.blow();
            return Err(broken("syncing the safety record", Broken::SyncFailed));
        }
        state.sync();
        state.pass(CrashPoint::BeforeRelease, "releasing what waited")
    }

    fn finals(&self, from: Height, max_bytes: usize) -> Result<Option<Finals>, StorageError> {
        let state = self.0.0.borrow();
        let mut blocks: Vec<SealedBlock> = Vec::new();
        let (mut bytes, mut best) = (0, None);
        for Final { commit, .. } in state.entries_from(from).take(Finals::MAX_BLOCKS) {
            let block = &commit.block;
            let first = blocks.first().map_or(block.header.epoch, |first| first.header.epoch);
            bytes += block.encoded().len();
            if block.header.epoch != first || (bytes > max_bytes && best.is_some()) {
                break;
            }
            blocks.push(block.clone());
            if commit.proof.is_some() || state.genesis.fault_model == FaultModel::Crash {
                best = Some((blocks.len(), commit.proof.clone()));
            }
        }
        Ok(best.map(|(len, proof)| {
            blocks.truncate(len);
            Finals { blocks, proof }
        }))
    }

    fn final_hash(&self, height: Height) -> Result<Option<Digest>, StorageError> {
        let state = self.0.0.borrow();
        if height == Height::default() {
            return Ok(Some(state.genesis.hash));
        }
        Ok(state.entries_from(height).next().map(|entry| entry.commit.block.hash()))
    }
}

#[cfg(test)]
mod tests;
