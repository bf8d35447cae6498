//! Who waits for what transaction: woken when its block reaches a status, by nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chain::types::Digest;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Everybody who waits. As many entries as there are calls that wait, which the caller bounds.
#[derive(Debug, Default)]
pub(super) struct Waiters(Mutex<HashMap<Digest, Entry>>);

/// Those who wait for one transaction. Invariant: somebody does.
#[derive(Debug, Default)]
struct Entry {
    wake: Arc<Notify>,
    waiting: usize,
}

/// Somebody who waits; no longer when dropped.
#[derive(Debug)]
pub(super) struct Waiter<'a> {
    waiters: &'a Waiters,
    hash: Digest,
    wake: Arc<Notify>,
}

impl Waiters {
    pub(super) fn enter(&self, hash: Digest) -> Waiter<'_> {
        let mut entries = self.entries();
        let entry = entries.entry(hash).or_default();
        entry.waiting += 1;
        Waiter { waiters: self, hash, wake: Arc::clone(&entry.wake) }
    }

    /// Wakes everybody who waits for one of these.
    pub(super) fn wake(&self, hashes: &[Digest]) {
        let entries = self.entries();
        if entries.is_empty() {
            return;
        }
        for entry in hashes.iter().filter_map(|hash| entries.get(hash)) {
            entry.wake.notify_waiters();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries().len()
    }

    // Every change under the lock is complete, whatever panicked elsewhere.
    fn entries(&self) -> MutexGuard<'_, HashMap<Digest, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter<'_> {
    /// Ends with the next wake-up after this call, polled before or not.
    pub(super) fn woken(&self) -> Notified<'_> {
        self.wake.notified()
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut entries = self.waiters.entries();
        if let Some(entry) = entries.get_mut(&self.hash) {
            entry.waiting -= 1;
            if entry.waiting == 0 {
                entries.remove(&self.hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn who_waits_is_woken_by_its_own_transaction_alone_and_forgotten_when_gone() {
        let [a, b] = [1, 2].map(|byte| Digest([byte; 32]));
        let waiters = Waiters::default();
        let (first, second, other) = (waiters.enter(a), waiters.enter(a), waiters.enter(b));
        let woken = [&first, &second, &other].map(Waiter::woken);
        waiters.wake(&[Digest::ZERO, a]);
        assert_eq!(woken.map(|woken| woken.now_or_never().is_some()), [true, true, false]);
        assert!(first.woken().now_or_never().is_none(), "only what comes from now on");

        assert_eq!(waiters.len(), 2);
        drop(first);
        assert_eq!(waiters.len(), 2);
        drop((second, other));
        assert_eq!(waiters.len(), 0);
    }
}
