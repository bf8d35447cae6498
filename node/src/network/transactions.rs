//! Transactions on their way to everyone: put together into batches when they come fast.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chain::codec::{self, Bounded, CodecError};
use chain::mempool::HashedTransaction;
use chain::transaction::SignedTransaction;
use tokio::sync::Notify;

/// A batch is closed once it has this many bytes.
const BATCH_TARGET_BYTES: usize = 60 * 1024;
/// Largest batch: one short of its target, and one transaction of the largest size.
pub(super) const BATCH_MAX_BYTES: usize =
    COUNT_BYTES + BATCH_TARGET_BYTES + SignedTransaction::MAX_BYTES;
/// Most bytes that wait to be spread. What finds no room is offered again by the pool.
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;
/// How long transactions are collected after a batch left, for each transaction that was in it:
/// a single one after a calm goes at once and delays nobody, a flood makes large batches.
const COLLECT_PER_TRANSACTION: Duration = Duration::from_micros(500);
/// The longest that transactions are collected.
const COLLECT_MAX: Duration = Duration::from_millis(10);

/// Bytes of the length in front of an encoded list.
const COUNT_BYTES: usize = 8;

/// Reads what travels on the topic of transactions: the encoding of a list. Each is hashed as the bytes that
/// came.
///
/// # Errors
/// [`CodecError`] for anything else, and for more than [`BATCH_MAX_BYTES`].
pub(super) fn read_batch(bytes: &[u8]) -> Result<Vec<HashedTransaction>, CodecError> {
    if bytes.len() > BATCH_MAX_BYTES {
        return Err(CodecError::TooLarge { len: bytes.len(), max: BATCH_MAX_BYTES });
    }
    let Some((count, mut rest)) = bytes.split_first_chunk::<COUNT_BYTES>() else {
        return Err(CodecError::Malformed("a list without its length".into()));
    };
    let mut transactions = Vec::new();
    while !rest.is_empty() {
        let (transaction, len) = HashedTransaction::decode_first(rest)?;
        transactions.push(transaction);
        rest = &rest[len..];
    }
    if transactions.len() as u64 == u64::from_le_bytes(*count) {
        Ok(transactions)
    } else {
        Err(CodecError::Malformed("a list of another length".into()))
    }
}

/// Encoded batches that wait to be spread.
///
/// Invariant: `bytes` is the sum of the lengths of `closed` and `open`, at most
/// [`MAX_WAITING_BYTES`].
#[derive(Debug, Default)]
pub(super) struct Batcher {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Encoded batches, with the number of transactions in each.
    closed: VecDeque<(Vec<u8>, u32)>,
    /// The batch being filled: its transactions without the count in front.
    open: Vec<u8>,
    open_count: u32,
    bytes: usize,
}

impl Batcher {
    /// Adds transactions; returns how many found room.
    pub(super) fn add<'a>(
        &self,
        transactions: impl IntoIterator<Item = &'a SignedTransaction>,
    ) -> usize {
        let mut added = 0;
        let mut waiting = self.lock();
        for transaction in transactions {
            if !waiting.add(&codec::encode(transaction)) {
                break;
            }
            added += 1;
        }
        drop(waiting);
        if added > 0 {
            self.arrived.notify_one();
        }
        added
    }

    /// Hands every batch to `publish`: the first transaction after a calm at once, then what was
    /// collected meanwhile, full batches without delay.
    pub(super) async fn run<F: Future<Output = ()>>(&self, publish: impl Fn(Vec<u8>) -> F) {
        loop {
            self.arrived.notified().await;
            while let Some((batch, count)) = self.take() {
                publish(batch).await;
                if !self.has_full_batch() {
                    let collect = COLLECT_PER_TRANSACTION.saturating_mul(count);
                    tokio::time::sleep(collect.min(COLLECT_MAX)).await;
                }
            }
        }
    }

    /// The next batch, as [`read_batch`] reads it, and how many transactions are in it.
    fn take(&self) -> Option<(Vec<u8>, u32)> {
        let mut waiting = self.lock();
        if waiting.closed.is_empty() {
            waiting.close();
        }
        let (batch, count) = waiting.closed.pop_front()?;
        waiting.bytes -= batch.len() - COUNT_BYTES;
        Some((batch, count))
    }

    fn has_full_batch(&self) -> bool {
        !self.lock().closed.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code that holds the lock leaves it half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn add(&mut self, encoded: &[u8]) -> bool {
        if encoded.len() > SignedTransaction::MAX_BYTES
            || self.bytes + encoded.len() > MAX_WAITING_BYTES
        {
            return false;
        }
        self.open.extend_from_slice(encoded);
        self.open_count += 1;
        self.bytes += encoded.len();
        if self.open.len() >= BATCH_TARGET_BYTES {
            self.close();
        }
        true
    }

    fn close(&mut self) {
        if self.open_count > 0 {
            // The canonical encoding of a list: its length, then its members.
            let mut batch = codec::encode(&u64::from(self.open_count));
            batch.append(&mut self.open);
            self.closed.push_back((batch, std::mem::take(&mut self.open_count)));
        }
    }
}

#[cfg(test)]
mod tests;
