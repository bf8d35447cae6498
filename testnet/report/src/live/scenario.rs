//! Breaking a real network as the simulator's faults do, and making it whole again.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::bail;
use testnet::byzantine::control::{Behaviour, Request};
use testnet::cluster::Cluster;
use testnet::{faults, live, partition};

use crate::studies::faults::Kind;

/// A network under load has a leader within this.
const PATIENCE: Duration = Duration::from_secs(20);

/// What has to be undone.
pub(super) enum Fault {
    None,
    Dead(usize),
    Misbehaves(usize),
    Split,
}

/// Lets it go wrong.
pub(super) async fn strike(cluster: &Cluster, scenario: Kind) -> anyhow::Result<Fault> {
    let find =
        async || live::until("a leader", PATIENCE, async || faults::leader(cluster).await).await;
    Ok(match scenario {
        Kind::Calm => Fault::None,
        Kind::LeaderCrash => {
            let leader = find().await?;
            cluster.kill(leader)?;
            Fault::Dead(leader)
        }
        Kind::SilentFollower => {
            let follower = (find().await? + 1) % cluster.manifest()?.nodes.len();
            misbehave(cluster, follower, Behaviour::Silent)?
        }
        Kind::LyingLeader => misbehave(cluster, find().await?, Behaviour::Equivocate)?,
        Kind::Halves => {
            let nodes = cluster.manifest()?.nodes.len();
            let (lower, upper): (BTreeSet<usize>, BTreeSet<usize>) =
                (0..nodes).partition(|node| *node < nodes / 2);
            partition::split(cluster, &[lower, upper])?;
            Fault::Split
        }
        other => bail!("{} is measured in the simulator only", other.label(0)),
    })
}

fn misbehave(cluster: &Cluster, node: usize, behaviour: Behaviour) -> anyhow::Result<Fault> {
    faults::order(cluster, node, Request::Behave { behaviour })?;
    Ok(Fault::Misbehaves(node))
}

/// Makes it right again.
pub(super) async fn end(cluster: &Cluster, fault: Fault) -> anyhow::Result<()> {
    match fault {
        Fault::None => Ok(()),
        Fault::Dead(node) => cluster.start(node),
        Fault::Misbehaves(node) => misbehave(cluster, node, Behaviour::Off).map(drop),
        Fault::Split => partition::heal(cluster),
    }
}
