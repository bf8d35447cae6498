//! Execution behind a simulated validator: a tiny hash chain for most seeds, the production ledger
//! for a share. Both keep one transaction pool and write what is final to the simulated [`Disk`].

mod change;
mod hash_chain;
mod ledger;

use std::collections::VecDeque;

use chain::block::{BlockKind, SealedBlock};
use chain::crypto::Signer;
use chain::evidence::Evidence;
use chain::mempool::MempoolLimits;
use chain::transaction::{Body, Payload, SignedTransaction};
use chain::types::{Address, Amount, Digest, Height};
use chain::validator::ValidatorSet;
use consensus::application::{
    Application, BuildRequest, BuiltPayload, Commit, Executed, InvalidBlock, StorageError,
};
use serde::{Deserialize, Serialize};

use crate::disk::Disk;
pub use change::Change;
pub(crate) use hash_chain::MAX_TRANSACTIONS;
pub use hash_chain::{HashChain, HashChainState};
pub use ledger::{LedgerChain, LedgerState};

/// What executes the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    /// The state is a hash of everything that happened: cheap, and a difference shows at once.
    HashChain,
    /// Transfers on the ledger and through the pool of a real node. What changes the validators is
    /// governance: transactions of their own.
    Ledger,
}

/// A state after a block, cheap to keep one of per final block.
#[derive(Clone, Debug)]
pub enum Snapshot {
    HashChain(HashChainState),
    Ledger(LedgerState),
}

impl Snapshot {
    /// The hash chain before its first block.
    pub fn hash_chain(validators: ValidatorSet, chain_id: &Digest) -> Self {
        Self::HashChain(HashChainState::genesis(validators, chain_id))
    }

    pub fn root(&self) -> Digest {
        match self {
            Self::HashChain(state) => state.root(),
            Self::Ledger(state) => state.root(),
        }
    }

    /// What is owned in all, where anything is.
    pub fn supply(&self) -> Option<Supply> {
        match self {
            Self::HashChain(_) => None,
            Self::Ledger(state) => Some(state.supply()),
        }
    }

    pub fn ledger(&self) -> Option<&LedgerState> {
        match self {
            Self::HashChain(_) => None,
            Self::Ledger(state) => Some(state),
        }
    }

    /// The set in force after the block.
    pub fn validators(&self) -> &ValidatorSet {
        match self {
            Self::HashChain(state) => state.validators(),
            Self::Ledger(state) => state.validators(),
        }
    }
}

/// What all accounts own together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supply {
    /// The sum over all accounts.
    pub found: u128,
    /// What there was at the start.
    pub expected: u128,
}

/// A final block as an observer sees it: with the state root that this node computed itself.
#[derive(Clone, Debug)]
pub struct Observed {
    pub commit: Commit,
    pub state_root: Digest,
    /// What is owned after the block, where the workload has owners.
    pub supply: Option<Supply>,
    /// The set of the next epoch, after a barrier.
    pub next_validators: Option<ValidatorSet>,
    /// What the ledger says of the block, where there is a ledger.
    pub ledger: Option<LedgerState>,
}

/// What executes the blocks of one node.
#[derive(Debug)]
enum Execution {
    HashChain(Box<HashChain>),
    Ledger(Box<LedgerChain>),
}

/// The application of one simulated node.
#[derive(Debug)]
pub struct SimApplication<R> {
    execution: Execution,
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
        let execution = match snapshot {
            Snapshot::HashChain(state) => {
                Execution::HashChain(Box::new(HashChain::new(chain_id, rule, state, final_hash)))
            }
            Snapshot::Ledger(state) => {
                Execution::Ledger(Box::new(LedgerChain::new(chain_id, rule, state, final_hash)))
            }
        };
        Self { execution, disk, observed: VecDeque::new() }
    }

    /// Tells the clock by which blocks are stamped, in Unix milliseconds.
    pub fn set_time(&mut self, now_ms: u64) {
        match &mut self.execution {
            Execution::HashChain(chain) => chain.set_time(now_ms),
            Execution::Ledger(chain) => chain.set_time(now_ms),
        }
    }

    /// Offers a transaction to the pool; false where it is known, executed or malformed.
    pub fn submit(&mut self, transaction: &SignedTransaction) -> bool {
        match &mut self.execution {
            Execution::HashChain(chain) => chain.submit(transaction),
            Execution::Ledger(chain) => chain.submit(transaction),
        }
    }

    /// Blocks that became final since the last call.
    pub fn take_observed(&mut self) -> VecDeque<Observed> {
        std::mem::take(&mut self.observed)
    }

    fn commit_one(&mut self, block: &SealedBlock) -> Snapshot {
        match &mut self.execution {
            Execution::HashChain(chain) => Snapshot::HashChain(chain.commit(block)),
            Execution::Ledger(chain) => Snapshot::Ledger(chain.commit(block)),
        }
    }
}

impl<R> Application for SimApplication<R> {
    fn build(&mut self, request: &BuildRequest) -> BuiltPayload {
        match &mut self.execution {
            Execution::HashChain(chain) => chain.build(request),
            Execution::Ledger(chain) => chain.build(request),
        }
    }

    fn execute(&mut self, block: &SealedBlock) -> Result<Executed, InvalidBlock> {
        match &mut self.execution {
            Execution::HashChain(chain) => chain.execute(block),
            Execution::Ledger(chain) => chain.execute(block),
        }
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<(), StorageError> {
        let mut writes = Vec::new();
        for commit in commits {
            let snapshot = self.commit_one(&commit.block);
            let barrier = commit.block.header.kind == BlockKind::Barrier;
            let observed = Observed {
                commit: commit.clone(),
                state_root: snapshot.root(),
                supply: snapshot.supply(),
                next_validators: barrier.then(|| snapshot.validators().clone()),
                ledger: snapshot.ledger().cloned(),
            };
            self.observed.push_back(observed);
            writes.push((commit.clone(), snapshot));
        }
        self.disk.write_finals(writes)
    }

    fn oldest_pending(&mut self) -> Option<Digest> {
        match &self.execution {
            Execution::HashChain(chain) => chain.oldest_pending(),
            Execution::Ledger(chain) => chain.oldest_pending(),
        }
    }

    fn pending_count(&self) -> usize {
        match &self.execution {
            Execution::HashChain(chain) => chain.pending_count(),
            Execution::Ledger(chain) => chain.pending_count(),
        }
    }

    fn evidence_counts(&self, evidence: &Evidence) -> bool {
        match &self.execution {
            Execution::HashChain(chain) => chain.evidence_counts(evidence),
            Execution::Ledger(chain) => chain.evidence_counts(evidence),
        }
    }
}

/// What a client's transaction of this number does: a write, or a small payment to the receiver.
pub(crate) fn body(workload: Workload, number: u64, receiver: Address) -> Body {
    match workload {
        Workload::HashChain => {
            Body::Put { key: b"k".to_vec(), value: number.to_le_bytes().to_vec() }
        }
        Workload::Ledger => {
            let amount = Amount::new(u128::from(number % 7));
            Body::Transfer { to: receiver, amount, memo: Vec::new() }
        }
    }
}

/// A client's transaction that never expires, as far as the production pool allows.
pub(crate) fn signed(
    chain_id: Digest,
    signer: &dyn Signer,
    nonce: u64,
    body: Body,
) -> SignedTransaction {
    let expiry = Height::new(MempoolLimits::LIFETIME);
    Payload { chain_id, account: None, sender: signer.public(), nonce, expiry, body }.sign(signer)
}

/// A client's transaction: a write of one sender.
pub fn transaction(chain_id: Digest, signer: &dyn Signer, nonce: u64) -> SignedTransaction {
    let body = Body::Put { key: b"k".to_vec(), value: nonce.to_le_bytes().to_vec() };
    signed(chain_id, signer, nonce, body)
}

/// A client's transaction that makes the first so many validators of genesis the set.
pub fn membership(
    chain_id: Digest,
    signer: &dyn Signer,
    nonce: u64,
    members: u8,
) -> SignedTransaction {
    signed(chain_id, signer, nonce, Change::First(members).body())
}
