//! What the consensus thread says to whom, in sums, for those who watch.
//!
//! Nothing is counted while nobody watches. Sums are by recipient, kind and vote, of which there are
//! few, so what waits to be taken is bounded by the size of the set.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chain::certificate::{Position, VoteKind};
use chain::types::{Height, ValidatorIndex, View};
use consensus::engine::Recipients;
use consensus::message::EngineMessage;

/// Counts what leaves, while somebody watches; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Traffic(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    watching: AtomicUsize,
    sums: Mutex<BTreeMap<Sort, Sum>>,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sort {
    /// The only recipient; `None`: every other validator.
    pub to: Option<ValidatorIndex>,
    pub kind: &'static str,
    /// Of the last vote that it carries.
    pub vote: Option<VoteKind>,
}

/// Messages of one [`Sort`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How often it was said; to everybody counts once.
    pub count: u64,
    /// Length of what was said, for one recipient.
    pub bytes: u64,
    /// What the last one was about.
    pub view: Option<View>,
    pub height: Option<Height>,
}

/// Somebody watches until this is dropped.
#[derive(Debug)]
pub struct Watching(Traffic);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.0.watching.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Traffic {
    fn sums(&self) -> MutexGuard<'_, BTreeMap<Sort, Sum>> {
        self.0.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts from now on, until the guard is dropped.
    pub fn watch(&self) -> Watching {
        self.0.watching.fetch_add(1, Ordering::Relaxed);
        Watching(self.clone())
    }

    pub fn is_watched(&self) -> bool {
        self.0.watching.load(Ordering::Relaxed) > 0
    }

    /// Notes a message of so many bytes.
    pub(super) fn note<M: EngineMessage>(&self, to: Recipients, message: &M, bytes: usize) {
        if !self.is_watched() {
            return;
        }
        let vote = message.votes().last().map(|vote| vote.ballot);
        let to = match to {
            Recipients::One(index) => Some(index),
            Recipients::Others => None,
        };
        let sort = Sort { to, kind: message.kind(), vote: vote.map(|ballot| ballot.kind) };
        let block = message.proposals().last().map(|block| block.header.position());
        let about: Option<Position> = block.or(vote.map(|ballot| ballot.position));
        let mut sums = self.sums();
        let sum = sums.entry(sort).or_default();
        sum.count += 1;
        sum.bytes += bytes as u64;
        if let Some(Position { view, height, .. }) = about {
            (sum.view, sum.height) = (Some(view), Some(height));
        }
    }

    /// Takes what was counted since it was taken last.
    pub fn take(&self) -> BTreeMap<Sort, Sum> {
        std::mem::take(&mut self.sums())
    }
}
