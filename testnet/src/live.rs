//! Waiting for a network to live.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chain::codec;
use chain::crypto::Keypair;
use chain::transaction::Body;
use chain::types::{Amount, Height};
use node_api::chain::ChainStatus;
use node_api::transaction::{TxState, TxStatus};
use node_api::tx::Wait;
use node_api::{AccountApiClient, ChainApiClient, ConsensusApiClient, HexBytes, TxApiClient};

use crate::cluster::manifest::NodeEntry;
use crate::cluster::{Cluster, Spec};
use crate::rpc;
use crate::scratch::Scratch;
use crate::transfer::{LIFETIME, Slot};
use crate::verdict::Verdict;

/// How long validators may take to start.
pub const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long a node may take to catch up with the others.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(25);

/// Asks again and again until there is an answer.
///
/// # Errors
/// Where there is none in time, or asking again makes no sense.
pub async fn until<T, F>(
    what: &str,
    patience: Duration,
    mut ask: impl FnMut() -> F,
) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            bail!("waited {} s in vain for {what}", patience.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Checks something on a new network of its own that makes blocks, in `dir` or a temporary directory, which
/// stays where that fails or something does not hold.
///
/// # Errors
/// Those of the check, and where the network cannot be made or does not come to life.
pub(crate) async fn on_its_own<R: Verdict>(
    dir: Option<PathBuf>,
    purpose: &str,
    spec: Spec,
    check: impl AsyncFnOnce(Cluster) -> anyhow::Result<R>,
) -> anyhow::Result<R> {
    Scratch::with(dir, purpose, "the logs are", async |dir| check(fresh(dir, spec).await?).await)
        .await
}

/// A new network in `dir` that makes blocks, and ends with this value.
///
/// # Errors
/// Where it cannot be made, or does not come to life.
pub async fn fresh(dir: &Path, spec: Spec) -> anyhow::Result<Cluster> {
    let cluster = Cluster::create(dir, spec)?.attach(true);
    begin(&cluster).await?;
    Ok(cluster)
}

/// Starts a new network and has it make a block.
///
/// # Errors
/// Where it does not come to life.
pub async fn begin(cluster: &Cluster) -> anyhow::Result<()> {
    cluster.start_all()?;
    all_answer(cluster).await?;
    make_block(cluster, &cluster.node(0)?, START_PATIENCE).await?;
    Ok(())
}

/// Where a node stands; `None` while it does not answer.
pub async fn chain_status(node: &NodeEntry) -> Option<ChainStatus> {
    let client = rpc::http(node, Duration::from_secs(2)).ok()?;
    ChainApiClient::status(&client).await.ok()
}

/// Waits until every validator that was started answers.
///
/// # Errors
/// Where one ends, or does not answer in time.
pub async fn all_answer(cluster: &Cluster) -> anyhow::Result<()> {
    for node in cluster.manifest()?.nodes {
        if node.process.is_some() {
            answers(cluster, &node).await?;
        }
    }
    Ok(())
}

/// Waits until a validator answers.
///
/// # Errors
/// Where it ends, or does not answer in time.
pub async fn answers(cluster: &Cluster, node: &NodeEntry) -> anyhow::Result<ChainStatus> {
    until(&format!("validator {} to answer", node.id), START_PATIENCE, async || {
        if !node.is_alive() {
            let log = cluster.log(node);
            let last = last_line(&log);
            bail!("validator {} ended: {last} (see {})", node.id, log.display());
        }
        Ok(chain_status(node).await)
    })
    .await
}

/// Waits until every node that runs has a block of this height.
///
/// # Errors
/// Where one ends, or does not get there in time.
pub async fn caught_up(cluster: &Cluster, goal: Option<Height>) -> anyhow::Result<()> {
    for node in cluster.manifest()?.nodes.iter().filter(|node| node.is_alive()) {
        answers(cluster, node).await?;
        let what = format!("node {} to catch up to {}", node.id, goal.unwrap_or_default());
        until(&what, CATCH_UP_PATIENCE, async || {
            let status = chain_status(node).await;
            Ok(status.filter(|status| Some(status.height_final) >= goal))
        })
        .await?;
    }
    Ok(())
}

/// The longest view timeout that any node uses now.
///
/// # Errors
/// Where one that runs does not answer.
pub async fn view_timeout(cluster: &Cluster) -> anyhow::Result<Duration> {
    let mut longest = Duration::ZERO;
    for node in cluster.manifest()?.nodes.iter().filter(|node| node.is_alive()) {
        let state = rpc::http(node, rpc::PATIENCE)?.state().await?;
        longest = longest.max(Duration::from_millis(state.timeout_ms));
    }
    Ok(longest)
}

/// The last thing that a process said.
pub(crate) fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or("it said nothing").trim().to_owned()
}

/// What a process said since it panicked last; `None` where it never did.
///
/// # Errors
/// Where its log cannot be read.
pub(crate) fn last_panic(log: &Path) -> std::io::Result<Option<String>> {
    let text = std::fs::read_to_string(log)?;
    Ok(text.rsplit_once("panicked at").map(|(_, said)| said.to_owned()))
}

/// Key of an account that the testnet itself sends from: the last one, which load leaves alone.
///
/// # Errors
/// Where the testnet's accounts cannot be read.
pub fn probe_key(cluster: &Cluster) -> anyhow::Result<Keypair> {
    let accounts = cluster.accounts()?;
    Ok(genesis::accounts::derive(&accounts.dev_seed, accounts.count.saturating_sub(1)))
}

/// Has the network make a final block: moves one unit and waits for it. Returns its height.
///
/// # Errors
/// Where the transaction is refused or not final in time.
pub async fn make_block(
    cluster: &Cluster,
    through: &NodeEntry,
    patience: Duration,
) -> anyhow::Result<Height> {
    let key = probe_key(cluster)?;
    let (to, amount) = (key.public().address(), Amount::new(1));
    let fate =
        settle(through, &key, Body::Transfer { to, amount, memo: Vec::new() }, patience).await?;
    match (fate.status, fate.height) {
        (TxState::Final, Some(height)) => Ok(height),
        (state, _) => bail!(
            "a transaction is {state:?} after {} s: see `testnet status` and {}",
            patience.as_secs(),
            cluster.log(through).display()
        ),
    }
}

/// Hands in a transaction that does this, and says what became of it within a time.
///
/// # Errors
/// Where the node does not answer or refuses the transaction.
pub async fn settle(
    through: &NodeEntry,
    key: &Keypair,
    body: Body,
    patience: Duration,
) -> anyhow::Result<TxStatus> {
    let client = rpc::http(through, patience + rpc::PATIENCE)?;
    let status = ChainApiClient::status(&client).await.context("the node does not answer")?;
    let account = client.get(key.public().address()).await.context("the node does not answer")?;
    let slot = Slot {
        chain_id: status.chain_id,
        nonce: account.next_nonce,
        expiry: Height::new(status.height_final.get() + LIFETIME),
    };
    let transaction = slot.sign(key, body);
    let submitted = client.submit(HexBytes(codec::encode(&transaction))).await?;
    let timeout_ms = u64::try_from(patience.as_millis())?;
    Ok(TxApiClient::status(&client, submitted.hash, Some(Wait::Final), Some(timeout_ms)).await?)
}
