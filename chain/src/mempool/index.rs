//! Where each waiting transaction is.

use std::collections::BTreeMap;

use super::queue::{QueueId, Waiting};
use crate::mempool::VerifiedTransaction;
use crate::types::{Digest, Height};

/// A queue and the nonce in it.
pub(super) type Place = (QueueId, u64);

/// The transactions of all queues, by hash and by expiry.
///
/// Invariants: both maps name the same transactions; `bytes` is the sum of their encoded lengths.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    by_hash: BTreeMap<Digest, Place>,
    /// Of those that expire at one height, the first that arrived comes first: what arrives or is
    /// executed together stands together.
    by_expiry: BTreeMap<(Height, u64), Place>,
    bytes: usize,
}

impl Index {
    /// How many transactions wait.
    pub(super) fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// How many bytes wait, as encoded.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn place(&self, hash: &Digest) -> Option<Place> {
        self.by_hash.get(hash).copied()
    }

    pub(super) fn contains(&self, hash: &Digest) -> bool {
        self.by_hash.contains_key(hash)
    }

    /// The transaction that expires first, and when.
    pub(super) fn first_to_expire(&self) -> Option<(Height, Place)> {
        self.by_expiry.first_key_value().map(|((expiry, _), place)| (*expiry, *place))
    }

    pub(super) fn add(&mut self, queue: QueueId, waiting: &Waiting) {
        let transaction = &waiting.transaction;
        let place = (queue, waiting.nonce);
        self.by_hash.insert(transaction.hash(), place);
        self.by_expiry.insert((expiry(transaction), waiting.arrival), place);
        self.bytes += transaction.encoded_len();
    }

    pub(super) fn forget(&mut self, waiting: &Waiting) {
        let transaction = &waiting.transaction;
        self.by_hash.remove(&transaction.hash());
        self.by_expiry.remove(&(expiry(transaction), waiting.arrival));
        self.bytes -= transaction.encoded_len();
    }
}

fn expiry(transaction: &VerifiedTransaction) -> Height {
    transaction.transaction().payload.expiry
}
