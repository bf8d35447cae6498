//! The answer of `/api/state`: all that a page begins with.

use std::path::PathBuf;
use std::sync::Arc;

use chain::types::Digest;
use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};

use super::Server;
use crate::byzantine::control::Behaviour;
use crate::dashboard::event::NodeStatus;
use crate::dashboard::live::Shown;
use crate::dashboard::stream::Entry;

#[derive(Serialize)]
pub(super) struct Answer {
    stage: Stage,
    /// What orders need; only where there is control.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    version: &'static str,
    engine: Option<String>,
    chain_id: Option<Digest>,
    dir: Option<PathBuf>,
    /// Ways in which a validator may be told to lie.
    behaviours: Vec<Behaviour>,
    nodes: Vec<Node>,
    #[serde(flatten)]
    shown: Shown,
    #[serde(serialize_with = "texts")]
    events: Vec<Arc<Entry>>,
    /// Where `/api/events` goes on.
    cursor: u64,
}

#[derive(Serialize)]
struct Stage {
    live: bool,
    control: bool,
    lab: bool,
}

#[derive(Serialize)]
struct Node {
    id: usize,
    name: String,
    rpc: String,
    #[serde(flatten)]
    status: Option<NodeStatus>,
}

/// The state now.
pub(super) fn of(server: &Server) -> Answer {
    // The cursor first: what happens meanwhile is told again rather than missed.
    let (events, cursor) = server.live.stream.notable();
    let members = server.live.members();
    let state = server.live.state();
    let network = state.network.clone();
    Answer {
        stage: Stage { live: true, control: server.control.is_some(), lab: true },
        token: server.guard.token().map(str::to_owned),
        version: env!("CARGO_PKG_VERSION"),
        engine: network.as_ref().map(|network| network.engine.clone()),
        chain_id: network.map(|network| network.chain_id),
        dir: server.live.stage.dir().map(PathBuf::from),
        behaviours: Behaviour::ALL.into_iter().filter(|it| *it != Behaviour::Off).collect(),
        nodes: members
            .into_iter()
            .map(|member| Node {
                id: member.id,
                status: state.statuses.get(&member.id).cloned(),
                name: member.name,
                rpc: member.rpc,
            })
            .collect(),
        shown: state.shown(),
        events,
        cursor,
    }
}

fn texts<S: Serializer>(entries: &[Arc<Entry>], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(entries.len()))?;
    for entry in entries {
        list.serialize_element(&entry.text)?;
    }
    list.end()
}
