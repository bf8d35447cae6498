//! What a node answers at most, and takes at most, per call.

use std::time::Duration;

/// Largest request body and WebSocket message, in bytes.
pub const MAX_REQUEST_BYTES: u32 = 1024 * 1024;
/// Largest response, in bytes: a full block with every transaction in JSON form fits.
pub const MAX_RESPONSE_BYTES: u32 = 32 * 1024 * 1024;
/// Most calls in one JSON-RPC batch.
pub const MAX_BATCH: u32 = 10;
/// Most subscriptions of one connection.
pub const MAX_SUBSCRIPTIONS: u32 = 8;
/// Most transactions in one `tx_submit_batch`.
pub const MAX_SUBMIT_BATCH: usize = 1024;
/// Most entries in one `kv_scan` answer.
pub const MAX_SCAN: u32 = 256;
/// Entries in one `kv_scan` answer where the caller names no limit.
pub const DEFAULT_SCAN: u32 = 64;
/// Most entries in one `chain_evidence` answer.
pub const MAX_EVIDENCE: u32 = 256;
/// Most proposals in one `governance_proposals` answer.
pub const MAX_PROPOSALS: usize = 256;
/// Longest time that a linearizable read waits for a quorum of the validators.
pub const READ_PATIENCE: Duration = Duration::from_secs(10);
/// Longest time that `tx_status` waits.
pub const MAX_WAIT: Duration = Duration::from_secs(60);
/// How long `tx_status` waits where the caller names no time.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(10);
