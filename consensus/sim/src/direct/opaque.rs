//! Execution and storage reduced to what it takes to order bytes.

use std::collections::VecDeque;
use std::time::Duration;

use chain::block::{BlockKind, SealedBlock};
use chain::codec;
use chain::evidence::Evidence;
use chain::merkle::List;
use chain::transaction::Transaction;
use chain::types::{Digest, Height};
use consensus::application::{
    Application, BuildKind, BuildRequest, BuiltPayload, Commit, Executed, Finals, InvalidBlock,
    Storage, StorageError,
};

/// Takes any transaction and executes none.
#[derive(Debug)]
pub(super) struct Opaque {
    validators_hash: Digest,
    block_transactions: usize,
    /// Waiting, each with its hash.
    pool: VecDeque<(Transaction, Digest)>,
    blocks: u64,
    transactions: u64,
}

impl Opaque {
    pub(super) fn new(validators_hash: Digest, block_transactions: usize) -> Self {
        let pool = VecDeque::new();
        Self { validators_hash, block_transactions, pool, blocks: 0, transactions: 0 }
    }

    /// Transactions are hashed as they come, as a pool does.
    pub(super) fn submit(&mut self, transactions: impl IntoIterator<Item = Transaction>) {
        let hashed = transactions.into_iter().map(|transaction| {
            let hash = transaction.hash(&Digest::ZERO);
            (transaction, hash)
        });
        self.pool.extend(hashed);
    }

    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    pub(super) fn transactions(&self) -> u64 {
        self.transactions
    }
}

impl Application for Opaque {
    /// What is built is not offered again: no view changes here.
    fn build(&mut self, request: &BuildRequest) -> BuiltPayload {
        let count = match request.kind {
            BuildKind::Ordinary => self.pool.len().min(self.block_transactions),
            BuildKind::Null | BuildKind::Seal => 0,
        };
        let (transactions, hashes): (Vec<_>, Vec<_>) = self.pool.drain(..count).unzip();
        BuiltPayload {
            kind: BlockKind::Ordinary,
            timestamp_ms: request.height.get(),
            transactions,
            transactions_root: List::Transactions.root(&hashes),
            receipts_root: Digest::ZERO,
            state_root: Digest::ZERO,
            next_validators_hash: self.validators_hash,
        }
    }

    fn execute(&mut self, _block: &SealedBlock) -> Result<Executed, InvalidBlock> {
        Ok(Executed { next_validators: None, early: Duration::ZERO })
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<(), StorageError> {
        self.blocks += commits.len() as u64;
        let transactions = commits.iter().map(|commit| commit.block.transactions.len() as u64);
        self.transactions += transactions.sum::<u64>();
        Ok(())
    }

    fn oldest_pending(&mut self) -> Option<Digest> {
        self.pool.front().map(|(_, hash)| *hash)
    }

    fn pending_count(&self) -> usize {
        self.pool.len()
    }

    fn evidence_counts(&self, _evidence: &Evidence) -> bool {
        false
    }
}

/// A log that keeps every block, and the newest safety record.
#[derive(Debug)]
pub(super) struct Memory {
    genesis: Digest,
    record: Vec<u8>,
    blocks: Vec<SealedBlock>,
    syncs: u64,
}

impl Memory {
    pub(super) const fn new(genesis: Digest) -> Self {
        Self { genesis, record: Vec::new(), blocks: Vec::new(), syncs: 0 }
    }

    pub(super) const fn syncs(&self) -> u64 {
        self.syncs
    }
}

impl<R: bincode::Encode> Storage<R> for Memory {
    fn persist(&mut self, record: &R, blocks: &[SealedBlock]) -> Result<(), StorageError> {
        self.record = codec::encode(record);
        self.blocks.extend_from_slice(blocks);
        self.syncs += 1;
        Ok(())
    }

    /// Nobody falls behind.
    fn finals(&self, _from: Height, _max_bytes: usize) -> Result<Option<Finals>, StorageError> {
        Ok(None)
    }

    fn final_hash(&self, height: Height) -> Result<Option<Digest>, StorageError> {
        Ok((height == Height::default()).then_some(self.genesis))
    }
}
