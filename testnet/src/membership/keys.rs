//! A validator changes one of its keys.

use chain::governance::{Change, KeyKind};

use super::{Changed, PATIENCE, Progress, consensus_key, govern, wait_for_set};
use crate::cluster::Cluster;
use crate::live::{self, until};

/// Makes a new key for a validator, has it approved, and waits until the node uses it.
///
/// # Errors
/// Where the node does not run or is no validator, or the chain refuses, with the reason.
pub async fn rotate(
    cluster: &Cluster,
    id: usize,
    kind: KeyKind,
    tell: &mut dyn FnMut(String),
) -> anyhow::Result<Changed> {
    cluster.running(id)?;
    let node = cluster.node(id)?;
    let validator = consensus_key(cluster, &node)?;
    let mut progress = Progress::new(tell);
    let new_key = cluster.stage_key(&node, kind)?;
    progress.done("made", &format!("new {kind} key {new_key}"));
    let change = Change::RotateKey { validator, key: kind, new_key };
    govern::pass(cluster, &change, &mut *progress.tell).await?;
    progress.done("approved", "by a quorum");
    wait_for_set("the new key to be in force", cluster, |set| {
        set.iter().any(|validator| match kind {
            KeyKind::Consensus => validator.consensus_key == new_key,
            KeyKind::Network => validator.network_key == new_key,
            KeyKind::Governance => validator.governance_key == new_key,
        })
    })
    .await?;
    progress.done("in force", "the set names it");
    let status = until(&format!("node {id} to use its new key"), PATIENCE, async || {
        // Read anew each time: its process may have been started again meanwhile.
        let node = cluster.node(id)?;
        let uses = cluster.key(&node, kind)?.public() == new_key;
        let status = live::chain_status(&node).await;
        Ok(status.filter(|status| uses && status.validator.is_some()))
    })
    .await?;
    progress.done("used", &format!("epoch {}", status.epoch));
    Ok(progress.finish(id, &status))
}
