//! Execution behind a simulated validator: a tiny hash chain for most seeds, the production ledger
//! for a share. Both keep one transaction pool and write what is final to the simulated [`Disk`].

mod hash_chain;

use std::collections::VecDeque;

use chain::block::{BlockKind, SealedBlock};
use chain::crypto::Signer;
use chain::evidence::Evidence;
use chain::transaction::{Body, Payload, SignedTransaction};
use chain::types::{Digest, Height};
use chain::validator::ValidatorSet;
use consensus::application::{
    Application, BuildRequest, BuiltPayload, Commit, Executed, InvalidBlock, StorageError,
};
use consensus::engine::Time;
use serde::{Deserialize, Serialize};

use crate::disk::Disk;
pub(crate) use hash_chain::MAX_TRANSACTIONS;
pub use hash_chain::{HashChain, HashChainState};

/// What executes the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    /// The state is a hash of everything that happened: cheap, and a difference shows at once.
    HashChain,
}

/// A state after a block, cheap to keep one of per final block.
#[derive(Clone, Debug)]
pub enum Snapshot {
    HashChain(HashChainState),
}

impl Snapshot {
    /// The state before the first block.
    pub fn genesis(workload: Workload, validators: ValidatorSet) -> Self {
        match workload {
            Workload::HashChain => Self::HashChain(HashChainState::genesis(validators)),
        }
    }

    /// The set in force after the block.
    pub fn validators(&self) -> &ValidatorSet {
        match self {
            Self::HashChain(state) => state.validators(),
        }
    }
}

/// A final block as an observer sees it: with the state root that this node computed itself.
#[derive(Clone, Debug)]
pub struct Observed {
    pub commit: Commit,
    pub state_root: Digest,
    /// The set of the next epoch, after a barrier.
    pub next_validators: Option<ValidatorSet>,
}

/// The application of one simulated node.
#[derive(Debug)]
pub struct SimApplication<R> {
    execution: HashChain,
    disk: Disk<R>,
    observed: VecDeque<Observed>,
}

impl<R> SimApplication<R> {
    /// Starts from what the disk gave back, with an empty pool.
    pub fn new(
        chain_id: Digest,
        rule: crate::signatures::SignatureRule,
        snapshot: Snapshot,
        final_hash: Digest,
        disk: Disk<R>,
    ) -> Self {
        let Snapshot::HashChain(state) = snapshot;
        let execution = HashChain::new(chain_id, rule, state, final_hash);
        Self { execution, disk, observed: VecDeque::new() }
    }

    /// Tells the clock by which blocks are stamped.
    pub fn set_time(&mut self, now: Time) {
        self.execution.set_time(now.as_nanos() / 1_000_000);
    }

    /// Offers a transaction to the pool; false where it is known, executed or malformed.
    pub fn submit(&mut self, transaction: SignedTransaction) -> bool {
        self.execution.submit(transaction)
    }

    /// Blocks that became final since the last call.
    pub fn take_observed(&mut self) -> VecDeque<Observed> {
        std::mem::take(&mut self.observed)
    }
}

impl<R> Application for SimApplication<R> {
    fn build(&mut self, request: &BuildRequest) -> BuiltPayload {
        self.execution.build(request)
    }

    fn execute(&mut self, block: &SealedBlock) -> Result<Executed, InvalidBlock> {
        self.execution.execute(block)
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<(), StorageError> {
        let mut writes = Vec::new();
        for commit in commits {
            let state = self.execution.commit(&commit.block);
            let barrier = commit.block.header.kind == BlockKind::Barrier;
            let observed = Observed {
                commit: commit.clone(),
                state_root: state.root(),
                next_validators: barrier.then(|| state.validators().clone()),
            };
            self.observed.push_back(observed);
            writes.push((commit.clone(), Snapshot::HashChain(state)));
        }
        self.disk.write_finals(writes)
    }

    fn oldest_pending(&mut self) -> Option<Digest> {
        self.execution.oldest_pending()
    }

    fn pending_count(&self) -> usize {
        self.execution.pending_count()
    }

    fn evidence_counts(&self, evidence: &Evidence) -> bool {
        self.execution.evidence_counts(evidence)
    }
}

/// A client's transaction: the next write of one sender.
pub fn transaction(chain_id: Digest, signer: &dyn Signer, nonce: u64) -> SignedTransaction {
    Payload {
        chain_id,
        sender: signer.public(),
        nonce,
        expiry: Height::new(u64::MAX),
        body: Body::Put { key: b"k".to_vec(), value: nonce.to_le_bytes().to_vec() },
    }
    .sign(signer)
}

/// A client's transaction that sets the number of validators.
pub fn membership(
    chain_id: Digest,
    signer: &dyn Signer,
    nonce: u64,
    members: u8,
) -> SignedTransaction {
    Payload {
        chain_id,
        sender: signer.public(),
        nonce,
        expiry: Height::new(u64::MAX),
        body: Body::Put { key: hash_chain::MEMBERSHIP_KEY.to_vec(), value: vec![members] },
    }
    .sign(signer)
}
