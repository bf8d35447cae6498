//! The laboratory: runs of the deterministic simulator, told event by event.
//!
//! The same arguments give the same trace hash as `testnet simulate`. A fork is the same run with one
//! more fault: the two are the same up to where it strikes.

mod options;
mod run;
mod trace;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use tokio::sync::{Semaphore, mpsc};

pub(super) use options::Options;
pub(super) use run::Run;

/// Runs at one time.
const AT_ONCE: usize = 2;
/// Pieces of a trace that wait for the page, of 32 KiB each.
const PIECES: usize = 16;

/// Where runs are made.
#[derive(Clone, Debug)]
pub(super) struct Lab(Arc<Semaphore>);

impl Default for Lab {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// A run that is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no such run, with what to change.
    Invalid(String),
    /// Others are under way.
    Busy,
}

impl Lab {
    /// Makes a run: its events as lines of JSON, as they happen, and a summary at the end.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn run(&self, run: &Run) -> Result<Body, Refused> {
        let prepared = run.prepare().map_err(|error| Refused::Invalid(format!("{error:#}")))?;
        let place = Arc::clone(&self.0).try_acquire_owned().map_err(|_| Refused::Busy)?;
        let (pieces, receiver) = mpsc::channel::<Bytes>(PIECES);
        tokio::task::spawn_blocking(move || {
            let _place = place;
            prepared.make(pieces);
        });
        let stream = futures::stream::unfold(receiver, async |mut receiver| {
            let piece = receiver.recv().await?;
            Some((Ok::<_, std::convert::Infallible>(piece), receiver))
        });
        Ok(Body::from_stream(stream))
    }
}
