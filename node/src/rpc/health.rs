//! Whether the node makes or could make progress.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chain::types::Height;
use serde::{Deserialize, Serialize};

use super::Context;
use crate::chain_view::ChainView;
use crate::pool::TransactionPool;

/// Work that waits this long without any finality is stuck, whatever the view timeout.
const STUCK_MIN: Duration = Duration::from_secs(10);
/// View timeouts without finality, while work waits, that a live network never needs: detecting
/// a dead leader twice over with some room.
const STUCK_TIMEOUTS: u32 = 6;
/// How often the pool is looked at.
const TICK: Duration = Duration::from_millis(500);
/// Blocks behind the newest known final one that are no cause for concern.
pub(super) const CLOSE: u64 = 16;

/// Since when work waits in vain.
#[derive(Clone, Debug)]
pub(super) struct Progress(Arc<Mutex<Moments>>);

#[derive(Debug)]
struct Moments {
    height: Height,
    last_final: Instant,
    /// When there was nothing to do for the last time.
    idle: Instant,
}

/// Body of `GET /health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    pub ok: bool,
    /// Why not, one sentence each.
    pub problems: Vec<String>,
    pub height_final: Height,
    pub validators_reachable: usize,
    pub quorum: usize,
    pub pending: usize,
    pub since_final_ms: u64,
    /// Transactions that could be executed wait, and nothing became final for far too long.
    pub stalled: bool,
    pub synced: bool,
}

impl Progress {
    pub(super) fn new(height: Height) -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(Moments { height, last_final: now, idle: now })))
    }

    /// Follows the chain and the pool for ever.
    pub(super) async fn run(self, view: ChainView, pool: TransactionPool) {
        let mut tick = tokio::time::interval(TICK);
        loop {
            tick.tick().await;
            self.note(view.head().height, pool.executable_count(), Instant::now());
        }
    }

    fn note(&self, height: Height, executable: usize, now: Instant) {
        let mut moments = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if height > moments.height {
            moments.height = height;
            moments.last_final = now;
        }
        if executable == 0 {
            moments.idle = now;
        }
    }

    /// Time since the last finality, and how long work waits since then or since it came.
    fn waits(&self, now: Instant) -> (Duration, Duration) {
        let moments = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since_final = now.saturating_duration_since(moments.last_final);
        (since_final, since_final.min(now.saturating_duration_since(moments.idle)))
    }
}

impl Context {
    pub(super) fn health(&self, progress: &Progress) -> Health {
        let status = self.consensus.status().borrow().clone();
        let head = self.view.head();
        let set = head.state.validators();
        let connected = self.connected();
        let reachable = set
            .members()
            .filter(|(index, validator)| {
                Some(*index) == status.me
                    || connected.contains(&genesis::peer_id::peer_id(&validator.network_key))
            })
            .count();
        let quorum = set.quorums().quorum;
        let (since_final, stuck) = progress.waits(Instant::now());
        let synced = self.is_synced(head.height);
        let mut problems = Vec::new();
        if reachable < quorum {
            problems.push(format!(
                "{reachable} of {} validators are reachable, {quorum} are needed",
                set.len()
            ));
        }
        let stalled = stuck > STUCK_MIN.max(status.timeout * STUCK_TIMEOUTS);
        if stalled {
            problems.push(format!(
                "transactions wait, but no block became final for {} s",
                stuck.as_secs()
            ));
        }
        let progress = self.progress();
        if progress.heard < progress.needed {
            problems.push("too few validators were heard of to know how far the chain is".into());
        } else if !synced {
            problems.push(format!(
                "catching up: at height {} of {}, from {} peers",
                head.height, progress.target, progress.peers
            ));
        }
        Health {
            ok: problems.is_empty(),
            problems,
            height_final: head.height,
            validators_reachable: reachable,
            quorum,
            pending: self.pool.size().0,
            since_final_ms: u64::try_from(since_final.as_millis()).unwrap_or(u64::MAX),
            stalled,
            synced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_not_waiting_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let progress = Progress::new(Height::new(5));
        progress.note(Height::new(5), 0, at(100));
        assert!(progress.waits(at(100)).1 == Duration::ZERO, "nothing to do");
        progress.note(Height::new(5), 3, at(101));
        progress.note(Height::new(5), 3, at(120));
        assert_eq!(progress.waits(at(120)).1, Duration::from_secs(20), "work since 100");
        progress.note(Height::new(6), 3, at(121));
        assert_eq!(progress.waits(at(123)), (Duration::from_secs(2), Duration::from_secs(2)));
    }
}
