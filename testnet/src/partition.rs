//! Partitions: every node refuses the peers of other groups by its own filter.

use std::collections::BTreeSet;

use anyhow::bail;
use chain::governance::KeyKind;
use genesis::peer_id::peer_id;
use node::admin;
use serde::{Deserialize, Serialize};

use crate::cluster::Cluster;
use crate::cluster::manifest::NodeEntry;
use crate::line_socket;

/// Separates groups of validators from each other. Earlier partitions end.
///
/// # Errors
/// Where a validator that runs does not obey.
pub fn split(cluster: &Cluster, groups: &[BTreeSet<usize>]) -> anyhow::Result<()> {
    let is_one = |a, b| groups.iter().any(|group| group.contains(&a) && group.contains(&b));
    connect(cluster, is_one)?;
    let groups = groups.iter().map(|group| group.iter().copied().collect());
    cluster.record_partition(Some(groups.collect()))
}

/// Has exactly these pairs of nodes talk to each other. `are_linked` must not depend on the order.
///
/// # Errors
/// Where a validator that runs does not obey.
pub fn connect(cluster: &Cluster, are_linked: impl Fn(usize, usize) -> bool) -> anyhow::Result<()> {
    let peers = peer_ids(cluster)?;
    for node in running(cluster)? {
        tell(cluster, &node, &Request::UnblockPeers {})?;
        let is_cut = |id: &usize| !are_linked(node.id, *id);
        let others = (0..peers.len()).filter(is_cut).map(|id| peers[id].clone()).collect();
        tell(cluster, &node, &Request::BlockPeers { peers: others })?;
    }
    Ok(())
}

/// Ends every partition.
///
/// # Errors
/// Where a validator that runs does not obey.
pub fn heal(cluster: &Cluster) -> anyhow::Result<()> {
    for node in running(cluster)? {
        tell(cluster, &node, &Request::UnblockPeers {})?;
    }
    cluster.record_partition(None)
}

/// Those that can obey. A paused one keeps the filter it has; its peers cut it off all the same.
fn running(cluster: &Cluster) -> anyhow::Result<Vec<NodeEntry>> {
    Ok(cluster.manifest()?.nodes.into_iter().filter(NodeEntry::is_responsive).collect())
}

/// The network identities of all nodes, in their order.
fn peer_ids(cluster: &Cluster) -> anyhow::Result<Vec<String>> {
    let nodes = cluster.manifest()?.nodes;
    nodes.iter().map(|node| Ok(peer_id(&cluster.key(node, KeyKind::Network)?.public()))).collect()
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "method")]
enum Request {
    BlockPeers { peers: Vec<String> },
    UnblockPeers {},
}

#[derive(Debug, Deserialize)]
struct Reply {
    ok: bool,
    #[serde(default)]
    error: Option<String>,
}

fn tell(cluster: &Cluster, node: &NodeEntry, request: &Request) -> anyhow::Result<()> {
    let reply: Reply = line_socket::ask(&cluster.home(node).join(admin::SOCKET), request)?;
    if !reply.ok {
        bail!("validator {} refuses: {}", node.id, reply.error.unwrap_or_default());
    }
    Ok(())
}
