//! How a node is, asked again and again.

use std::sync::Arc;
use std::time::Duration;

use chain::types::Height;
use jsonrpsee::http_client::HttpClient;
use node_api::chain::ChainStatus;
use node_api::consensus::ConsensusState;
use node_api::{ChainApiClient, ConsensusApiClient};

use super::{LOOK_EVERY, Live, Network};
use crate::byzantine::control::{Behaviour, Faults, Request};
use crate::dashboard::event::{Event, LogEntry, LogState, NodeStatus};
use crate::dashboard::stage::Member;
use crate::{faults, rpc};

/// How long a node may take to say how it is.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Least time between two looks, at whichever nodes.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// Heights of a node's log that are shown.
const LOG: u64 = 12;

/// Asks for ever.
pub(super) async fn run(live: Arc<Live>, id: usize) {
    let mut client: Option<HttpClient> = None;
    let mut before: Option<NodeStatus> = None;
    loop {
        let Some(member) = live.member(id) else { return };
        if client.is_none() {
            client = rpc::http_at(&member.rpc, PATIENCE).ok();
        }
        let now = ask(&live, &member, client.as_ref()).await;
        for event in changes(before.as_ref(), &now) {
            live.tell(event);
        }
        before = Some(now.clone());
        live.tell(Event::Status(Box::new(now)));
        tokio::time::sleep(pause(live.members().len())).await;
    }
}

/// Pause between two looks at one of so many nodes: a large network is not looked at more often
/// altogether than a small one.
fn pause(nodes: usize) -> Duration {
    LOOK_EVERY.max(ASK_EVERY * u32::try_from(nodes).unwrap_or(u32::MAX))
}

async fn ask(live: &Arc<Live>, member: &Member, client: Option<&HttpClient>) -> NodeStatus {
    let mut status = NodeStatus {
        node: member.id,
        alive: member.alive,
        paused: member.paused,
        group: live.state().group(member.id),
        ..NodeStatus::default()
    };
    let Some(client) = client.filter(|_| member.is_responsive()) else {
        return status;
    };
    let (chain, consensus, faults) =
        tokio::join!(client.status(), client.state(), faults_of(live, member.id));
    if live.stage.cluster().is_none() {
        status.alive = chain.is_ok();
    }
    if let Some(Faults { behaviour, delay_ms, .. }) = faults {
        status.byzantine = (behaviour != Behaviour::Off).then_some(behaviour);
        status.delay_ms = (delay_ms > 0).then_some(delay_ms);
    }
    if let (Ok(chain), Ok(consensus)) = (chain, consensus) {
        fill(&mut status, chain, consensus, live);
    }
    status
}

fn fill(status: &mut NodeStatus, chain: ChainStatus, consensus: ConsensusState, live: &Live) {
    live.state()
        .network
        .get_or_insert_with(|| Network { engine: chain.engine.clone(), chain_id: chain.chain_id });
    status.answers = true;
    status.role = Some(consensus.role);
    status.validator = chain.validator;
    status.mode = consensus.mode;
    status.epoch = Some(consensus.epoch);
    status.view = Some(consensus.view);
    status.leader = consensus.leader.and_then(|seat| live.node_of(seat));
    status.height_ordered = Some(consensus.height_ordered);
    status.height_final = Some(chain.height_final);
    status.validators = Some(chain.validators);
    status.pending = Some(chain.pending);
    status.timeout_ms = Some(consensus.timeout_ms);
    status.policy = Some(consensus.mode_reason);
    status.state_root = Some(chain.state_root);
    status.log = log(chain.height_final, consensus.height_ordered, consensus.height_head);
}

/// What a testnet's validator does wrong by order.
async fn faults_of(live: &Arc<Live>, id: usize) -> Option<Faults> {
    let cluster = Arc::clone(live.stage.cluster()?);
    let asked =
        tokio::task::spawn_blocking(move || faults::order(&cluster, id, Request::Status).ok());
    asked.await.ok().flatten()
}

/// The top of a log with so many final, ordered and executed blocks.
fn log(last_final: Height, ordered: Height, head: Height) -> Vec<LogEntry> {
    let top = head.max(ordered).max(last_final).get();
    let lowest = top.saturating_sub(LOG - 1).max(1);
    (lowest..=top)
        .map(Height::new)
        .map(|height| LogEntry {
            height,
            state: match height {
                _ if height <= last_final => LogState::Final,
                _ if height <= ordered => LogState::Ordered,
                _ => LogState::Proposed,
            },
        })
        .collect()
}

/// What is news besides the status itself.
fn changes(before: Option<&NodeStatus>, now: &NodeStatus) -> Vec<Event> {
    let Some(before) = before else { return Vec::new() };
    let (node, mut events) = (now.node, Vec::new());
    match (before.alive, now.alive) {
        (true, false) => events.push(Event::Crash { node }),
        (false, true) => events.push(Event::Start { node }),
        _ => {}
    }
    if before.paused != now.paused && now.alive {
        let event = if now.paused { "paused" } else { "resumed" }.to_owned();
        events.push(Event::Said { node, event });
    }
    if before.byzantine != now.byzantine && now.answers {
        let behaviour = now.byzantine.unwrap_or_default();
        events.push(Event::Said { node, event: format!("Byzantine behaviour: {behaviour}") });
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_network_is_looked_at_as_often_as_a_small_one() {
        assert_eq!(pause(1), LOOK_EVERY);
        assert_eq!(pause(4), LOOK_EVERY);
        assert_eq!(pause(20), Duration::from_secs(2));
    }

    #[test]
    fn a_log_shows_its_top() {
        let states = |last_final: u64, ordered: u64, head: u64| -> Vec<(u64, LogState)> {
            log(Height::new(last_final), Height::new(ordered), Height::new(head))
                .iter()
                .map(|entry| (entry.height.get(), entry.state))
                .collect()
        };
        assert_eq!(states(0, 0, 0), []);
        assert_eq!(
            states(1, 2, 3),
            [(1, LogState::Final), (2, LogState::Ordered), (3, LogState::Proposed)]
        );
        let long = states(100, 101, 101);
        assert_eq!((long.len(), long[0].0), (LOG as usize, 90));
        assert_eq!(long[11], (101, LogState::Ordered));
    }

    #[test]
    fn deaths_and_returns_are_news() {
        let status = |alive, paused| NodeStatus { alive, paused, ..NodeStatus::default() };
        let kinds = |before: &NodeStatus, now: &NodeStatus| -> Vec<String> {
            let kind = |event: &Event| serde_json::to_value(event).unwrap()["kind"].to_string();
            changes(Some(before), now).iter().map(kind).collect()
        };
        let (up, down, paused) = (status(true, false), status(false, false), status(true, true));
        assert_eq!(kinds(&up, &down), ["\"crash\""]);
        assert_eq!(kinds(&down, &up), ["\"start\""]);
        assert_eq!(kinds(&up, &paused), ["\"event\""]);
        assert!(kinds(&up, &up).is_empty() && changes(None, &down).is_empty());
    }
}
