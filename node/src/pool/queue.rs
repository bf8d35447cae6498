//! What waits for its signature to be checked: bounded for each origin, taken in batches in turn.
//!
//! Whoever floods the node with forged signatures, a client or a peer, fills only the share of its
//! own kind, and at most half of every batch while the other kind waits too.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use chain::mempool::HashedTransaction;

use super::verdicts::Ticket;
use super::{Origin, SubmitError, lock};

/// A transaction on its way into the pool.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) transaction: HashedTransaction,
    pub(super) origin: Origin,
    pub(super) ticket: Ticket,
}

/// Most transactions of one origin that wait.
const MAX_TRANSACTIONS: usize = 32 * 1024;
/// Most bytes of transactions of one origin that wait.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// What waits of one origin.
///
/// Invariants: at most [`MAX_TRANSACTIONS`] and [`MAX_BYTES`] wait; `bytes` is their sum.
#[derive(Debug, Default)]
struct Share {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

impl Share {
    fn push(&mut self, item: Waiting) {
        let bytes = item.transaction.encoded_len();
        if self.waiting.len() >= MAX_TRANSACTIONS || self.bytes + bytes > MAX_BYTES {
            return item.ticket.give(Err(SubmitError::Overloaded));
        }
        self.bytes += bytes;
        self.waiting.push_back(item);
    }

    fn take(&mut self, count: usize) -> impl Iterator<Item = Waiting> {
        let taken = self.waiting.drain(..count.min(self.waiting.len()));
        let bytes = &mut self.bytes;
        taken.inspect(|item| *bytes -= item.transaction.encoded_len())
    }
}

#[derive(Debug, Default)]
struct Contents {
    local: Share,
    peers: Share,
    closed: bool,
}

impl Contents {
    fn share(&mut self, origin: Origin) -> &mut Share {
        match origin {
            Origin::Local => &mut self.local,
            Origin::Peer => &mut self.peers,
        }
    }

    fn len(&self) -> usize {
        self.local.waiting.len() + self.peers.waiting.len()
    }
}

/// Filled by any thread, emptied by the one that verifies.
#[derive(Debug, Default)]
pub(super) struct Queue {
    contents: Mutex<Contents>,
    filled: Condvar,
}

impl Queue {
    /// Adds transactions. For those that the share of their origin has no room for the verdict is
    /// [`SubmitError::Overloaded`]; once the queue is closed, [`SubmitError::Closed`] for all.
    pub(super) fn push(&self, items: Vec<Waiting>) {
        let mut contents = lock(&self.contents);
        if contents.closed || items.is_empty() {
            return;
        }
        items.into_iter().for_each(|item| contents.share(item.origin).push(item));
        drop(contents);
        self.filled.notify_one();
    }

    /// Waits until there is something, then takes what is there, at most `max`, as evenly of both
    /// origins as there is. `None` once the queue is closed.
    pub(super) fn take(&self, max: usize) -> Option<Vec<Waiting>> {
        let contents = lock(&self.contents);
        let mut contents = self
            .filled
            .wait_while(contents, |contents| contents.len() == 0 && !contents.closed)
            .unwrap_or_else(PoisonError::into_inner);
        if contents.closed {
            return None;
        }
        let Contents { local, peers, .. } = &mut *contents;
        let of_peers =
            peers.waiting.len().min(max.saturating_sub(local.waiting.len()).max(max / 2));
        let mut taken: Vec<Waiting> = peers.take(of_peers).collect();
        taken.extend(local.take(max - of_peers));
        Some(taken)
    }

    /// Lets the verifying thread go and refuses everything from now on.
    pub(super) fn close(&self) {
        let mut contents = lock(&self.contents);
        contents.closed = true;
        (contents.local, contents.peers) = Default::default();
        drop(contents);
        self.filled.notify_all();
    }

    /// How many transactions wait.
    pub(super) fn len(&self) -> usize {
        lock(&self.contents).len()
    }
}

#[cfg(test)]
mod tests {
    use chain::crypto::Keypair;
    use chain::transaction::{Body, Payload};
    use chain::types::{Digest, Height};

    use super::super::verdicts;
    use super::*;

    /// With a value of so many bytes.
    fn item(origin: Origin, bytes: usize) -> Waiting {
        let key = Keypair::from_seed(&[1; 32]);
        let body = Body::Put { key: vec![1], value: vec![0; bytes] };
        let (chain_id, expiry) = (Digest::ZERO, Height::new(9));
        let payload =
            Payload { chain_id, account: None, sender: key.public(), nonce: 0, expiry, body };
        let transaction = HashedTransaction::new(payload.sign(&key));
        let ticket = verdicts::open(1).0.remove(0);
        Waiting { transaction, origin, ticket }
    }

    fn counts(taken: &[Waiting]) -> (usize, usize) {
        let local = taken.iter().filter(|item| item.origin == Origin::Local).count();
        (local, taken.len() - local)
    }

    #[test]
    fn a_flood_of_one_origin_leaves_the_other_its_share() {
        for (flood, other) in [(Origin::Local, Origin::Peer), (Origin::Peer, Origin::Local)] {
            let queue = Queue::default();
            let large = MAX_BYTES / 4 - item(flood, 0).transaction.encoded_len();
            for _ in 0..4 {
                queue.push(vec![item(flood, large)]);
            }
            let (tickets, mut verdicts) = verdicts::open(1);
            for ticket in tickets {
                queue.push(vec![Waiting { ticket, ..item(flood, 1) }]);
            }
            assert_eq!(verdicts.try_recv().unwrap(), [Err(SubmitError::Overloaded)]);
            assert_eq!(queue.len(), 4, "the share is full");
            queue.push(vec![item(other, 1), item(other, 1)]);
            // The few are in the next batch, however long the flood waits already.
            let taken = queue.take(4).unwrap();
            assert_eq!(counts(&taken), (2, 2));
            queue.push(vec![item(flood, large)]);
            assert_eq!((queue.take(4).unwrap().len(), queue.len()), (3, 0));
        }
    }

    #[test]
    fn a_batch_is_full_whoever_waits() {
        let queue = Queue::default();
        let push = |origin, count| queue.push((0..count).map(|_| item(origin, 1)).collect());
        push(Origin::Local, 7);
        push(Origin::Peer, 1);
        assert_eq!(counts(&queue.take(6).unwrap()), (5, 1));
        push(Origin::Peer, 9);
        assert_eq!(counts(&queue.take(6).unwrap()), (2, 4));
        assert_eq!(counts(&queue.take(6).unwrap()), (0, 5));
        push(Origin::Local, 1);
        queue.close();
        push(Origin::Local, 1);
        assert!(queue.take(6).is_none() && queue.len() == 0);
    }
}
