//! Execution and disk of a searched node, as plain values that a state of the search owns.
//!
//! The driver keeps application and storage apart, so each holds what it writes itself: the
//! [`Ledger`] the final blocks, the [`Memory`] the safety record. The [`Pulse`] they share tells in
//! which order the two wrote: what became final after the last sync may be gone after a crash.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use chain::block::SealedBlock;
use chain::evidence::Evidence;
use chain::types::{Digest, Height};
use consensus::application::{
    Application, BuildRequest, BuiltPayload, Commit, Executed, Finals, InvalidBlock, Storage,
    StorageError,
};

use crate::application::{HashChain, HashChainState};

/// What all nodes of a search share, in all states. Nothing in here outlives a turn but the order of
/// the numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulse(Rc<PulseCells>);

#[derive(Debug, Default)]
struct PulseCells {
    writes: Cell<u64>,
    fuse: Cell<bool>,
}

impl Pulse {
    /// Numbers a write.
    fn next(&self) -> u64 {
        self.0.writes.set(self.0.writes.get() + 1);
        self.0.writes.get()
    }

    /// From now on, whoever writes a safety record dies there, or nobody does.
    pub(super) fn arm(&self, fuse: bool) {
        self.0.fuse.set(fuse);
    }
}

/// A block that became final here.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) commit: Commit,
    /// State after the block.
    pub(super) state: HashChainState,
    written: u64,
}

/// Execution, and the final chain that it wrote.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    pub(super) chain: HashChain,
    /// By height from 1 on.
    pub(super) finals: Vec<Entry>,
    pulse: Pulse,
}

impl Ledger {
    pub(super) fn new(chain: HashChain, finals: Vec<Entry>, pulse: Pulse) -> Self {
        Self { chain, finals, pulse }
    }

    /// How many final blocks survive a crash for certain.
    pub(super) fn synced(&self, memory_synced: u64) -> usize {
        self.finals.iter().filter(|entry| entry.written < memory_synced).count()
    }
}

impl Application for Ledger {
    fn build(&mut self, request: &BuildRequest) -> BuiltPayload {
        self.chain.build(request)
    }

    fn execute(&mut self, block: &SealedBlock) -> Result<Executed, InvalidBlock> {
        self.chain.execute(block)
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<(), StorageError> {
        for commit in commits {
            let state = self.chain.commit(&commit.block);
            let written = self.pulse.next();
            self.finals.push(Entry { commit: commit.clone(), state, written });
        }
        Ok(())
    }

    fn oldest_pending(&mut self) -> Option<Digest> {
        self.chain.oldest_pending()
    }

    fn pending_count(&self) -> usize {
        self.chain.pending_count()
    }

    fn evidence_counts(&self, evidence: &Evidence) -> bool {
        self.chain.evidence_counts(evidence)
    }
}

/// The safety record and the proposed blocks: durable as soon as written, unless the fuse blows.
#[derive(Clone, Debug)]
pub(super) struct Memory<R> {
    pub(super) genesis: Digest,
    pub(super) record: Option<R>,
    pub(super) blocks: BTreeMap<Digest, SealedBlock>,
    pub(super) synced: u64,
    pulse: Pulse,
}

impl<R> Memory<R> {
    pub(super) fn new(genesis: Digest, pulse: Pulse) -> Self {
        Self { genesis, record: None, blocks: BTreeMap::new(), synced: 0, pulse }
    }
}

impl<R: Clone> Storage<R> for Memory<R> {
    fn persist(&mut self, record: &R, blocks: &[SealedBlock]) -> Result<(), StorageError> {
        if self.pulse.0.fuse.get() {
            let source = "the searched node dies here".into();
            return Err(StorageError { doing: "writing the safety record", source });
        }
        self.record = Some(record.clone());
        self.blocks.extend(blocks.iter().map(|block| (block.hash(), block.clone())));
        self.synced = self.pulse.next();
        Ok(())
    }

    /// Final blocks are not served: whoever lacks them stays behind, as if every answer were lost.
    fn finals(&self, _from: Height, _max_bytes: usize) -> Result<Option<Finals>, StorageError> {
        Ok(None)
    }

    fn final_hash(&self, height: Height) -> Result<Option<Digest>, StorageError> {
        Ok((height == Height::default()).then_some(self.genesis))
    }
}
