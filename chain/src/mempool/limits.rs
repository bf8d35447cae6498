//! How much a pool holds.

/// Bounds of a [`Mempool`](crate::mempool::Mempool).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MempoolLimits {
    /// Most transactions in all.
    pub transactions: usize,
    /// Most bytes of transactions in all, as encoded.
    pub bytes: usize,
    /// Most transactions of one sender.
    pub per_sender: usize,
    /// How far a nonce may be ahead of the account's next one: 1 admits only the next.
    pub nonce_gap: u64,
}

impl Default for MempoolLimits {
    fn default() -> Self {
        Self { transactions: 32 * 1024, bytes: 64 * 1024 * 1024, per_sender: 512, nonce_gap: 512 }
    }
}
