//! What a node's engine says, and what it sends.

use std::sync::Arc;
use std::time::Duration;

use node_api::ConsensusApiClient;
use node_api::consensus::{ConsensusEvent, SentMessages};

use super::Live;
use crate::dashboard::class::Class;
use crate::dashboard::event::{Event, Send};
use crate::rpc;

/// Pause after a node did not answer or its connection ended.
const AGAIN: Duration = Duration::from_millis(500);

/// Listens for ever.
pub(super) async fn run(live: Arc<Live>, id: usize) {
    // What was heard last, to go on after it.
    let mut heard = None;
    loop {
        let Some(member) = live.member(id) else { return };
        if member.is_responsive() {
            // It is dead, paused or just started: the poll tells; here there is only another try.
            let _ = listen(&live, id, &member.rpc, &mut heard).await;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn listen(
    live: &Live,
    id: usize,
    address: &str,
    heard: &mut Option<u64>,
) -> anyhow::Result<()> {
    let client = rpc::websocket_at(address).await?;
    let mut notices = client.subscribe_events(*heard, Some(true)).await?;
    while let Some(notice) = notices.next().await {
        let notice = notice?;
        *heard = Some(notice.cursor);
        tell(live, id, notice.event);
    }
    Ok(())
}

fn tell(live: &Live, node: usize, event: ConsensusEvent) {
    match event {
        ConsensusEvent::Sent { messages } => {
            for message in messages {
                sent(live, node, &message);
            }
        }
        ConsensusEvent::ViewStarted { epoch, view, leader } => {
            let leader = live.node_of(leader);
            live.tell(Event::View { node, epoch, view, leader });
        }
        ConsensusEvent::ViewLeft { view, reason, .. } => {
            let reason = format!("{reason:?}").to_lowercase();
            live.tell(Event::Said { node, event: format!("left view {view}: {reason}") });
        }
        ConsensusEvent::ModeChanged(change) => {
            let node_api::consensus::ModeChange { height, from, to, reason } = change;
            live.tell(Event::Mode { node, height, from, to, reason });
        }
        ConsensusEvent::EpochStarted { epoch, validators, .. } => {
            live.tell(Event::Epoch { node, epoch, validators });
        }
        ConsensusEvent::EvidenceFound { accused, kind, view, height, hash, .. } => {
            // Everybody who sees it says so; once is enough.
            if live.state().is_new_evidence(hash) {
                let kind = format!("{kind:?}").to_lowercase();
                let detail = format!(
                    "validator {accused} signed two {kind} at height {height}, view {view}"
                );
                live.tell(Event::Evidence { validator: accused, height, detail });
            }
        }
        ConsensusEvent::BlockRefused { proposer, reason, .. } => {
            let event = format!("refused a block of validator {proposer}: {reason}");
            live.tell(Event::Said { node, event });
        }
        ConsensusEvent::Lagged { missed } if missed > 0 => {
            live.tell(Event::Said { node, event: format!("{missed} events were missed") });
        }
        ConsensusEvent::Lagged { .. } => {}
    }
}

/// Splits what was sent to everybody into what each got.
fn sent(live: &Live, from: usize, sum: &SentMessages) {
    let to: Vec<usize> = {
        let state = live.state();
        match sum.to {
            Some(seat) => state.node_of(seat).into_iter().collect(),
            None => state.seated(),
        }
    };
    for to in to.into_iter().filter(|to| *to != from) {
        live.note_sent(Send {
            node: from,
            from,
            to,
            message: sum.message.clone(),
            class: Class::of(&sum.message, sum.vote),
            vote: sum.vote,
            count: sum.count,
            bytes: sum.bytes,
            view: sum.view,
            height: sum.height,
            arrives_ms: None,
            lost: false,
        });
    }
}
