//! Answers what peers ask, from the store.

use std::sync::Arc;

use chain::codec;
use consensus::engine::Status as EngineStatus;
use tokio::sync::{Semaphore, mpsc, watch};

use super::protocol::{Request, Response, Status};
use crate::clock::unix_ms;
use crate::network::Question;
use crate::snapshot::SnapshotSource;
use crate::storage::{Store, StoreError};

/// Questions that read the store at one time: the consensus thread needs it too.
const READS: usize = 2;
/// Bytes of blocks in one answer, about; a single block may have more.
const RUN_BYTES: usize = 1024 * 1024;

/// Lets so many questions read the store at one time.
pub(super) fn reads() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(READS))
}

/// Waits until nothing reads any more, for ever.
pub(super) async fn close(reads: &Semaphore) {
    if let Ok(all) = reads.acquire_many(READS as u32).await {
        all.forget();
    }
}

/// Answers for ever.
pub(super) async fn serve_forever(
    mut questions: mpsc::Receiver<Question>,
    store: Store,
    snapshots: SnapshotSource,
    engine: watch::Receiver<EngineStatus>,
    reads: Arc<Semaphore>,
) {
    while let Some(question) = questions.recv().await {
        let Ok(request) = codec::decode(&question.bytes) else {
            continue;
        };
        let permit = Arc::clone(&reads).acquire_owned().await;
        let permit = permit.expect("nobody closes this semaphore");
        let (store, snapshots) = (store.clone(), snapshots.clone());
        let engine = engine.clone();
        // The answer is on its own; reading ends by itself.
        drop(tokio::task::spawn_blocking(move || {
            let _permit = permit;
            match answer(&store, &snapshots, &engine, request) {
                Ok(response) => question.answer(codec::encode(&response)),
                Err(error) => tracing::error!(%error, "cannot answer a peer"),
            }
        }));
    }
}

fn answer(
    store: &Store,
    snapshots: &SnapshotSource,
    engine: &watch::Receiver<EngineStatus>,
    request: Request,
) -> Result<Response, StoreError> {
    Ok(match request {
        Request::Status => {
            let (height, hash) = store.final_tip();
            let (lowest, offers) = (store.base(), snapshots.offers());
            let EngineStatus { epoch, view, .. } = *engine.borrow();
            let clock_ms = unix_ms();
            Response::Status(Status { height, hash, lowest, offers, epoch, view, clock_ms })
        }
        Request::Finals { from, until } => {
            match store.final_run_until(from, until, RUN_BYTES) {
                // The status of this node says so; who asked had an older one.
                Err(StoreError::Pruned { .. }) => Response::Finals(None),
                run => Response::Finals(run?),
            }
        }
        Request::Manifest(offer) => {
            Response::Manifest(snapshots.manifest(&offer).map(|manifest| manifest.to_vec()))
        }
        Request::Chunk { offer, index } => Response::Chunk(snapshots.chunk(&offer, index as usize)),
    })
}
