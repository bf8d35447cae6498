//! The narrow view that consensus has of execution and storage.

use std::time::Duration;

use chain::block::{BlockKind, SealedBlock};
use chain::evidence::Evidence;
use chain::finality::FinalityProof;
use chain::transaction::Transaction;
use chain::types::{Digest, Epoch, Height, View};
use chain::validator::ValidatorSet;

/// What the leader asks execution for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRequest {
    /// The block to build on: executed earlier.
    pub parent: Digest,
    pub height: Height,
    pub epoch: Epoch,
    /// View of the block: a barrier's next set starts in the view after it.
    pub view: View,
    pub kind: BuildKind,
    /// Most bytes of transactions that the leader wants; what is valid may be less.
    pub bytes: usize,
    /// Evidence that may count on top of `parent`; what counts must be included, first.
    pub evidence: Vec<Evidence>,
}

/// What kind of block is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildKind {
    /// With whatever transactions are pending, a barrier if evidence counts.
    Ordinary,
    /// Without any transactions: what a new leader puts where nothing is known to have been
    /// proposed.
    Null,
    /// A void block above a barrier: no transactions, the parent's state.
    Seal,
}

/// The part of a block that execution decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltPayload {
    pub kind: BlockKind,
    /// Unix milliseconds, greater than the parent's.
    pub timestamp_ms: u64,
    pub transactions: Vec<Transaction>,
    pub transactions_root: Digest,
    pub receipts_root: Digest,
    pub state_root: Digest,
    /// Hash of the validator set after the block: the parent's, except in a barrier.
    pub next_validators_hash: Digest,
}

/// What executing a valid block showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// The set of the next epoch, where the block is a barrier.
    pub next_validators: Option<ValidatorSet>,
    /// For how long its time is still further ahead of the clock than is allowed. Nobody votes for
    /// it meanwhile; but clocks differ, so it is not invalid for that.
    pub early: Duration,
}

/// Why nobody may vote for a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid block: {0}")]
pub struct InvalidBlock(pub String);

/// A block that is final for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    pub block: SealedBlock,
    /// Present where a certificate names this block, or the block is a barrier; a block without
    /// one is proven by the next block that has one. Never in engines that tolerate crashes alone.
    pub proof: Option<FinalityProof>,
}

/// A run of final blocks with the proof of the last.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Finals {
    /// In ascending height, without gaps, all of one epoch.
    pub blocks: Vec<SealedBlock>,
    /// Of the last one, in engines that tolerate Byzantine validators.
    pub proof: Option<FinalityProof>,
}

impl Finals {
    /// Most blocks in one run: so many fit above what the receiver has, whatever they weigh.
    pub const MAX_BLOCKS: usize = 128;
}

/// Execution and the ledger, as an engine's driver sees them. Blocks above the last committed one
/// are executed on overlays and may be abandoned.
pub trait Application {
    /// Builds on an executed (or committed) parent. Never fails: an empty block is a block.
    fn build(&mut self, request: &BuildRequest) -> BuiltPayload;

    /// Executes a block on its executed (or committed) parent and checks every root, every
    /// signature of its transactions, its kind, its timestamp and its validator hashes.
    /// Total: any block gives a verdict. Executing the same block again gives the same verdict.
    ///
    /// # Errors
    /// [`InvalidBlock`] with the first reason found.
    fn execute(&mut self, block: &SealedBlock) -> Result<Executed, InvalidBlock>;

    /// Makes executed blocks, in ascending height from the last committed one, part of the chain:
    /// one atomic write each, without a sync of its own (their votes are synced already), and
    /// forgets everything that does not descend from the last of them.
    ///
    /// # Errors
    /// A storage error. The caller stops the node.
    fn commit(&mut self, commits: &[Commit]) -> Result<(), StorageError>;

    /// A transaction that would execute on the last final state and waits longest; `None` when
    /// there is no work.
    fn oldest_pending(&mut self) -> Option<Digest>;

    /// How many transactions wait, roughly: tells whether a block would be worth sending now.
    fn pending_count(&self) -> usize;

    /// Whether the evidence would count on top of the last final state.
    fn evidence_counts(&self, evidence: &Evidence) -> bool;
}

/// The disk failed. Always fatal: nothing may be promised any more.
#[derive(Debug, thiserror::Error)]
#[error("storage failed while {doing}: {source}")]
pub struct StorageError {
    pub doing: &'static str,
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The durable memory of an engine.
pub trait Storage<R> {
    /// Replaces the safety record and adds proposed blocks in one atomic write; durable on return.
    ///
    /// # Errors
    /// A storage error. The caller stops the node; nothing that waited may leave.
    fn persist(&mut self, record: &R, blocks: &[SealedBlock]) -> Result<(), StorageError>;

    /// Final blocks from a height on, of one epoch, up to [`Finals::MAX_BLOCKS`] and about
    /// `max_bytes` of encoding, ending at one with a proof if the chain has proofs at all. `None`
    /// where there is nothing to serve.
    ///
    /// # Errors
    /// A storage error.
    fn finals(&self, from: Height, max_bytes: usize) -> Result<Option<Finals>, StorageError>;

    /// The hash of the final block at a height.
    ///
    /// # Errors
    /// A storage error.
    fn final_hash(&self, height: Height) -> Result<Option<Digest>, StorageError>;
}
