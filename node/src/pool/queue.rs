//! What waits for its signature to be checked: bounded, taken in batches.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use chain::transaction::SignedTransaction;
use chain::types::Digest;
use tokio::sync::oneshot;

use super::{Origin, SubmitError};

/// A transaction on its way into the pool.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) transaction: SignedTransaction,
    pub(super) bytes: usize,
    pub(super) origin: Origin,
    /// Told the verdict.
    pub(super) reply: oneshot::Sender<Result<Digest, SubmitError>>,
}

/// Most transactions that wait.
const MAX_TRANSACTIONS: usize = 32 * 1024;
/// Most bytes of transactions that wait.
const MAX_BYTES: usize = 64 * 1024 * 1024;

#[derive(Debug, Default)]
struct Contents {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    closed: bool,
}

/// Filled by any thread, emptied by the one that verifies.
///
/// Invariants: at most [`MAX_TRANSACTIONS`] and [`MAX_BYTES`] wait; `bytes` is their sum.
#[derive(Debug, Default)]
pub(super) struct Queue {
    contents: Mutex<Contents>,
    filled: Condvar,
}

impl Queue {
    /// Adds a transaction.
    ///
    /// # Errors
    /// [`SubmitError::Overloaded`] where it finds no room, [`SubmitError::Closed`] for ever.
    pub(super) fn push(&self, item: Waiting) -> Result<(), SubmitError> {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        if contents.closed {
            return Err(SubmitError::Closed);
        }
        if contents.waiting.len() >= MAX_TRANSACTIONS || contents.bytes + item.bytes > MAX_BYTES {
            return Err(SubmitError::Overloaded);
        }
        contents.bytes += item.bytes;
        contents.waiting.push_back(item);
        drop(contents);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits until there is something, then takes what is there, at most `max`. `None` once the
    /// queue is closed.
    pub(super) fn take(&self, max: usize) -> Option<Vec<Waiting>> {
        let contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let mut contents = self
            .filled
            .wait_while(contents, |contents| contents.waiting.is_empty() && !contents.closed)
            .unwrap_or_else(PoisonError::into_inner);
        if contents.closed {
            return None;
        }
        let count = contents.waiting.len().min(max);
        let taken: Vec<Waiting> = contents.waiting.drain(..count).collect();
        contents.bytes -= taken.iter().map(|item| item.bytes).sum::<usize>();
        Some(taken)
    }

    /// Lets the verifying thread go and refuses everything from now on.
    pub(super) fn close(&self) {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        contents.closed = true;
        contents.waiting.clear();
        contents.bytes = 0;
        drop(contents);
        self.filled.notify_all();
    }

    /// How many transactions wait.
    pub(super) fn len(&self) -> usize {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner).waiting.len()
    }
}
