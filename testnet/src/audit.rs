//! Compares the chains of all nodes that run with each other and with what clients were told. One
//! that joined by a snapshot has no blocks from before it.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, ensure};
use chain::types::{Digest, Height};
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use jsonrpsee::ws_client::WsClient;
use node_api::block::{Block, BlockRef, Detail};
use node_api::chain::{ChainStatus, EvidenceRecord};
use node_api::consensus::ModeChange;
use node_api::{AccountApiClient, ApiError, ChainApiClient, ConsensusApiClient, ErrorCode};

use crate::cluster::Cluster;
use crate::cluster::manifest::NodeEntry;
use crate::live::until;
use crate::load::seen::{FinalBlock, Seen};
use crate::rpc;

/// How long validators may take to reach the same height once nothing is submitted any more.
const PATIENCE: Duration = Duration::from_secs(60);
/// Blocks asked for at a time.
const CONCURRENT: usize = 64;

/// What the comparison showed.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Up to which height chains were compared.
    pub height: Height,
    /// Heights at which two validators, or a validator and a client, know different final blocks.
    pub conflicts: BTreeSet<Height>,
    /// Transactions that a client saw final and some validator does not have where it was.
    pub lost: usize,
    /// After the last block, one per validator.
    pub state_roots: Vec<Digest>,
    /// Transactions that are in the chain twice.
    pub repeated: usize,
    /// What the accounts of the genesis own together, less than which they owned at the start.
    pub missing_funds: i128,
    /// On chain.
    pub evidence: Vec<EvidenceRecord>,
    pub mode_changes: Vec<ModeChange>,
}

impl Audit {
    pub fn state_roots_equal(&self) -> bool {
        self.state_roots.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// What must never be, whatever was done to the network.
    pub fn problems(&self) -> Vec<String> {
        let checks = [
            (self.lost > 0, format!("{} final transactions are lost", self.lost)),
            (
                !self.conflicts.is_empty(),
                format!("{} heights have two final blocks", self.conflicts.len()),
            ),
            (!self.state_roots_equal(), "the state roots differ".to_owned()),
            (self.repeated > 0, format!("{} transactions are in the chain twice", self.repeated)),
            (
                self.missing_funds != 0,
                format!("the accounts miss {} of what they owned", self.missing_funds),
            ),
        ];
        checks.into_iter().filter(|(broken, _)| *broken).map(|(_, problem)| problem).collect()
    }

    /// Compares all that a node has with what clients were told and with the `first` that had each height.
    async fn compare(
        &mut self,
        client: &WsClient,
        told: &BTreeMap<Height, FinalBlock>,
        first: &mut BTreeMap<Height, Digest>,
    ) -> anyhow::Result<()> {
        let mut once = BTreeSet::new();
        let mut next = None;
        let mut blocks = pin!(blocks(client, self.height));
        while let Some(block) = blocks.try_next().await? {
            let at = block.header.height;
            // What is missing is missing from the beginning on.
            let due = next.replace(at.next()).unwrap_or(at);
            ensure!(due == at, "it has block {at} and not {due}");
            let hashes = block.transaction_hashes.unwrap_or_default();
            let told = told.get(&at);
            let known = *first.entry(at).or_insert(block.hash);
            if known != block.hash || told.is_some_and(|told| told.hash != block.hash) {
                self.conflicts.insert(at);
            }
            if let Some(told) = told {
                let held: BTreeSet<&Digest> = hashes.iter().collect();
                self.lost += told.transactions.iter().filter(|hash| !held.contains(hash)).count();
            }
            self.repeated += hashes.into_iter().filter(|hash| !once.insert(*hash)).count();
        }
        ensure!(next == Some(self.height.next()), "it has no block {}", self.height);
        Ok(())
    }
}

/// Waits until all validators stand at one height, then compares everything.
///
/// # Errors
/// Where a validator does not answer, or they do not reach one height.
pub async fn audit(cluster: &Cluster, seen: &Seen) -> anyhow::Result<Audit> {
    let mut nodes = cluster.manifest()?.nodes;
    nodes.retain(NodeEntry::is_alive);
    let clients: Vec<WsClient> =
        futures::future::try_join_all(nodes.iter().map(rpc::websocket)).await?;
    let statuses = same_height(&clients, seen).await?;
    let height = statuses.first().context("a node runs")?.height_final;

    let mut audit = Audit {
        height,
        conflicts: seen.conflicts().into_iter().collect(),
        lost: 0,
        repeated: 0,
        missing_funds: missing_funds(cluster, &clients[0]).await?,
        state_roots: statuses.iter().map(|status| status.state_root).collect(),
        evidence: clients[0].evidence(None).await?,
        mode_changes: mode_changes(&clients).await?,
    };
    let told = seen.blocks();
    let mut first = BTreeMap::new();
    for (node, client) in nodes.iter().zip(&clients) {
        let compared = audit.compare(client, &told, &mut first).await;
        compared.with_context(|| format!("validator {} does not give its blocks", node.id))?;
    }
    Ok(audit)
}

/// What the accounts of the genesis own less than at the start. Load moves money among them alone.
async fn missing_funds(cluster: &Cluster, client: &WsClient) -> anyhow::Result<i128> {
    let balances = cluster.genesis()?.balances;
    until("a moment in which no block is final", PATIENCE, async || {
        let (mut missing, mut heights) = (0, BTreeSet::new());
        for owners in balances.chunks(CONCURRENT) {
            let asked = owners.iter().map(|owner| client.get(owner.address));
            let found = futures::future::try_join_all(asked).await?;
            for (owner, account) in owners.iter().zip(found) {
                missing += i128::try_from(owner.amount.get())?;
                missing -= i128::try_from(account.balance.get())?;
                heights.insert(account.height);
            }
        }
        Ok((heights.len() == 1).then_some(missing))
    })
    .await
}

async fn same_height(clients: &[WsClient], seen: &Seen) -> anyhow::Result<Vec<ChainStatus>> {
    let told = seen.highest().unwrap_or_default();
    until("all validators to stand at one height", PATIENCE, async || {
        let asked = clients.iter().map(ChainApiClient::status);
        let statuses = futures::future::try_join_all(asked).await?;
        let same = statuses.windows(2).all(|pair| pair[0].height_final == pair[1].height_final);
        let reached = statuses.iter().all(|status| status.height_final >= told);
        Ok((same && reached).then_some(statuses))
    })
    .await
}

/// Every final block that a node has, up to a height.
fn blocks(client: &WsClient, height: Height) -> impl Stream<Item = anyhow::Result<Block>> {
    stream::iter((1..=height.get()).map(Height::new))
        .map(move |height| block(client, height))
        .buffered(CONCURRENT)
        .try_filter_map(async |block| Ok(block))
}

/// `None` where the node does not have the block any more, or never had it.
async fn block(client: &WsClient, height: Height) -> anyhow::Result<Option<Block>> {
    match client.block(BlockRef::Height(height), Some(Detail::Hashes)).await {
        Ok(block) => Ok(Some(block)),
        Err(error) => match ApiError::from_client(&error) {
            Some(told) if matches!(told.code, ErrorCode::NotFound | ErrorCode::Pruned) => Ok(None),
            _ => Err(error.into()),
        },
    }
}

/// Those that any validator remembers: one that was restarted forgot those before.
async fn mode_changes(clients: &[WsClient]) -> anyhow::Result<Vec<ModeChange>> {
    let mut changes = BTreeMap::new();
    for client in clients {
        for change in client.state().await?.mode_history {
            changes.entry(change.height).or_insert(change);
        }
    }
    Ok(changes.into_values().collect())
}
