//! Memory for answers: reserved before a call runs, held until its answer is written.
//!
//! A client that asks for much and reads slowly therefore costs others time, never the node its
//! memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory for all answers together, in KiB.
const TOTAL_KIB: u32 = 128 * 1024;
/// Longest wait for memory.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest answer of each method, in KiB; what is not listed is small.
const RESERVATIONS: [(&str, u32); 9] = [
    ("chain_block", node_api::limits::MAX_RESPONSE_BYTES / 1024),
    ("chain_evidence", 2 * 1024),
    ("kv_scan", 2 * 1024),
    ("kv_get", 192),
    ("kv_namespace", 16),
    ("tx_submit_batch", 512),
    ("chain_validators", 128),
    ("rpc_discover", 128),
    ("consensus_state", 64),
];
const SMALL_KIB: u32 = 4;

/// Hands out the memory.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<Semaphore>);

/// Memory reserved for one answer.
#[derive(Debug)]
pub(super) struct Reserved(OwnedSemaphorePermit);

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(TOTAL_KIB as usize)))
    }
}

impl Budget {
    /// Reserves what a method's largest answer takes; `None` where there is no memory in time.
    pub(super) async fn reserve(&self, method: &str) -> Option<Reserved> {
        let kib = RESERVATIONS
            .iter()
            .find(|(name, _)| *name == method)
            .map_or(SMALL_KIB, |(_, kib)| *kib);
        let permit = Arc::clone(&self.0).acquire_many_owned(kib);
        tokio::time::timeout(PATIENCE, permit).await.ok()?.ok().map(Reserved)
    }

    #[cfg(test)]
    pub(super) fn free_kib(&self) -> usize {
        self.0.available_permits()
    }
}

impl Reserved {
    /// Gives back what an answer of this length does not need.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let needed = bytes.div_ceil(1024);
        let spare = self.0.num_permits().saturating_sub(needed);
        drop(self.0.split(spare));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_an_answer_does_not_need_is_given_back_at_once() {
        let budget = Budget::default();
        let all = budget.free_kib();
        let mut block = budget.reserve("chain_block").await.unwrap();
        assert_eq!(budget.free_kib(), all - 32 * 1024);
        block.shrink_to(1500);
        assert_eq!(budget.free_kib(), all - 2);
        drop(block);
        assert_eq!(budget.free_kib(), all);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_readers_exhaust_the_budget_and_nothing_more() {
        let budget = Budget::default();
        let mut held = Vec::new();
        while let Some(reserved) = budget.reserve("chain_block").await {
            held.push(reserved);
        }
        assert_eq!(held.len(), 4);
        held.pop();
        assert!(budget.reserve("chain_status").await.is_some());
    }
}
