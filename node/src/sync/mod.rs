//! Catching up with the final chain from several peers, some of which may lie, be slow, or have
//! nothing.
//!
//! A node that is no validator follows the chain this way, and one that is far behind comes back by
//! it. Runs of final blocks are asked of several peers at once, each checked by itself: its form at
//! once, its proof by the validator set of its epoch as soon as that is known. In order, as fast as
//! the engine commits them, they go to the engine as final blocks of any other peer do: it checks
//! them again, so a mistake here costs time and no more. On chains whose validators only crash there
//! are no proofs: runs are taken from validators and from the peers of the configuration.
//!
//! ```text
//!  peers ──▶ status ──▶ window of pieces ──▶ questions ──▶ check ──▶ in order ──▶ Inbox
//!    ▲                                                       │
//!    └───────────── banned, rested, asked for more ◀─────────┘
//! ```
//!
//! | what | bound | when reached |
//! | --- | --- | --- |
//! | pieces of 96 heights at one time | 12 | later ones wait |
//! | blocks held | 48 MiB, and what is asked for | only the lowest piece is asked for |
//! | runs of one peer at one time | 1, then up to 3 | others are asked |
//! | peers asked for one piece | 3, each 3 s after the last | |
//! | a run | 10 s | the peer rests for 1 to 30 s |
//! | a lie | none | not asked for 5 minutes, and scored |

mod check;
mod fetch;
mod peers;
mod progress;
mod protocol;
mod serve;
mod snapshot;
mod window;
mod world;

use std::sync::Arc;

use chain::crypto::Verifier;
use chain::snapshot::Checkpoint;
use chain::types::Digest;
use consensus::engine::{Engine, Status};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::chain_view::ChainView;
use crate::network::{Inbox, NetworkHandle, Question};
use crate::snapshot::SnapshotSource;
use crate::storage::Store;

pub use progress::SyncProgress;
pub use snapshot::{BeginError, Beginning};

use fetch::{Fetcher, Rules, WrongChain};
use world::NodeWorld;

/// What was fetched so far, for metrics.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Final blocks that the engine was given.
    pub blocks: Counter,
    /// Bytes of the runs that peers served.
    pub bytes: Counter,
    /// Questions for runs without an answer.
    pub failed: Counter,
    /// Peers that lied.
    pub banned: Counter,
}

/// The chain is not the one of the operator's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the chain has the block {found} at height {}, where the checkpoint names {}: this is another \
     chain than the one the checkpoint was taken from, or the checkpoint is mistyped",
    checkpoint.height, checkpoint.hash
)]
pub struct CheckpointError {
    pub checkpoint: Checkpoint,
    pub found: Digest,
}

/// What catching up works with.
pub struct Parts<E: Engine> {
    pub view: ChainView,
    pub store: Store,
    pub snapshots: SnapshotSource,
    pub network: NetworkHandle,
    pub inbox: Arc<Inbox<E::Message>>,
    pub status: watch::Receiver<Status>,
    pub questions: mpsc::Receiver<Question>,
    pub verifier: Arc<dyn Verifier>,
    pub checkpoint: Option<Checkpoint>,
    pub counters: Counters,
}

impl<E: Engine> std::fmt::Debug for Parts<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("checkpoint", &self.checkpoint).finish_non_exhaustive()
    }
}

/// Running: fetches and serves. Dropping it ends both.
#[derive(Debug)]
pub struct SyncService {
    progress: watch::Receiver<SyncProgress>,
    tasks: JoinSet<Option<CheckpointError>>,
    reads: Arc<Semaphore>,
}

impl SyncService {
    /// Starts to serve and, where this node is behind, to fetch.
    pub fn start<E: Engine>(parts: Parts<E>) -> Self {
        let Parts { view, store, network, inbox, status, questions, .. } = parts;
        let Parts { snapshots, verifier, checkpoint, counters, .. } = parts;
        let chain_id = store.chain_id();
        let rules = Rules { chain_id, fault_model: E::FAULT_MODEL, verifier, checkpoint };
        let (sender, progress) = watch::channel(SyncProgress::unknown());
        let mut tasks = JoinSet::new();
        if let Some(checkpoint) = checkpoint {
            tasks.spawn(watch_checkpoint(checkpoint, view.clone(), status.clone()));
        }
        let engine = status.clone();
        let world = Arc::new(NodeWorld::<E>::new(view, network, inbox, status));
        tasks.spawn(async move {
            let WrongChain { found } = Fetcher::new(world, rules, counters, sender).run().await;
            checkpoint.map(|checkpoint| CheckpointError { checkpoint, found })
        });
        let reads = serve::reads();
        let serving = serve::serve_forever(questions, store, snapshots, engine, Arc::clone(&reads));
        tasks.spawn(async move {
            serving.await;
            None
        });
        Self { progress, tasks, reads }
    }

    /// How far it is.
    pub fn progress(&self) -> watch::Receiver<SyncProgress> {
        self.progress.clone()
    }

    /// Ends both, and waits until nothing reads the store any more.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        serve::close(&self.reads).await;
    }

    /// Waits until the chain turns out to be another one, or a part ends that never should.
    pub async fn failed(&mut self) -> Option<CheckpointError> {
        self.tasks.join_next().await.and_then(Result::ok).flatten()
    }
}

/// Ends once the final chain has another block than the checkpoint, however it came here.
async fn watch_checkpoint(
    checkpoint: Checkpoint,
    view: ChainView,
    mut status: watch::Receiver<Status>,
) -> Option<CheckpointError> {
    let reached = status.wait_for(|status| status.final_height >= checkpoint.height).await.is_ok();
    if reached
        && let Ok(Some(block)) = view.block_at(checkpoint.height)
        && block.hash() != checkpoint.hash
    {
        return Some(CheckpointError { checkpoint, found: block.hash() });
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests;
