//! A client that only wants to know how the chain is, again and again.

use std::time::{Duration, Instant};

use anyhow::Context;
use node_api::ChainApiClient;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cluster::manifest::NodeEntry;
use crate::load::sample::Latencies;
use crate::rpc;

/// Time between two calls.
const PAUSE: Duration = Duration::from_millis(20);
/// A call that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of its calls.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Calls {
    pub calls: u64,
    pub failed: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// Calls until it is told to stop.
pub(super) struct Client {
    stop: watch::Sender<bool>,
    task: JoinHandle<Calls>,
}

impl Client {
    pub(super) fn start(node: &NodeEntry) -> anyhow::Result<Self> {
        let client = rpc::http(node, PATIENCE)?;
        let (stop, told) = watch::channel(false);
        let task = tokio::spawn(async move {
            let mut latencies = Latencies::default();
            let (mut calls, mut failed) = (0, 0);
            while !*told.borrow() {
                let asked = Instant::now();
                calls += 1;
                match ChainApiClient::status(&client).await {
                    Ok(_) => latencies.record(asked.elapsed()),
                    Err(_) => failed += 1,
                }
                tokio::time::sleep(PAUSE).await;
            }
            let percentiles = latencies.percentiles();
            Calls { calls, failed, p50_ms: percentiles.p50, p99_ms: percentiles.p99 }
        });
        Ok(Self { stop, task })
    }

    pub(super) async fn finish(self) -> anyhow::Result<Calls> {
        // It calls until it hears this.
        let _ = self.stop.send(true);
        self.task.await.context("the honest client failed")
    }
}
