//! What happens, as the page hears of it: the events of `consensus-sim`'s traces, and what only a
//! live network has.

use chain::block::Mode;
use chain::certificate::VoteKind;
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use node_api::block::BlockStatus;
use node_api::consensus::{Reason, Role};
use serde::Serialize;

use super::class::Class;
use crate::byzantine::control::Behaviour;
use crate::load::sample::Percentiles;

/// An event of the live stage, without its place in the stream.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A process runs again.
    Start {
        node: usize,
    },
    /// A process ended.
    Crash {
        node: usize,
    },
    /// The network was cut by order.
    Fault {
        fault: Fault,
    },
    /// Every cut and delay ended by order.
    Heal {
        core: Option<Vec<usize>>,
    },
    /// Messages of one kind on one link: a sample.
    Send(Send),
    /// A view started at a node.
    View {
        node: usize,
        epoch: Epoch,
        view: View,
        leader: Option<usize>,
    },
    /// The mode of the final chain changed.
    Mode {
        node: usize,
        height: Height,
        from: Mode,
        to: Mode,
        reason: Reason,
    },
    /// A new validator set.
    Epoch {
        node: usize,
        epoch: Epoch,
        validators: u32,
    },
    /// A node's chain grew.
    Final {
        node: usize,
        height: Height,
        view: View,
        block: Digest,
    },
    /// Anything else, in words.
    #[serde(rename = "event")]
    Said {
        node: usize,
        event: String,
    },
    /// How a node is.
    Status(Box<NodeStatus>),
    Block(Box<Block>),
    /// A validator was caught.
    Evidence {
        validator: ValidatorIndex,
        height: Height,
        detail: String,
    },
    /// A step of a change of the set.
    Membership {
        node: Option<usize>,
        change: String,
    },
    Load(Load),
    Metrics(Metrics),
    Command {
        command: String,
        ok: bool,
        output: String,
    },
    /// So many events are gone: read the state again.
    Gap {
        skipped: u64,
    },
}

impl Event {
    /// Whether it belongs on the time line, and into the state that a page begins with.
    pub fn is_notable(&self) -> bool {
        match self {
            Self::Send(_) | Self::Final { .. } | Self::Status(_) | Self::Block(_) => false,
            Self::Load(_) | Self::Metrics(_) | Self::Gap { .. } => false,
            Self::Start { .. }
            | Self::Crash { .. }
            | Self::Fault { .. }
            | Self::Heal { .. }
            | Self::View { .. }
            | Self::Mode { .. }
            | Self::Epoch { .. }
            | Self::Said { .. }
            | Self::Evidence { .. }
            | Self::Membership { .. }
            | Self::Command { .. } => true,
        }
    }
}

/// A cut, as the simulator writes it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    Partition { groups: Vec<Vec<usize>> },
}

/// Messages on one link.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Send {
    pub node: usize,
    pub from: usize,
    pub to: usize,
    pub message: String,
    pub class: Class,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vote: Option<VoteKind>,
    /// For how many it stands.
    pub count: u64,
    /// Their length together.
    pub bytes: u64,
    pub view: Option<View>,
    pub height: Option<Height>,
    /// Nobody knows when messages of real processes arrive.
    pub arrives_ms: Option<f64>,
    /// Whether the receiver is dead, paused or in another group.
    pub lost: bool,
}

/// How a node is. What it does not answer is `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NodeStatus {
    pub node: usize,
    pub alive: bool,
    pub paused: bool,
    /// Whether it answered just now.
    pub answers: bool,
    pub role: Option<Role>,
    /// Place in the set; `null` also where it only observes.
    pub validator: Option<ValidatorIndex>,
    pub mode: Option<Mode>,
    pub epoch: Option<Epoch>,
    pub view: Option<View>,
    /// The node that leads its view.
    pub leader: Option<usize>,
    pub height_ordered: Option<Height>,
    pub height_final: Option<Height>,
    pub validators: Option<u32>,
    /// Transactions that wait.
    pub pending: Option<u64>,
    pub timeout_ms: Option<u64>,
    /// Why this mode, in a sentence.
    pub policy: Option<String>,
    pub state_root: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byzantine: Option<Behaviour>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Which side of the partition it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<usize>,
    /// The top of its log, lowest first.
    pub log: Vec<LogEntry>,
}

/// A height of a node's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    pub height: Height,
    pub state: LogState,
}

/// How far a block is at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogState {
    Proposed,
    Ordered,
    Final,
}

/// A block of the chain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Block {
    pub height: Height,
    pub hash: Digest,
    pub epoch: Epoch,
    pub view: View,
    pub mode: Mode,
    pub proposer: ValidatorIndex,
    /// The node that the proposer is, where known.
    pub node: Option<usize>,
    pub transactions: u32,
    pub status: BlockStatus,
    pub certificate: Option<CertificateKind>,
    pub signers: Vec<ValidatorIndex>,
    pub validators: Option<u32>,
    pub timestamp_ms: u64,
    /// Blocks below this one that are not shown.
    pub skipped: u64,
}

/// What made a block final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateKind {
    /// Prepare votes of a fast quorum: one round.
    Fast,
    /// Commit votes of a quorum.
    Commit,
}

/// Load as it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Load {
    pub submitted: u64,
    #[serde(rename = "final")]
    pub finalized: u64,
    pub failed: u64,
    /// Final in the last second.
    pub tps: f64,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// Asked for, per second.
    pub rate: f64,
}

impl Load {
    /// With the percentiles of the last second, where something became final in it.
    pub fn with(mut self, latencies: Option<Percentiles>) -> Self {
        self.p50_ms = latencies.map(|found| found.p50);
        self.p95_ms = latencies.map(|found| found.p95);
        self.p99_ms = latencies.map(|found| found.p99);
        self
    }
}

/// The network in numbers, over the last seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Metrics {
    pub messages_per_block: Option<f64>,
    pub bytes_per_block: Option<f64>,
    pub blocks_per_second: f64,
    /// Transactions in final blocks per second, whoever sent them.
    pub tps: f64,
    /// Of the load that runs here; `null` where none does.
    pub latency_p50_ms: Option<f64>,
    pub latency_p99_ms: Option<f64>,
    /// Share of processor time in which nothing ran where the server is; `null` where unknown. On a
    /// busy machine pages draw less, since the nodes may run on it.
    pub machine_idle: Option<f64>,
}
