//! Execution and the ledger behind the engine: the node's [`Application`].
//!
//! Lives on the consensus thread. The only place where a clock meets a block: the leader stamps
//! what it builds, and whoever executes says how far in the future a block is.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chain::block::SealedBlock;
use chain::evidence::Evidence;
use chain::ledger::{BuildLimits, BuildTask, Ledger, MAX_CLOCK_LEAD_MS};
use chain::state::State;
use chain::types::{Digest, Height};
use consensus::application::{
    Application, BuildKind, BuildRequest, BuiltPayload, Commit, Executed, InvalidBlock,
    StorageError,
};

use crate::assembly::{Chooser, Moment, Watcher};
use crate::chain_view::ChainView;
use crate::clock;
use crate::pool::TransactionPool;
use crate::snapshot::UpkeepHandle;
use crate::storage::{FinalBlock, Store};

/// What execution did so far, for metrics.
#[derive(Debug, Default)]
pub struct ExecutionCounters {
    pub blocks_built: AtomicU64,
    pub blocks_executed: AtomicU64,
    pub blocks_refused: AtomicU64,
    pub blocks_committed: AtomicU64,
    pub transactions_committed: AtomicU64,
    /// Time spent, in nanoseconds.
    pub build_nanos: AtomicU64,
    pub execute_nanos: AtomicU64,
    pub commit_nanos: AtomicU64,
}

fn add(counter: &AtomicU64, number: usize) {
    counter.fetch_add(number as u64, Ordering::Relaxed);
}

/// Adds the time since `start`.
fn add_time(nanos: &AtomicU64, start: Instant) {
    let passed = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    nanos.fetch_add(passed, Ordering::Relaxed);
}

/// The ledger with the pool that feeds it, the store that keeps it and the view that shows it.
pub struct NodeApplication {
    ledger: Ledger,
    store: Store,
    pool: TransactionPool,
    view: ChainView,
    upkeep: UpkeepHandle,
    chooser: Chooser,
    watcher: Watcher,
    counters: Arc<ExecutionCounters>,
    /// Executed blocks above the last committed one: parent and number of transactions.
    above: BTreeMap<Digest, (Digest, usize)>,
    /// The block executed last: what waits is counted from the end of its chain.
    newest: Digest,
}

impl std::fmt::Debug for NodeApplication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeApplication").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

impl NodeApplication {
    /// `ledger`, `store`, `pool` and `view` all stand on the same final block.
    pub fn new(
        ledger: Ledger,
        store: Store,
        pool: TransactionPool,
        view: ChainView,
        upkeep: UpkeepHandle,
        chooser: Chooser,
        watcher: Watcher,
    ) -> Self {
        let newest = ledger.tip().hash;
        let counters = Arc::default();
        let above = BTreeMap::new();
        Self { ledger, store, pool, view, upkeep, chooser, watcher, counters, above, newest }
    }

    /// What execution did so far; goes on counting.
    pub fn counters(&self) -> Arc<ExecutionCounters> {
        Arc::clone(&self.counters)
    }

    /// Transactions in the blocks between the last committed one and the newest executed one.
    fn in_flight(&self) -> usize {
        let mut sum = 0;
        let mut next = self.newest;
        while let Some((parent, transactions)) = self.above.get(&next) {
            sum += transactions;
            next = *parent;
        }
        sum
    }

    /// The state after the last of these blocks that a snapshot is due at.
    fn wanted_state(&self, commits: &[Commit]) -> Option<(Height, State)> {
        let block = commits.iter().rev().map(|commit| &commit.block);
        let block = block.into_iter().find(|block| self.upkeep.wants(block.header.height))?;
        Some((block.header.height, self.ledger.state_at(&block.hash())?.clone()))
    }

    /// Makes the last of these blocks and its ancestors the committed chain of the ledger.
    ///
    /// # Panics
    /// Where they were not executed: the engine commits only what it executed.
    fn commit_to_ledger(&mut self, commits: &[Commit], last: &Commit) -> Vec<FinalBlock> {
        let committed = self
            .ledger
            .commit(&last.block.hash())
            .unwrap_or_else(|error| panic!("commit of {:?}: {error}", last.block));
        assert_eq!(
            committed.iter().map(|item| item.hash).collect::<Vec<_>>(),
            commits.iter().map(|commit| commit.block.hash()).collect::<Vec<_>>(),
            "the engine commits every block from the last committed one on"
        );
        commits
            .iter()
            .zip(committed)
            .map(|(commit, item)| FinalBlock {
                block: commit.block.clone(),
                proof: commit.proof.clone(),
                executed: item.executed,
            })
            .collect()
    }
}

impl Application for NodeApplication {
    fn build(&mut self, request: &BuildRequest) -> BuiltPayload {
        let start = Instant::now();
        let state = self.ledger.state_at(&request.parent);
        let mut limits = state.map_or_else(BuildLimits::default, |state| state.parameters().into());
        limits.transaction_bytes = limits.transaction_bytes.min(request.bytes);
        let mut candidates = match (request.kind, state) {
            (BuildKind::Ordinary, Some(state)) => self.pool.candidates(state, limits.transactions),
            _ => Vec::new(),
        };
        candidates.retain(|candidate| (self.chooser)(candidate.transaction()));
        let task = BuildTask {
            parent: request.parent,
            view: request.view,
            kind: match request.kind {
                BuildKind::Ordinary | BuildKind::Null => chain::ledger::BuildKind::Ordinary,
                BuildKind::Seal => chain::ledger::BuildKind::Seal,
            },
            evidence: match request.kind {
                BuildKind::Ordinary => &request.evidence,
                BuildKind::Null | BuildKind::Seal => &[],
            },
            now_ms: clock::unix_ms(),
        };
        let built = self
            .ledger
            .build(&task, candidates, &limits)
            .unwrap_or_else(|error| panic!("the engine asked for {request:?}: {error}"));
        add(&self.counters.blocks_built, 1);
        add_time(&self.counters.build_nanos, start);
        BuiltPayload {
            kind: built.kind,
            timestamp_ms: built.timestamp_ms,
            transactions: built.transactions,
            transactions_root: built.transactions_root,
            receipts_root: built.receipts_root,
            state_root: built.state_root,
            next_validators_hash: built.next_validators_hash,
        }
    }

    fn execute(&mut self, block: &SealedBlock) -> Result<Executed, InvalidBlock> {
        let start = Instant::now();
        let pool = &self.pool;
        let unknown = RefCell::new(Vec::new());
        let verdict = self.ledger.execute(block, &|hash| {
            let known = pool.is_verified(hash);
            if !known {
                unknown.borrow_mut().push(*hash);
            }
            known
        });
        let next_validators = match verdict {
            Ok(next_validators) => next_validators,
            Err(reason) => {
                add(&self.counters.blocks_refused, 1);
                return Err(InvalidBlock(reason.to_string()));
            }
        };
        add(&self.counters.blocks_executed, 1);
        add_time(&self.counters.execute_nanos, start);
        let hash = block.hash();
        let outcome = self.ledger.executed(&hash).zip(self.ledger.state_at(&hash));
        if let Some((executed, state)) = outcome {
            // Should another view propose them again, they need no second verification.
            self.pool.mark_verified(&unknown.into_inner());
            self.view.mark_executed(block, executed, state.clone());
            self.above.insert(hash, (block.header.parent, executed.transactions.len()));
            self.newest = hash;
        }
        let latest = clock::unix_ms().saturating_add(MAX_CLOCK_LEAD_MS);
        let early = Duration::from_millis(block.header.timestamp_ms.saturating_sub(latest));
        Ok(Executed { next_validators, early })
    }

    fn commit(&mut self, commits: &[Commit]) -> Result<(), StorageError> {
        let Some(last) = commits.last() else {
            return Ok(());
        };
        let start = Instant::now();
        let (before, wanted) = (self.ledger.tip().height, self.wanted_state(commits));
        let blocks = self.commit_to_ledger(commits, last);
        (self.watcher)(Moment::Commit(commits));
        self.store.commit_blocks(&blocks).map_err(|error| error.fatal("committing blocks"))?;
        (self.watcher)(Moment::Committed(commits));
        self.upkeep.committed(before, last.block.header.height, wanted);
        let ledger = &self.ledger;
        self.above.retain(|hash, _| ledger.executed(hash).is_some());
        if ledger.tip_at(&self.newest).is_none() {
            self.newest = ledger.tip().hash;
        }
        let state = ledger.state().clone();
        self.pool.advance(&state, ledger.tip().height, &blocks);
        let transactions: usize = blocks.iter().map(|item| item.executed.transactions.len()).sum();
        let counters = &self.counters;
        add(&counters.blocks_committed, blocks.len());
        add(&counters.transactions_committed, transactions);
        add_time(&counters.commit_nanos, start);
        let blocks = blocks.into_iter().map(|item| (item.block, item.executed)).collect();
        self.view.mark_final(blocks, state);
        Ok(())
    }

    fn oldest_pending(&mut self) -> Option<Digest> {
        self.pool.oldest_executable()
    }

    fn pending_count(&self) -> usize {
        self.pool.executable_count().saturating_sub(self.in_flight())
    }

    fn evidence_counts(&self, evidence: &Evidence) -> bool {
        self.ledger.evidence_counts(evidence)
    }
}
