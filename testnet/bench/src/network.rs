//! Networks of real processes, and what is counted of them from outside.

use std::time::Duration;

use anyhow::{Context, ensure};
use chain::codec;
use chain::crypto::Keypair;
use chain::transaction::Body;
use chain::types::{Amount, Height};
use consensus::registry::EngineName;
use jsonrpsee::ws_client::WsClient;
use node_api::{AccountApiClient, ChainApiClient, HexBytes, TxApiClient};
use testnet::cluster::{Cluster, DEFAULT_ACCOUNTS, Spec};
use testnet::metrics::Metrics;
use testnet::transfer::{LIFETIME, Slot};
use testnet::{live, rpc};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// A network in a directory of its own. Both end with this value, the processes first.
pub struct Network {
    pub cluster: Cluster,
    _directory: tempfile::TempDir,
}

impl Network {
    /// # Errors
    /// Where it does not come to life.
    pub async fn start(engine: EngineName, validators: u16) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let spec = Spec { engine, validators, accounts: DEFAULT_ACCOUNTS };
        let cluster = live::fresh(&directory.path().join("net"), spec).await?;
        Ok(Self { cluster, _directory: directory })
    }

    /// What was counted so far.
    ///
    /// # Errors
    /// Where no validator answers.
    pub async fn count(&self) -> anyhow::Result<Counters> {
        let mut counters = Counters { loopback_bytes: loopback_bytes()?, ..Counters::default() };
        for node in self.cluster.manifest()?.nodes.iter().filter(|node| node.is_alive()) {
            let metrics = Metrics::of(node).await?;
            counters.syncs += metrics.value("storage_sync_seconds_count")?;
            counters.height = counters.height.max(metrics.value("consensus_height_final")?);
        }
        Ok(counters)
    }
}

/// Counters that only grow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// By all programs of this machine.
    loopback_bytes: f64,
    /// By all validators.
    syncs: f64,
    height: f64,
}

/// What a load caused.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// Everything on the loopback: submission, gossip, proposals, votes, and what clients are told.
    pub bytes_per_transaction: f64,
    /// By all validators.
    pub syncs_per_block: f64,
    pub transactions_per_block: f64,
}

impl Counters {
    pub fn since(self, before: Self, transactions: u64) -> Counted {
        let transactions = transactions.max(1) as f64;
        let blocks = (self.height - before.height).max(1.0);
        Counted {
            bytes_per_transaction: (self.loopback_bytes - before.loopback_bytes) / transactions,
            syncs_per_block: (self.syncs - before.syncs) / blocks,
            transactions_per_block: transactions / blocks,
        }
    }
}

fn loopback_bytes() -> anyhow::Result<f64> {
    let path = "/sys/class/net/lo/statistics/tx_bytes";
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(text.trim().parse()?)
}

/// Hands in transactions whose signature is wrong, beside a load.
pub struct Forger {
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<u64>>,
}

impl Forger {
    /// So many per second, to all validators in turn.
    ///
    /// # Errors
    /// Where a validator does not answer.
    pub async fn start(cluster: &Cluster, per_second: f64) -> anyhow::Result<Self> {
        let mut clients = Vec::new();
        for node in &cluster.manifest()?.nodes {
            clients.push(rpc::websocket(node).await?);
        }
        let key = live::probe_key(cluster)?;
        let status = ChainApiClient::status(&clients[0]).await?;
        let account = clients[0].get(key.public().address()).await?;
        let slot = Slot {
            chain_id: status.chain_id,
            // None of them is ever executed.
            nonce: account.next_nonce,
            expiry: Height::new(status.height_final.get() + LIFETIME),
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(forge(clients, key, slot, per_second, stopped));
        Ok(Self { stop, task })
    }

    /// How many there were.
    ///
    /// # Errors
    /// Where a validator took one.
    pub async fn stop(self) -> anyhow::Result<u64> {
        // It may have ended with an error already, which the task tells.
        let _ = self.stop.send(());
        self.task.await?
    }
}

async fn forge(
    clients: Vec<WsClient>,
    key: Keypair,
    slot: Slot,
    per_second: f64,
    mut stopped: oneshot::Receiver<()>,
) -> anyhow::Result<u64> {
    let mut made = 0_u64;
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second.max(1.0)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        tokio::select! {
            _ = &mut stopped => return Ok(made),
            _ = ticks.tick() => {}
        }
        let (to, amount) = (key.public().address(), Amount::new(1));
        let memo = made.to_le_bytes().to_vec();
        let mut transaction = slot.sign(&key, Body::Transfer { to, amount, memo });
        transaction.signature.0[0] ^= 1;
        let client = &clients[made as usize % clients.len()];
        made += 1;
        let answer = client.submit(HexBytes(codec::encode(&transaction))).await;
        ensure!(answer.is_err(), "a validator took a transaction that nobody signed");
    }
}
