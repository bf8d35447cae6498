//! What a node does in the background: taking snapshots and deleting old blocks.
//!
//! One thread with a short queue. The consensus thread hands it a state, which costs nothing, and
//! never waits: where the queue is full the snapshot is left out.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use chain::state::State;
use chain::types::Height;
use genesis::config::StorageConfig;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Snapshot, SnapshotSource};
use crate::assembly::{Moment, Watcher};
use crate::storage::{Store, StoreError};

/// Work that may wait. A snapshot that waits holds its state.
const QUEUE: usize = 4;
/// Final blocks between two looks at what may be deleted.
const PRUNE_EVERY: u64 = 256;

/// How often snapshots are taken, and how many blocks stay.
#[derive(Clone, Copy, Debug)]
pub struct UpkeepPolicy {
    /// Final blocks between two snapshots, which stand at multiples of this; 0: none are taken.
    pub snapshot_interval: u64,
    /// Final blocks that stay; 0: all.
    pub retain_blocks: u64,
}

impl From<&StorageConfig> for UpkeepPolicy {
    fn from(config: &StorageConfig) -> Self {
        let StorageConfig { snapshot_interval, retain_blocks, .. } = *config;
        Self { snapshot_interval, retain_blocks }
    }
}

enum Work {
    Snapshot { height: Height, state: State },
    Prune { tip: Height },
    Stop,
}

/// Tells the upkeep what became final. Cheap to clone.
#[derive(Clone)]
pub struct UpkeepHandle {
    policy: UpkeepPolicy,
    work: SyncSender<Work>,
}

impl std::fmt::Debug for UpkeepHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpkeepHandle").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl UpkeepHandle {
    /// A handle without an upkeep: nothing is done.
    #[cfg(test)]
    pub(crate) fn idle() -> Self {
        let policy = UpkeepPolicy { snapshot_interval: 0, retain_blocks: 0 };
        Self { policy, work: sync_channel(1).0 }
    }

    /// Whether the state after the block at this height is wanted.
    pub fn wants(&self, height: Height) -> bool {
        let interval = self.policy.snapshot_interval;
        interval > 0 && height.get().is_multiple_of(interval)
    }

    /// Blocks above `before` up to `tip` are in the store, and what was wanted of them is this.
    pub fn committed(&self, before: Height, tip: Height, wanted: Option<(Height, State)>) {
        if let Some((height, state)) = wanted {
            self.tell(Work::Snapshot { height, state });
        }
        let passed = before.get() / PRUNE_EVERY != tip.get() / PRUNE_EVERY;
        if self.policy.retain_blocks > 0 && passed {
            self.tell(Work::Prune { tip });
        }
    }

    fn tell(&self, work: Work) {
        if self.work.try_send(work).is_err() {
            tracing::debug!("the upkeep is behind: a snapshot or a deletion is left out");
        }
    }
}

/// The running upkeep. Dropping it ends its thread, which holds the store.
#[derive(Debug)]
pub struct Upkeep {
    pub handle: UpkeepHandle,
    pub source: SnapshotSource,
    stop: CancellationToken,
    ended: oneshot::Receiver<()>,
    /// `None` once it is waited for.
    thread: Option<JoinHandle<()>>,
}

impl Upkeep {
    /// Starts with a snapshot of the chain as it is, so that also one that stands still can be
    /// joined.
    ///
    /// # Errors
    /// Where the system starts no thread.
    pub fn start(
        store: Store,
        policy: UpkeepPolicy,
        state: State,
        watcher: Watcher,
    ) -> std::io::Result<Self> {
        let (work, queue) = sync_channel(QUEUE);
        let (source, stop) = (SnapshotSource::default(), CancellationToken::new());
        let (end, ended) = oneshot::channel();
        let worker = Worker { store, policy, source: source.clone(), stop: stop.clone(), watcher };
        let first = (policy.snapshot_interval > 0).then_some(state);
        let thread = std::thread::Builder::new().name("upkeep".into()).spawn(move || {
            if let Err(error) = worker.run(first, &queue) {
                tracing::error!(%error, "the upkeep of the store failed");
            }
            // The node may have stopped waiting.
            let _ = end.send(());
        })?;
        let handle = UpkeepHandle { policy, work };
        Ok(Self { handle, source, stop, ended, thread: Some(thread) })
    }

    /// Waits until the upkeep ends by itself, which it does where the store fails.
    pub async fn failed(&mut self) {
        // A thread that panicked dropped its end: that is an end too.
        let _ = (&mut self.ended).await;
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.stop.cancel();
        // Where the thread is gone already there is nobody to tell.
        let _ = self.handle.work.send(Work::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

struct Worker {
    store: Store,
    policy: UpkeepPolicy,
    source: SnapshotSource,
    stop: CancellationToken,
    watcher: Watcher,
}

impl Worker {
    fn run(&self, first: Option<State>, queue: &Receiver<Work>) -> Result<(), StoreError> {
        let tip = self.store.final_tip().0;
        if let Some(state) = first.filter(|_| tip.get() > 0) {
            self.take(tip, state)?;
        }
        self.prune(tip)?;
        for work in queue {
            match work {
                Work::Snapshot { height, state } => self.take(height, state)?,
                Work::Prune { tip } => self.prune(tip)?,
                Work::Stop => break,
            }
        }
        Ok(())
    }

    fn take(&self, height: Height, state: State) -> Result<(), StoreError> {
        let begun = Instant::now();
        (self.watcher)(Moment::Snapshot(height));
        if let Some(snapshot) = Snapshot::take(&self.store, height, state)? {
            let (chunks, ms) = (snapshot.len(), begun.elapsed().as_millis());
            tracing::info!(%height, chunks, ms, "took a snapshot");
            self.source.add(snapshot);
        }
        (self.watcher)(Moment::SnapshotTaken(height));
        Ok(())
    }

    /// Deletes what is older than is kept, but nothing that a snapshot's user still needs.
    fn prune(&self, tip: Height) -> Result<(), StoreError> {
        let retain = self.policy.retain_blocks;
        if retain == 0 || tip.get() < retain {
            return Ok(());
        }
        let keep = Height::new(tip.get() - retain + 1);
        let needed = self.source.oldest().map_or(keep, Height::next);
        let before = self.store.base();
        let lowest = self.store.prune_below(keep.min(needed), &self.stop)?;
        if lowest > before {
            tracing::debug!(%lowest, "deleted the blocks below");
        }
        Ok(())
    }
}
