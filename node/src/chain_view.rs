//! The chain as RPC, metrics and subscribers see it: read-only, from any thread.
//!
//! Async functions read the store, where they have to, on threads that may block; the others are
//! quick unless they return a [`StoreError`].

mod ordered;
mod waiters;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chain::block::{Header, SealedBlock};
use chain::finality::FinalityProof;
use chain::ledger::Executed;
use chain::light::Lineage;
use chain::receipt::Receipt;
use chain::state::State;
use chain::types::{Digest, Epoch, Height};
use chain::validator::ValidatorSet;
use consensus::engine::Reason;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::storage::{EvidenceOnChain, ModeChange, Store, StoreError, TxLocation};
use ordered::Ordered;
use waiters::Waiters;

/// Updates that a slow subscriber may fall behind before it misses some. Each may hold a block.
const BACKLOG: usize = 64;
/// Reasons for changes of mode that are remembered, the newest ones.
const REASONS: usize = 1024;
/// Reads of the store on behalf of async tasks at one time; further ones wait in line.
const READS: usize = 4;

/// How sure it is that a block stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlockStatus {
    /// Has a prepare certificate: survives crashes.
    Ordered,
    /// Survives Byzantine validators, for ever.
    Final,
}

/// A block reached a status.
#[derive(Clone, Debug)]
pub struct BlockUpdate {
    pub status: BlockStatus,
    pub block: SealedBlock,
    /// Hashes of its transactions, receipts and changes.
    pub executed: Arc<Executed>,
}

/// The last final block and the state after it.
#[derive(Clone, Debug)]
pub struct Head {
    pub height: Height,
    pub hash: Digest,
    /// `None` on genesis.
    pub header: Option<Header>,
    pub state: State,
}

/// What the chain knows of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxStatus {
    /// In no block, as far as this node knows; it may wait in the pool.
    Unknown,
    /// In a block with a prepare certificate that is not final yet.
    Ordered { height: Height, block: Digest },
    /// In a final block; the receipt tells whether it did what it asked for.
    Final(TxLocation),
}

impl TxStatus {
    /// Whether the transaction's block reached a status.
    pub fn reached(&self, status: BlockStatus) -> bool {
        match self {
            Self::Unknown => false,
            Self::Ordered { .. } => status == BlockStatus::Ordered,
            Self::Final(_) => true,
        }
    }
}

/// Read side of the node. Cheap to clone; all clones show the same chain.
#[derive(Clone)]
pub struct ChainView(Arc<Inner>);

struct Inner {
    store: Store,
    head: RwLock<Arc<Head>>,
    ordered: Mutex<Ordered>,
    /// Why the mode changed, where this process saw it happen.
    reasons: Mutex<BTreeMap<Height, Reason>>,
    waiters: Waiters,
    reads: Arc<Semaphore>,
    updates: broadcast::Sender<BlockUpdate>,
    finals: watch::Sender<Height>,
}

impl std::fmt::Debug for ChainView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head = self.head();
        write!(f, "ChainView(height {}, {:?})", head.height, head.hash)
    }
}

impl ChainView {
    /// The chain in a store; `state` is that after its last final block.
    ///
    /// # Errors
    /// [`StoreError`] where the last block cannot be read.
    pub fn new(store: Store, state: State) -> Result<Self, StoreError> {
        let (height, hash) = store.final_tip();
        let header = match height.get() {
            0 => None,
            _ => store.final_header(height)?,
        };
        Ok(Self(Arc::new(Inner {
            store,
            head: RwLock::new(Arc::new(Head { height, hash, header, state })),
            ordered: Mutex::new(Ordered::default()),
            reasons: Mutex::new(BTreeMap::new()),
            waiters: Waiters::default(),
            reads: Arc::new(Semaphore::new(READS)),
            updates: broadcast::channel(BACKLOG).0,
            finals: watch::channel(height).0,
        })))
    }

    pub fn chain_id(&self) -> Digest {
        self.0.store.chain_id()
    }

    /// Cancelled once nobody holds the store any more.
    pub fn closed(&self) -> CancellationToken {
        self.0.store.closed()
    }

    /// The lowest height whose block is here.
    pub fn lowest(&self) -> Height {
        self.0.store.base()
    }

    /// The last final block and the state after it.
    pub fn head(&self) -> Arc<Head> {
        Arc::clone(&self.0.head.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The highest block with a prepare certificate; the last final one if none is above it.
    pub fn ordered_tip(&self) -> (Height, Digest) {
        let head = self.head();
        self.ordered()
            .tip()
            .filter(|(height, _)| *height > head.height)
            .unwrap_or((head.height, head.hash))
    }

    /// The highest ordered block and the state after it; the final [`head`](Self::head) if none is
    /// above that.
    pub fn ordered_head(&self) -> (Arc<Head>, BlockStatus) {
        let head = self.head();
        // It may have become final meanwhile, which makes it no older.
        match self.ordered().head().filter(|(block, _)| block.header.height > head.height) {
            Some((block, state)) => {
                let (height, header) = (block.header.height, Some(block.header.clone()));
                let ordered = Head { height, hash: block.hash(), header, state };
                (Arc::new(ordered), BlockStatus::Ordered)
            }
            None => (head, BlockStatus::Final),
        }
    }

    /// A final block, or one that was proposed above the last final one.
    ///
    /// # Errors
    /// [`StoreError`] where the store fails.
    pub fn block(&self, hash: &Digest) -> Result<Option<SealedBlock>, StoreError> {
        let executed = self.ordered().block(hash);
        executed.map_or_else(|| self.0.store.block(hash), |block| Ok(Some(block)))
    }

    /// The final block at a height; `None` on genesis and above the final tip.
    ///
    /// # Errors
    /// [`StoreError`] where the store fails.
    pub fn block_at(&self, height: Height) -> Result<Option<SealedBlock>, StoreError> {
        if height.get() == 0 || height > self.0.store.final_tip().0 {
            return Ok(None);
        }
        self.0.store.final_block(height).map(Some)
    }

    /// What each transaction of a final block did.
    ///
    /// # Errors
    /// [`StoreError`] where the store fails.
    pub fn receipts(&self, height: Height) -> Result<Option<Vec<Receipt>>, StoreError> {
        self.0.store.receipts(height)
    }

    /// Proof that the block at a height is final.
    ///
    /// # Errors
    /// [`StoreError`] where the store fails.
    pub fn proof(&self, height: Height) -> Result<Option<FinalityProof>, StoreError> {
        self.0.store.prove(height)
    }

    /// Every change of the validator set from genesis to an epoch; `None` on a chain without proofs.
    ///
    /// # Errors
    /// [`StoreError`] where the store fails.
    pub fn lineage(&self, epoch: Epoch) -> Result<Option<Lineage>, StoreError> {
        self.0.store.lineage(epoch)
    }

    /// What became of a transaction.
    ///
    /// # Errors
    /// [`StoreError`] where the store fails.
    pub async fn transaction(&self, hash: &Digest) -> Result<TxStatus, StoreError> {
        match self.recent_transaction(hash) {
            TxStatus::Unknown => self.stored_transaction(*hash).await,
            known => Ok(known),
        }
    }

    /// Likewise, without a look at the disk: what became final lately is known all the same.
    pub fn recent_transaction(&self, hash: &Digest) -> TxStatus {
        // First the ordered ones: between the two look-ups a block only moves on to final.
        let ordered = self.ordered().transaction(hash);
        match (self.0.store.locate_recent(hash), ordered) {
            (Some(location), _) => TxStatus::Final(location),
            (None, Some((height, block))) => TxStatus::Ordered { height, block },
            (None, None) => TxStatus::Unknown,
        }
    }

    async fn stored_transaction(&self, hash: Digest) -> Result<TxStatus, StoreError> {
        let found = self.read(move |view| view.0.store.locate(&hash)).await?;
        Ok(found.map_or(TxStatus::Unknown, TxStatus::Final))
    }

    /// Waits until a transaction's block reaches a status. Never gives up: the caller limits the
    /// time.
    ///
    /// # Errors
    /// [`StoreError`] where the store fails.
    pub async fn wait(&self, hash: &Digest, status: BlockStatus) -> Result<TxStatus, StoreError> {
        let waiter = self.0.waiters.enter(*hash);
        // Once is enough: whatever becomes final from now on wakes this, and is in memory then.
        let stored = self.stored_transaction(*hash);
        tokio::pin!(stored);
        let mut searched = false;
        loop {
            let woken = waiter.woken();
            let now = self.recent_transaction(hash);
            if now.reached(status) {
                return Ok(now);
            }
            tokio::select! {
                () = woken => {}
                found = &mut stored, if !searched => {
                    searched = true;
                    let found = found?;
                    if found.reached(status) {
                        return Ok(found);
                    }
                }
            }
        }
    }

    /// How many transactions somebody waits for.
    #[cfg(test)]
    pub(crate) fn waited_for(&self) -> usize {
        self.0.waiters.len()
    }

    /// Takes all places of those who read the store, so that nothing is read.
    #[cfg(test)]
    pub(crate) async fn hold_reads(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = Arc::clone(&self.0.reads).acquire_many_owned(READS as u32);
        all.await.expect("nobody closes the semaphore of reads")
    }

    /// Reads on a thread that may block, with few others at the same time.
    pub(crate) async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&Self) -> R + Send + 'static,
    ) -> R {
        let reads = Arc::clone(&self.0.reads);
        let place = reads.acquire_owned().await.expect("nobody closes the semaphore of reads");
        let view = self.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let _place = place;
            read(&view)
        });
        match reading.await {
            Ok(read) => read,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// All evidence in final blocks, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] where the store fails.
    pub fn evidence(&self) -> Result<Vec<EvidenceOnChain>, StoreError> {
        self.0.store.evidence()
    }

    /// The validators of an epoch up to the current one.
    pub fn validators(&self, epoch: Epoch) -> Option<ValidatorSet> {
        self.head().state.validators_of(epoch).cloned()
    }

    /// The newest changes of mode in the final chain, oldest first, at most `limit`. The reason is
    /// what this node saw, or after a restart what the chain shows.
    ///
    /// # Errors
    /// [`StoreError`] where the store fails.
    pub async fn mode_history(&self, limit: usize) -> Result<Vec<ModeChange>, StoreError> {
        let mut changes = self.read(move |view| view.0.store.mode_changes(limit)).await?;
        let reasons = self.0.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        for change in &mut changes {
            if let Some(reason) = reasons.get(&change.height) {
                change.reason = *reason;
            }
        }
        Ok(changes)
    }

    /// Every update from now on. Who is slow misses the oldest and is told so.
    pub fn subscribe(&self) -> broadcast::Receiver<BlockUpdate> {
        self.0.updates.subscribe()
    }

    /// The height of the last final block, as it grows.
    pub fn final_height(&self) -> watch::Receiver<Height> {
        self.0.finals.subscribe()
    }

    /// For [`consensus::engine::Event::Ordered`]: a block, and with it its ancestors, has a
    /// prepare certificate.
    pub fn mark_ordered(&self, block: &Digest) {
        let final_height = self.head().height;
        let new = self.ordered().mark(block, final_height);
        for (block, executed) in new {
            self.tell(BlockUpdate { status: BlockStatus::Ordered, block, executed });
        }
    }

    /// For [`consensus::engine::Event::ModeChanged`].
    pub fn mark_mode_changed(&self, height: Height, reason: Reason) {
        let mut reasons = self.0.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.insert(height, reason);
        while reasons.len() > REASONS {
            reasons.pop_first();
        }
    }

    /// A block was executed, `state` is that after it: it may become ordered.
    pub(crate) fn mark_executed(
        &self,
        block: &SealedBlock,
        executed: &Arc<Executed>,
        state: State,
    ) {
        self.ordered().add(block, executed, state);
    }

    /// Blocks became final; `state` is that after the last of them.
    pub(crate) fn mark_final(&self, blocks: Vec<(SealedBlock, Arc<Executed>)>, state: State) {
        let Some((last, _)) = blocks.last() else {
            return;
        };
        let head = Head {
            height: last.header.height,
            hash: last.hash(),
            header: Some(last.header.clone()),
            state,
        };
        let height = head.height;
        *self.0.head.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(head);
        self.ordered().forget_up_to(height);
        self.0.finals.send_replace(height);
        for (block, executed) in blocks {
            self.tell(BlockUpdate { status: BlockStatus::Final, block, executed });
        }
    }

    fn tell(&self, update: BlockUpdate) {
        self.0.waiters.wake(&update.executed.transactions);
        // Nobody may be listening.
        let _ = self.0.updates.send(update);
    }

    fn ordered(&self) -> std::sync::MutexGuard<'_, Ordered> {
        self.0.ordered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
