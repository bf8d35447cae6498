//! A fresh node becomes a validator.

use chain::governance::{Candidate, Change, KeyKind};
use consensus::engine::FaultModel;
use node_api::ChainApiClient;
use node_api::chain::ChainStatus;

use super::{Changed, PATIENCE, Progress, govern, wait_for_set};
use crate::cluster::Cluster;
use crate::cluster::manifest::NodeEntry;
use crate::live::{self, until};
use crate::rpc;

/// Makes a node, or takes one that observes, starts it, waits until it has followed the chain to its
/// tip, has it admitted, and waits for its first vote.
///
/// # Errors
/// Where a step fails or the chain refuses, with the reason. The node then stays as an observer.
pub async fn join(
    cluster: &Cluster,
    id: Option<usize>,
    tell: &mut dyn FnMut(String),
) -> anyhow::Result<Changed> {
    let mut progress = Progress::new(tell);
    let id = match id {
        Some(id) => cluster.node(id)?.id,
        None => {
            let node = cluster.add_node()?;
            let home = cluster.home(&node);
            progress.done("made", &format!("node {} in {}", node.id, home.display()));
            node.id
        }
    };
    if !cluster.node(id)?.is_alive() {
        cluster.start(id)?;
    }
    let node = cluster.node(id)?;
    live::answers(cluster, &node).await?;
    progress.done("runs", &node.rpc());
    let status = at_the_tip(cluster, &node).await?;
    progress.done("at the tip", &format!("observes at height {}", status.height_final));

    let candidate = Candidate {
        consensus_key: cluster.key(&node, KeyKind::Consensus)?.public(),
        network_key: cluster.key(&node, KeyKind::Network)?.public(),
        governance_key: cluster.key(&node, KeyKind::Governance)?.public(),
    };
    govern::pass(cluster, &Change::AddValidator { candidate }, &mut *progress.tell).await?;
    progress.done("approved", "by a quorum");
    wait_for_set("the new node to be admitted", cluster, |set| {
        set.iter().any(|validator| validator.consensus_key == candidate.consensus_key)
    })
    .await?;
    let status = until("the new node to be in its epoch", PATIENCE, async || {
        let status = live::chain_status(&node).await;
        Ok(status.filter(|status| status.validator.is_some()))
    })
    .await?;
    progress.done("admitted", &format!("epoch {}", status.epoch));
    if cluster.manifest()?.engine.fault_model() == FaultModel::Byzantine {
        votes(cluster, &node).await?;
        progress.done("votes", "its signature is in a certificate");
    }
    Ok(progress.finish(node.id, &status))
}

/// Waits until a node has followed the others to where they stood when this began, and says that
/// it lacks nothing.
async fn at_the_tip(cluster: &Cluster, node: &NodeEntry) -> anyhow::Result<ChainStatus> {
    let nodes = cluster.manifest()?.nodes;
    let others = nodes.iter().filter(|other| other.id != node.id && other.is_responsive());
    let statuses = futures::future::join_all(others.map(live::chain_status)).await;
    let goal = statuses.iter().flatten().map(|status| status.height_final).max();
    until(&format!("node {} to follow to the tip", node.id), PATIENCE, async || {
        let status = live::chain_status(node).await;
        Ok(status.filter(|status| status.synced && Some(status.height_final) >= goal))
    })
    .await
}

/// Waits until a node's signature is in the newest certificate, with blocks made for it.
async fn votes(cluster: &Cluster, node: &NodeEntry) -> anyhow::Result<()> {
    let client = rpc::http(node, rpc::PATIENCE)?;
    until(&format!("a vote of node {}", node.id), PATIENCE, async || {
        live::make_block(cluster, node, PATIENCE).await?;
        let list = client.validators(None).await?;
        // Its own entry is the one that it is connected to itself.
        let status = ChainApiClient::status(&client).await?;
        let own = list.validators.iter().find(|own| Some(own.index) == status.validator);
        Ok(own.is_some_and(|own| own.signed_last == Some(true)).then_some(()))
    })
    .await
}
