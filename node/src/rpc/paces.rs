//! How fast clients may call. Who calls faster is neither refused nor read from: it waits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use node_api::limits::MAX_BATCH;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::places::client_of;
use crate::bucket::Bucket;
use crate::metrics::RpcMetrics;

/// Clients without a connection that are remembered, until they may call as much as ever.
const MAX_REMEMBERED: usize = 4096;

/// The paces of all clients; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Paces {
    calls_per_second: u32,
    metrics: RpcMetrics,
    by_client: Arc<std::sync::Mutex<HashMap<IpAddr, Pace>>>,
}

/// The pace of one client over all its connections; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    // Whoever waits for it holds it; the others stand in line, and leave it if they are dropped.
    bucket: Arc<Mutex<Bucket>>,
    metrics: RpcMetrics,
}

impl Paces {
    pub(super) fn new(calls_per_second: u32, metrics: RpcMetrics) -> Self {
        Self { calls_per_second, metrics, by_client: Arc::default() }
    }

    /// The pace of whoever has this address.
    pub(super) fn of(&self, address: IpAddr) -> Pace {
        let client = client_of(address);
        // Every change under the lock is complete, whatever panicked elsewhere.
        let mut all = self.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pace) = all.get(&client) {
            return pace.clone();
        }
        let full = all.len() >= MAX_REMEMBERED;
        all.retain(|_, pace| pace.is_in_use() || !(full || pace.is_rested()));
        let pace = Pace::new(self.calls_per_second, self.metrics.clone());
        all.insert(client, pace.clone());
        pace
    }
}

impl Pace {
    /// So many calls a second, and as many at once; a batch always.
    pub(super) fn new(calls_per_second: u32, metrics: RpcMetrics) -> Self {
        let burst = calls_per_second.max(MAX_BATCH);
        let now = Instant::now().into_std();
        let bucket = Bucket::new(calls_per_second.into(), burst.into(), now);
        Self { bucket: Arc::new(Mutex::new(bucket)), metrics }
    }

    /// Waits until the client may make so many calls, [`MAX_BATCH`] at most.
    pub(super) async fn wait_for(&self, calls: usize) {
        let calls = calls as f64;
        let mut bucket = self.bucket.lock().await;
        while !bucket.take(calls, Instant::now().into_std()) {
            self.metrics.call_delayed();
            let wait = bucket.time_until(calls, Instant::now().into_std());
            tokio::time::sleep(wait).await;
        }
    }

    /// Whether a connection has it.
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.bucket) > 1
    }

    fn is_rested(&self) -> bool {
        self.bucket.try_lock().is_ok_and(|mut bucket| bucket.is_full(Instant::now().into_std()))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;
    use crate::metrics::Metrics;

    fn ip(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    fn paces(calls_per_second: u32) -> Paces {
        Paces::new(calls_per_second, Metrics::default().rpc())
    }

    #[tokio::test(start_paused = true)]
    async fn who_calls_faster_waits_whatever_connection_it_takes_and_nobody_else() {
        let paces = paces(100);
        let start = Instant::now();
        for _ in 0..100 {
            paces.of(ip(1)).wait_for(1).await;
        }
        assert!(start.elapsed().is_zero(), "a second's worth at once");
        for _ in 0..20 {
            paces.of(ip(1)).wait_for(10).await;
        }
        let took = start.elapsed();
        assert!((2000..2100).contains(&took.as_millis()), "{took:?}");

        let other = paces.of(ip(2));
        tokio::time::timeout(Duration::ZERO, other.wait_for(100)).await.expect("its own pace");
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_up_while_it_waits_takes_nothing() {
        let pace = paces(10).of(ip(1));
        pace.wait_for(10).await;
        for _ in 0..1000 {
            let patience = Duration::from_nanos(1);
            assert!(tokio::time::timeout(patience, pace.wait_for(10)).await.is_err());
        }
        let start = Instant::now();
        pace.wait_for(1).await;
        assert!(start.elapsed() <= Duration::from_millis(101), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn who_left_is_remembered_until_it_is_rested_and_never_too_many() {
        let paces = paces(10);
        let known = || paces.by_client.lock().unwrap().len();
        let here = paces.of(ip(0));
        paces.of(ip(1)).wait_for(5).await;
        drop(paces.of(ip(2)));
        drop(paces.of(ip(3)));
        assert_eq!(known(), 3, "the second used nothing");
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(paces.of(ip(4)));
        assert_eq!(known(), 2);

        for number in 5..2 * MAX_REMEMBERED as u32 {
            paces.of(ip(number)).wait_for(1).await;
        }
        assert!((2..=MAX_REMEMBERED).contains(&known()), "{}", known());
        assert!(Arc::ptr_eq(&paces.of(ip(0)).bucket, &here.bucket), "who is there keeps its pace");
    }
}
