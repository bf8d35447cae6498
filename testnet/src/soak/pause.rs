//! Stops the leader's process for a while. What it believes when it goes on is old: it must neither
//! answer a linearizable read from it nor go on leading.

use std::time::Duration;

use anyhow::Context;
use chain::transaction::Body;
use chain::types::Height;
use nix::sys::signal::Signal;
use node_api::kv::ReadLevel;
use node_api::transaction::TxState;
use node_api::{HexBytes, KvApiClient};

use super::PATIENCE;
use super::player::Player;
use crate::cluster::manifest::NodeEntry;
use crate::faults;
use crate::live::{self, until};
use crate::load::background::Since;
use crate::rpc;

const KEY: &[u8] = b"soak";
/// How long a client waits for a read: longer than a node takes to give up.
const READ: Duration = Duration::from_secs(10);

impl Player<'_> {
    /// From when the leader stopped until something new is final.
    pub(super) async fn pause(&mut self, lasts: Duration) -> anyhow::Result<Duration> {
        let leader =
            until("a leader", PATIENCE, async || faults::leader(self.cluster).await).await?;
        let paused = self.cluster.node(leader)?;
        let other = self.cluster.node((leader + 1) % self.cluster.manifest()?.nodes.len())?;
        self.cluster.signal(leader, Signal::SIGSTOP)?;
        let stopped = Since::now()?;
        tokio::time::sleep(lasts).await;
        let value = self.load.seen().highest().unwrap_or_default().get().to_be_bytes();
        // Written where the paused one cannot see it. Where nobody replaced it yet, nothing is.
        let written = self.write(&other, value).await;
        // It waits in the paused one's socket, and is the first thing that it sees.
        let reads = tokio::spawn(read(paused));
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.cluster.signal(leader, Signal::SIGCONT)?;
        let took = self.lives(stopped).await?;
        // A read that fails says nothing wrong.
        if let (Ok(_), Ok(found)) = (written, reads.await.context("the read")?) {
            self.findings.reads += 1;
            self.findings.stale_reads += u32::from(found.as_deref() != Some(&value[..]));
        }
        self.one_leader().await?;
        Ok(took)
    }

    async fn write(&self, through: &NodeEntry, value: [u8; 8]) -> anyhow::Result<Height> {
        let key = live::probe_key(self.cluster)?;
        let body = Body::Put { key: KEY.to_vec(), value: value.to_vec() };
        let fate = live::settle(through, &key, body, Duration::from_secs(5)).await?;
        let settled = fate.height.filter(|_| fate.status == TxState::Final);
        settled.context("the write is not final")
    }

    /// Waits until all follow one leader.
    async fn one_leader(&self) -> anyhow::Result<()> {
        until("one leader that all follow", PATIENCE, async || faults::leader(self.cluster).await)
            .await
            .map(|_| ())
    }
}

/// What a node that was paused answers.
async fn read(node: NodeEntry) -> anyhow::Result<Option<Vec<u8>>> {
    let client = rpc::http(&node, READ)?;
    let found = client.get(HexBytes(KEY.to_vec()), Some(ReadLevel::Linearizable), None).await?;
    Ok(found.value.map(|value| value.0))
}
