//! Orders to running validators: to misbehave, to be slow, to ignore each other.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chain::governance::KeyKind;
use chain::types::{Height, ValidatorIndex};
use node::consensus_host::GUARDED;
use node_api::ConsensusApiClient;
use node_api::consensus::Role;

use crate::byzantine::control::{self, Behaviour, Faults, Link, Reply, Request};
use crate::cluster::Cluster;
use crate::cluster::manifest::NodeEntry;
use crate::line_socket;
use crate::live::{self, until};
use crate::membership::govern;
use crate::{partition, rpc};

/// How often leadership is passed on before giving up.
const ROTATIONS: usize = 12;
/// How long one change of leader may take: a few view timeouts at their longest.
const ROTATION_PATIENCE: Duration = Duration::from_secs(40);

/// Gives an order to a validator's fault layer.
///
/// # Errors
/// Where the validator does not run or refuses.
pub fn order(cluster: &Cluster, id: usize, request: Request) -> anyhow::Result<Faults> {
    cluster.running(id)?;
    let socket = cluster.home(&cluster.node(id)?).join(control::SOCKET);
    match line_socket::ask(&socket, &request)? {
        Reply::Done(faults) => Ok(faults),
        Reply::Refused(reason) => bail!("validator {id} refuses: {reason}"),
    }
}

/// Makes a validator misbehave, or stop it. For a behaviour of leaders, has it lead first.
/// `tell` hears what happens meanwhile.
///
/// # Errors
/// Where the validator does not run, or does not come to lead.
pub async fn behave(
    cluster: &Cluster,
    id: usize,
    behaviour: Behaviour,
    mut tell: impl FnMut(String),
) -> anyhow::Result<()> {
    cluster.running(id)?;
    if behaviour.needs_leader() {
        have_lead(cluster, id, &mut tell).await?;
    }
    order(cluster, id, Request::Behave { behaviour })?;
    Ok(())
}

/// Silences leaders, one after the other, until `id` leads.
async fn have_lead(
    cluster: &Cluster,
    id: usize,
    tell: &mut impl FnMut(String),
) -> anyhow::Result<()> {
    for _ in 0..ROTATIONS {
        let leader = until("a leader", ROTATION_PATIENCE, async || leader(cluster).await).await?;
        if leader == id {
            return Ok(());
        }
        tell(format!("validator {leader} leads: silencing it until another takes over"));
        let before = order(cluster, leader, Request::Status)?.behaviour;
        order(cluster, leader, Request::Behave { behaviour: Behaviour::Silent })?;
        let next = replaced(cluster, leader).await;
        order(cluster, leader, Request::Behave { behaviour: before })?;
        next?;
    }
    bail!("validator {id} did not come to lead in {ROTATIONS} changes of leader: it may be jailed")
}

/// Waits until the others follow another leader. Only a network with work replaces one.
async fn replaced(cluster: &Cluster, silent: usize) -> anyhow::Result<()> {
    until("another leader", ROTATION_PATIENCE, async || {
        let Some(now) = leader_seen_by(cluster, |node| node.id != silent).await? else {
            return Ok(None);
        };
        Ok((now != silent).then_some(()))
    })
    .await
}

/// Makes a liar honest again. Returns how often it lied; `None` where its safety guard stopped it,
/// because its lie came back to it as the truth: then it starts again.
///
/// # Errors
/// Where it ended for another reason, or does not come back.
pub async fn reform(cluster: &Cluster, id: usize) -> anyhow::Result<Option<u64>> {
    let node = cluster.node(id)?;
    if node.is_alive() {
        let acts = order(cluster, id, Request::Status)?.acts;
        order(cluster, id, Request::Behave { behaviour: Behaviour::Off })?;
        return Ok(Some(acts));
    }
    let log = cluster.log(&node);
    let guarded = live::last_panic(&log)?.is_some_and(|said| said.contains(GUARDED));
    ensure!(guarded, "liar {id} ended for another reason than its guard: see {}", log.display());
    restart(cluster, id).await?;
    Ok(None)
}

/// Starts a validator that was killed, or ends and starts one that runs. Returns where it is then.
///
/// # Errors
/// Where it does not start or answer.
pub async fn restart(cluster: &Cluster, id: usize) -> anyhow::Result<Height> {
    if cluster.node(id)?.is_alive() {
        cluster.stop(id)?;
    }
    cluster.start(id)?;
    Ok(live::answers(cluster, &cluster.node(id)?).await?.height_final)
}

/// Ends every partition, and every delay and loss.
///
/// # Errors
/// Where a validator that runs does not obey.
pub fn heal(cluster: &Cluster) -> anyhow::Result<()> {
    partition::heal(cluster)?;
    for node in cluster.manifest()?.nodes.iter().filter(|node| node.is_responsive()) {
        order(cluster, node.id, Request::Delay { ms: 0 })?;
        order(cluster, node.id, Request::Link { to: Vec::new(), link: Link::WHOLE })?;
    }
    Ok(())
}

/// The validator that a quorum of those running follows.
///
/// # Errors
/// Where the testnet's directory is gone.
pub async fn leader(cluster: &Cluster) -> anyhow::Result<Option<usize>> {
    leader_seen_by(cluster, |_| true).await
}

async fn leader_seen_by(
    cluster: &Cluster,
    asked: impl Fn(&NodeEntry) -> bool,
) -> anyhow::Result<Option<usize>> {
    let nodes = cluster.manifest()?.nodes;
    let running: Vec<&NodeEntry> =
        nodes.iter().filter(|node| asked(node) && node.is_alive()).collect();
    let states = futures::future::join_all(running.iter().map(async |node| {
        let client = rpc::http(node, Duration::from_secs(1)).ok()?;
        let state = client.state().await.ok()?;
        let settled = matches!(state.role, Role::Leader | Role::Follower);
        settled.then_some((state.epoch, state.view, state.leader?))
    }))
    .await;
    let newest = states.iter().flatten().max();
    let agree = states.iter().flatten().filter(|state| Some(*state) == newest).count();
    // More than half of all is enough to tell people; safety is the validators' own affair.
    let Some((_, _, leader)) = newest.filter(|_| 2 * agree > running.len()) else {
        return Ok(None);
    };
    node_of(cluster, *leader).await
}

/// The node that sits in a seat of the newest set.
async fn node_of(cluster: &Cluster, seat: ValidatorIndex) -> anyhow::Result<Option<usize>> {
    Ok(seats(cluster).await?.into_iter().find(|(index, _)| *index == seat).map(|(_, id)| id))
}

/// The seats of the newest set, in their order, with the nodes that sit there.
///
/// # Errors
/// Where no node answers, or a key file is missing.
pub async fn seats(cluster: &Cluster) -> anyhow::Result<Vec<(ValidatorIndex, usize)>> {
    let validators = govern::validators(cluster).await?;
    let mut seats = Vec::new();
    for node in cluster.manifest()?.nodes {
        let key = cluster.key(&node, KeyKind::Consensus)?.public();
        let held = validators.iter().find(|validator| validator.consensus_key == key);
        seats.extend(held.map(|validator| (validator.index, node.id)));
    }
    seats.sort_unstable();
    Ok(seats)
}

/// Reads groups like `0,1/2,3`. Validators that are not named form a group of their own.
///
/// # Errors
/// Where a number is none, unknown or named twice, or there is only one group.
pub fn parse_groups(text: &str, validators: usize) -> anyhow::Result<Vec<BTreeSet<usize>>> {
    let id = |number: &str| {
        let wrong = || format!("{number:?} is no validator: write groups like 0,1/2,3");
        number.parse().with_context(wrong)
    };
    let group = |part: &str| {
        let numbers = part.split(',').map(str::trim).filter(|number| !number.is_empty());
        numbers.map(id).collect::<anyhow::Result<Vec<usize>>>()
    };
    complete_groups(&text.split('/').map(group).collect::<anyhow::Result<Vec<_>>>()?, validators)
}

/// Groups of all validators. Those that are not named form a group of their own.
///
/// # Errors
/// Where one is unknown or named twice, or there is only one group.
pub fn complete_groups(
    named: &[Vec<usize>],
    validators: usize,
) -> anyhow::Result<Vec<BTreeSet<usize>>> {
    let mut rest: BTreeSet<usize> = (0..validators).collect();
    let mut groups = Vec::new();
    for group in named.iter().filter(|group| !group.is_empty()) {
        for id in group {
            if !rest.remove(id) {
                bail!("validator {id} is unknown or named twice: they are 0 to {}", validators - 1);
            }
        }
        groups.push(group.iter().copied().collect());
    }
    if !rest.is_empty() {
        groups.push(rest);
    }
    if groups.len() < 2 {
        bail!("a partition needs two groups: write them like 0,1/2,3");
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_and_the_rest_is_one_more() {
        let set = |ids: &[usize]| ids.iter().copied().collect::<BTreeSet<_>>();
        let read = |text| parse_groups(text, 4).expect("groups");
        assert_eq!(read("0,1/2,3"), [set(&[0, 1]), set(&[2, 3])]);
        assert_eq!(read("2"), [set(&[2]), set(&[0, 1, 3])]);
        assert_eq!(read("0/1/2"), [set(&[0]), set(&[1]), set(&[2]), set(&[3])]);
    }

    #[test]
    fn wrong_groups_are_refused_with_a_reason() {
        for (text, reason) in [
            ("0,1,2,3", "two groups"),
            ("0,9/1", "unknown or named twice"),
            ("0,0/1", "unknown or named twice"),
            ("0,x/1", "no validator"),
            ("", "two groups"),
        ] {
            let error = parse_groups(text, 4).expect_err("refused").to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
