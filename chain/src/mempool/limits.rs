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
    /// How far an expiry may be above the last final height.
    pub lifetime: u64,
}

impl MempoolLimits {
    /// The lifetime of every node's pool: some minutes of the fastest chain, hours of a calm one.
    /// What never executes is gone by then.
    pub const LIFETIME: u64 = 100_000;
}

impl Default for MempoolLimits {
    fn default() -> Self {
        Self {
            transactions: 32 * 1024,
            bytes: 64 * 1024 * 1024,
            per_sender: 512,
            nonce_gap: 512,
            lifetime: Self::LIFETIME,
        }
    }
}
