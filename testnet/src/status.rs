//! What a testnet's validators say of themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use chain::block::Mode;
use chain::types::{Digest, Height, ValidatorIndex, View};
use comfy_table::{Table, presets};
use consensus::registry::EngineName;
use futures::future::join_all;
use node_api::consensus::Role;
use node_api::{ChainApiClient, ConsensusApiClient};
use serde::Serialize;

use crate::cluster::Cluster;
use crate::cluster::manifest::NodeEntry;
use crate::rpc;

/// How long a validator may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// The answer of `testnet status`.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Where its page is, while a server of it runs.
    pub dashboard: Option<String>,
    pub engine: EngineName,
    pub nodes: Vec<NodeStatus>,
}

/// One node. What it does not answer is `null`.
#[derive(Clone, Debug, Serialize)]
pub struct NodeStatus {
    pub id: usize,
    pub rpc: String,
    pub pid: Option<i32>,
    pub alive: bool,
    /// Stopped by `testnet pause`.
    pub paused: bool,
    pub role: Option<Role>,
    /// Place in the set; `null` also where it only observes.
    pub validator: Option<ValidatorIndex>,
    /// `null` also where the engine has one way to order blocks.
    pub mode: Option<Mode>,
    pub mode_reason: Option<String>,
    pub view: Option<View>,
    pub height_final: Option<Height>,
    pub state_root: Option<Digest>,
}

/// Asks every validator at once.
///
/// # Errors
/// Where the testnet's directory is gone.
pub async fn collect(cluster: &Cluster) -> anyhow::Result<Status> {
    let manifest = cluster.manifest()?;
    let served = manifest.dashboard.filter(|entry| entry.process.is_alive());
    let dashboard = served.map(|entry| entry.url());
    let nodes = join_all(manifest.nodes.iter().map(ask)).await;
    Ok(Status { dashboard, engine: manifest.engine, nodes })
}

async fn ask(node: &NodeEntry) -> NodeStatus {
    let alive = node.is_alive();
    let mut status = NodeStatus {
        id: node.id,
        rpc: node.rpc(),
        pid: node.process.filter(|_| alive).map(|process| process.pid),
        alive,
        paused: node.process.is_some_and(|process| process.is_paused()),
        role: None,
        validator: None,
        mode: None,
        mode_reason: None,
        view: None,
        height_final: None,
        state_root: None,
    };
    if !alive || status.paused {
        return status;
    }
    let Ok(client) = rpc::http(node, PATIENCE) else {
        return status;
    };
    let (chain, consensus) = tokio::join!(client.status(), client.state());
    if let Ok(chain) = chain {
        status.validator = chain.validator;
        status.height_final = Some(chain.height_final);
        status.state_root = Some(chain.state_root);
    }
    if let Ok(consensus) = consensus {
        status.role = Some(consensus.role);
        status.mode = consensus.mode;
        status.mode_reason = Some(consensus.mode_reason);
        status.view = Some(consensus.view);
    }
    status
}

impl Status {
    /// A table for people.
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header([
            "node",
            "pid",
            "state",
            "seat",
            "mode",
            "view",
            "final",
            "state root",
            "rpc",
        ]);
        for node in &self.nodes {
            table.add_row([
                node.id.to_string(),
                text(node.pid),
                node.state(),
                text(node.validator),
                text(node.mode),
                text(node.view),
                text(node.height_final),
                node.state_root.map_or_else(|| "-".into(), |root| format!("{root:?}")),
                node.rpc.clone(),
            ]);
        }
        table
    }
}

impl Status {
    /// Why the nodes are in their modes: each sentence once, with the nodes that say it.
    pub fn reasons(&self) -> Vec<String> {
        let mut said: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for node in &self.nodes {
            if let Some(reason) = &node.mode_reason {
                said.entry(reason).or_default().push(node.id.to_string());
            }
        }
        said.into_iter().map(|(why, nodes)| format!("{}: {why}", nodes.join(", "))).collect()
    }
}

impl NodeStatus {
    fn state(&self) -> String {
        match self.role {
            _ if !self.alive => "dead".into(),
            _ if self.paused => "paused".into(),
            None => "no answer".into(),
            Some(role) => format!("{role:?}").to_lowercase(),
        }
    }
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}
