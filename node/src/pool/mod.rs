//! The pool of waiting transactions, as the rest of the node sees it.
//!
//! ```text
//!  RPC, peers ──▶ cheap checks ──▶ queue ──▶ one thread verifies in batches ──▶ mempool
//!                                                     │                           │
//!                                                     ▼                           ▼
//!                                              gossip (own ones)         consensus thread
//! ```
//!
//! Signatures are checked once per transaction and node: off the consensus thread, off the async
//! executor, as many together as happen to wait. Which ones were checked is remembered, so a block
//! of known transactions needs no verification.

mod queue;
mod verdicts;
mod verified;
mod worker;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chain::crypto::Verifier;
use chain::mempool::{
    HashedTransaction, Mempool, MempoolLimits, RejectReason, VerifiedTransaction,
};
use chain::state::State;
use chain::types::{Address, Digest, Height};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::storage::FinalBlock;

use queue::{Queue, Waiting};
use verdicts::Ticket;
use verified::VerifiedHashes;
use worker::Worker;

/// Most transactions that one round of verification takes.
const BATCH: usize = 1024;
/// Verified hashes that are remembered at least: far more than a pipeline of blocks holds.
const VERIFIED: usize = 64 * 1024;
/// Own transactions that are remembered for announcing them again.
const ANNOUNCED: usize = 16 * 1024;

/// Where a transaction came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a client of this node: to be told to the others.
    Local,
    /// From another node, which tells the others itself.
    Peer,
}

/// Why a transaction is not taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    #[error(transparent)]
    Refused(#[from] RejectReason),
    #[error("node is overloaded, retry")]
    Overloaded,
    #[error("the node is shutting down")]
    Closed,
}

/// What to make of a batch that a peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerVerdict {
    /// Some of it was new and good: worth passing on.
    Accept,
    /// Nothing in it was of use, and nobody is to blame.
    Ignore,
    /// No correct peer sends it.
    Reject,
}

impl PeerVerdict {
    /// The verdict on a batch by the results for its transactions.
    pub fn of(results: &[Result<Digest, SubmitError>]) -> Self {
        let malformed = |result: &Result<_, SubmitError>| {
            matches!(result, Err(SubmitError::Refused(RejectReason::Malformed(_))))
        };
        if results.iter().any(malformed) {
            Self::Reject
        } else if results.iter().any(Result::is_ok) {
            Self::Accept
        } else {
            Self::Ignore
        }
    }
}

/// What the pool tells the rest of the node.
pub struct PoolHooks {
    /// Called, from any thread, after transactions came in: the consensus thread has work. Must
    /// not block.
    pub wake: Box<dyn Fn() + Send + Sync>,
    /// New transactions of this node's clients, for gossip. What does not fit is announced later.
    pub gossip: mpsc::Sender<Vec<Arc<VerifiedTransaction>>>,
}

impl std::fmt::Debug for PoolHooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PoolHooks").finish_non_exhaustive()
    }
}

/// Waiting transactions. Cheap to clone; the verifying thread ends with the last clone.
#[derive(Clone, Debug)]
pub struct TransactionPool(Arc<Handle>);

/// Closes the queue when the last clone goes, which ends the thread.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    /// Cancelled when the thread ends, however it does.
    ended: CancellationToken,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

struct Shared {
    queue: Queue,
    mempool: Mutex<Mempool>,
    verified: Mutex<VerifiedHashes>,
    /// Own transactions in the order of their arrival, until they are final or forgotten.
    own: Mutex<VecDeque<Digest>>,
    verifier: Arc<dyn Verifier>,
    hooks: PoolHooks,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("waiting", &self.queue.len()).finish_non_exhaustive()
    }
}

/// Locks without minding a panic elsewhere: every change under these locks is complete in itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TransactionPool {
    /// An empty pool on the final state at `height`, with its verifying thread.
    ///
    /// # Errors
    /// Where the thread cannot be started.
    pub fn start(
        chain_id: Digest,
        limits: MempoolLimits,
        state: State,
        height: Height,
        verifier: Arc<dyn Verifier>,
        hooks: PoolHooks,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Queue::default(),
            mempool: Mutex::new(Mempool::new(chain_id, limits, state, height)),
            verified: Mutex::new(VerifiedHashes::new(VERIFIED)),
            own: Mutex::new(VecDeque::new()),
            verifier,
            hooks,
        });
        let ended = CancellationToken::new();
        let worker = Worker::new(Arc::clone(&shared), ended.clone());
        std::thread::Builder::new().name("tx-verify".into()).spawn(move || worker.run())?;
        Ok(Self(Arc::new(Handle { shared, ended })))
    }

    fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// Waits until the thread that verifies ends: while there is a pool, only ever by a panic.
    pub async fn failed(&self) {
        self.0.ended.cancelled().await;
    }

    /// Takes a client's transaction in: checked, verified, waiting for a block.
    ///
    /// # Errors
    /// [`SubmitError`] with the reason.
    pub async fn submit(&self, transaction: HashedTransaction) -> Result<Digest, SubmitError> {
        let verdicts = self.submit_many(vec![transaction], Origin::Local).await;
        verdicts.into_iter().next().unwrap_or(Err(SubmitError::Closed))
    }

    /// Takes many transactions in; each verdict in its transaction's place.
    pub async fn submit_many(
        &self,
        transactions: Vec<HashedTransaction>,
        origin: Origin,
    ) -> Vec<Result<Digest, SubmitError>> {
        let (tickets, verdicts) = verdicts::open(transactions.len());
        self.enqueue(transactions, tickets, origin);
        verdicts.await.expect("a group tells its verdicts when the last ticket is gone")
    }

    /// The cheap checks, and places in the queue for what passes: all before the first is verified, so
    /// they are verified together.
    fn enqueue(&self, transactions: Vec<HashedTransaction>, tickets: Vec<Ticket>, origin: Origin) {
        let mut worth = Vec::with_capacity(transactions.len());
        let mempool = lock(&self.shared().mempool);
        for (transaction, ticket) in transactions.into_iter().zip(tickets) {
            match mempool.precheck(&transaction) {
                Ok(()) => worth.push(Waiting { transaction, origin, ticket }),
                Err(reason) => ticket.give(Err(reason.into())),
            }
        }
        drop(mempool);
        self.shared().queue.push(worth);
    }

    /// Whether a transaction waits for a block.
    pub fn is_pending(&self, hash: &Digest) -> bool {
        lock(&self.shared().mempool).contains(hash)
    }

    /// A waiting transaction.
    pub fn get(&self, hash: &Digest) -> Option<Arc<VerifiedTransaction>> {
        lock(&self.shared().mempool).get(hash).cloned()
    }

    /// The nonce for the sender's next transaction, behind what waits.
    pub fn next_nonce(&self, sender: &Address) -> u64 {
        lock(&self.shared().mempool).next_nonce(sender)
    }

    /// How many transactions wait for a block, and their bytes.
    pub fn size(&self) -> (usize, usize) {
        let mempool = lock(&self.shared().mempool);
        (mempool.len(), mempool.bytes())
    }

    /// How many transactions wait for their signature to be checked.
    pub fn queued(&self) -> usize {
        self.shared().queue.len()
    }

    /// Own transactions that still wait, oldest first, at most `max`: peers may have missed them.
    /// They move to the end of the line.
    pub fn announce_again(&self, max: usize) -> Vec<Arc<VerifiedTransaction>> {
        let mut own = lock(&self.shared().own);
        let mempool = lock(&self.shared().mempool);
        own.retain(|hash| mempool.contains(hash));
        let count = own.len().min(max);
        let again = own.iter().take(count).filter_map(|hash| mempool.get(hash).cloned()).collect();
        own.rotate_left(count);
        again
    }

    /// Whether a transaction's signature was checked here.
    pub(crate) fn is_verified(&self, hash: &Digest) -> bool {
        lock(&self.shared().verified).contains(hash) || self.is_pending(hash)
    }

    /// Remembers transactions of a valid block that were not [verified](Self::is_verified) before: their
    /// signatures were checked with it.
    pub(crate) fn mark_verified(&self, hashes: &[Digest]) {
        let mut verified = lock(&self.shared().verified);
        hashes.iter().for_each(|hash| verified.insert(*hash));
    }

    /// What a block on top of `state` should try, at most `max`.
    pub(crate) fn candidates(&self, state: &State, max: usize) -> Vec<Arc<VerifiedTransaction>> {
        lock(&self.shared().mempool).candidates(state, max)
    }

    /// A transaction that would execute on the final state and waits longest.
    pub(crate) fn oldest_executable(&self) -> Option<Digest> {
        lock(&self.shared().mempool).oldest_executable()
    }

    /// How many transactions would execute on the final state, one after the other.
    pub(crate) fn executable_count(&self) -> usize {
        lock(&self.shared().mempool).executable_count()
    }

    /// Follows the chain: `state` is that after the last of `blocks`, which is at `height`.
    pub(crate) fn advance(&self, state: &State, height: Height, blocks: &[FinalBlock]) {
        let changes = blocks.iter().flat_map(|block| &block.executed.changes);
        lock(&self.shared().mempool).advance(state.clone(), height, changes);
    }
}

#[cfg(test)]
mod tests;
