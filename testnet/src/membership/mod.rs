//! Who votes, changed while the network runs: nodes join, leave, change keys, are jailed and pardoned.
//!
//! What a consortium does through its wallets, a testnet does at once: it holds all keys.

pub mod govern;
mod join;
mod keys;
mod leave;

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Context;
use chain::crypto::PublicKey;
use chain::governance::{Change, KeyKind};
use chain::types::{Epoch, Height, ValidatorIndex};
use node_api::chain::{ChainStatus, ValidatorInfo};
use serde::Serialize;

use crate::cluster::Cluster;
use crate::cluster::manifest::NodeEntry;
use crate::live::{self, until};
pub use join::join;
pub use keys::rotate;
pub use leave::leave;

/// How long each step of a change may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// One step of a change.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub name: &'static str,
    /// From the step before.
    pub took_ms: f64,
}

/// A change that is in force.
#[derive(Clone, Debug, Serialize)]
pub struct Changed {
    /// The node that it is about.
    pub id: usize,
    /// Place of the node in the new set; `null`: it observes.
    pub validator: Option<ValidatorIndex>,
    /// The epoch that the node is in.
    pub epoch: Epoch,
    pub height: Height,
    /// How many validators there are now.
    pub validators: u32,
    pub steps: Vec<Step>,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, epoch, height, validators, .. } = self;
        match self.validator {
            Some(seat) => write!(f, "node {id} is validator {seat} of {validators}")?,
            None => write!(f, "node {id} observes")?,
        }
        write!(f, " in epoch {epoch}, height {height}")
    }
}

/// Takes the time of steps and tells of them.
struct Progress<'a> {
    steps: Vec<Step>,
    last: Instant,
    tell: &'a mut dyn FnMut(String),
}

impl<'a> Progress<'a> {
    fn new(tell: &'a mut dyn FnMut(String)) -> Self {
        Self { steps: Vec::new(), last: Instant::now(), tell }
    }

    fn done(&mut self, name: &'static str, detail: &str) {
        let now = Instant::now();
        let took_ms = now.duration_since(self.last).as_secs_f64() * 1e3;
        (self.tell)(format!("{name}: {detail} ({took_ms:.0} ms)"));
        self.steps.push(Step { name, took_ms });
        self.last = now;
    }

    fn finish(self, id: usize, status: &ChainStatus) -> Changed {
        Changed {
            id,
            validator: status.validator,
            epoch: status.epoch,
            height: status.height_final,
            validators: status.validators,
            steps: self.steps,
        }
    }
}

/// Jails a validator: it votes on, but leads no view.
///
/// # Errors
/// Where it is none, or the chain refuses, with the reason.
pub async fn jail(
    cluster: &Cluster,
    id: usize,
    tell: &mut dyn FnMut(String),
) -> anyhow::Result<Changed> {
    let node = cluster.node(id)?;
    let validator = consensus_key(cluster, &node)?;
    sentence(cluster, &node, &Change::Jail { validator }, true, tell).await
}

/// Ends a validator's jail, and what it was accused of is forgotten.
///
/// # Errors
/// As [`jail`].
pub async fn pardon(
    cluster: &Cluster,
    id: usize,
    tell: &mut dyn FnMut(String),
) -> anyhow::Result<Changed> {
    let node = cluster.node(id)?;
    let validator = consensus_key(cluster, &node)?;
    sentence(cluster, &node, &Change::Pardon { validator }, false, tell).await
}

async fn sentence(
    cluster: &Cluster,
    node: &NodeEntry,
    change: &Change,
    jailed: bool,
    tell: &mut dyn FnMut(String),
) -> anyhow::Result<Changed> {
    let mut progress = Progress::new(tell);
    govern::pass(cluster, change, &mut *progress.tell).await?;
    progress.done("approved", "by a quorum");
    let key = consensus_key(cluster, node)?;
    let named = |validator: &ValidatorInfo| validator.consensus_key == key;
    let is_held = |validator: &ValidatorInfo| validator.jailed || (!jailed && validator.accused);
    wait_for_set("the sentence to be in force", cluster, |set| {
        set.iter().any(|validator| named(validator) && is_held(validator) == jailed)
    })
    .await?;
    let status = epoch_begun(cluster, node).await?;
    progress.done("in force", &format!("epoch {}", status.epoch));
    Ok(progress.finish(node.id, &status))
}

fn consensus_key(cluster: &Cluster, node: &NodeEntry) -> anyhow::Result<PublicKey> {
    Ok(cluster.key(node, KeyKind::Consensus)?.public())
}

/// Waits until the newest set is as wanted.
async fn wait_for_set(
    what: &str,
    cluster: &Cluster,
    wanted: impl Fn(&[ValidatorInfo]) -> bool,
) -> anyhow::Result<()> {
    until(what, PATIENCE, async || {
        let set = govern::validators(cluster).await?;
        Ok(wanted(&set).then_some(()))
    })
    .await
}

/// Waits until a node is in the newest epoch that any node is in; where it stands then. A node that
/// does not run is not waited for: another's answer stands for it.
async fn epoch_begun(cluster: &Cluster, node: &NodeEntry) -> anyhow::Result<ChainStatus> {
    until("the new epoch to begin", PATIENCE, async || {
        let nodes = cluster.manifest()?.nodes;
        let asked = nodes
            .iter()
            .filter(|node| node.is_responsive())
            .map(async |asked| Some((asked.id, live::chain_status(asked).await?)));
        let statuses: Vec<(usize, ChainStatus)> =
            futures::future::join_all(asked).await.into_iter().flatten().collect();
        let newest = statuses.iter().map(|(_, status)| status.epoch).max().unwrap_or_default();
        let own = statuses.iter().position(|(id, _)| *id == node.id);
        let any = statuses.iter().position(|(_, status)| status.epoch == newest);
        let chosen = own.or(any).context("no node answers")?;
        let (_, status) = &statuses[chosen];
        Ok((status.epoch == newest).then(|| status.clone()))
    })
    .await
}
