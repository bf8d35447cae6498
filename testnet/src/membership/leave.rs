//! A validator retires.

use chain::governance::Change;

use super::{Changed, PATIENCE, Progress, consensus_key, epoch_begun, govern, wait_for_set};
use crate::cluster::Cluster;
use crate::live::{self, until};

/// Has the validators remove one of them. It goes on as an observer; with `stop` its process ends.
///
/// # Errors
/// Where it is none, or the chain refuses, with the reason.
pub async fn leave(
    cluster: &Cluster,
    id: usize,
    stop: bool,
    tell: &mut dyn FnMut(String),
) -> anyhow::Result<Changed> {
    let node = cluster.node(id)?;
    let validator = consensus_key(cluster, &node)?;
    let mut progress = Progress::new(tell);
    govern::pass(cluster, &Change::RemoveValidator { validator }, &mut *progress.tell).await?;
    progress.done("approved", "by a quorum");
    wait_for_set("the validator to be out of the set", cluster, |set| {
        set.iter().all(|other| other.consensus_key != validator)
    })
    .await?;
    progress.done("out of the set", "its votes count no more");
    if stop {
        if node.is_alive() {
            cluster.stop(id)?;
        }
        progress.done("stopped", "its process ended");
    } else if node.is_responsive() {
        until(&format!("node {id} to observe"), PATIENCE, async || {
            let status = live::chain_status(&node).await;
            Ok(status.filter(|status| status.validator.is_none()))
        })
        .await?;
        progress.done("observes", "it follows the chain without a vote");
    }
    let mut status = epoch_begun(cluster, &cluster.node(id)?).await?;
    status.validator = None;
    Ok(progress.finish(id, &status))
}
