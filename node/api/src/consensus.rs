//! Namespace `consensus`: what the engine of this node is doing.

use chain::block::Mode;
use chain::certificate::VoteKind;
use chain::quorum::Quorums;
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use jsonrpsee::core::{RpcResult, SubscriptionResult};
use jsonrpsee::proc_macros::rpc;
use serde::{Deserialize, Serialize};

use crate::block::{CertificateSummary, Finality};
use crate::chain::EvidenceKind;

/// What a node does in its view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Leader,
    Follower,
    /// Between two views.
    Changing,
    /// Not in the validator set.
    Observer,
}

/// Why a view was left or a mode changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    Timeout,
    Equivocation,
    /// Enough calm blocks in a row.
    Calm,
    /// The first view of an epoch inherits its mode.
    Epoch,
}

/// A change of mode on the final chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeChange {
    /// The first block under the new mode.
    pub height: Height,
    pub from: Mode,
    pub to: Mode,
    pub reason: Reason,
}

/// Answer of `consensus_state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsensusState {
    pub role: Role,
    /// Place in the current set; `null`: observes.
    pub validator: Option<ValidatorIndex>,
    pub epoch: Epoch,
    pub view: View,
    pub leader: Option<ValidatorIndex>,
    /// `null`: the engine has one way to order blocks.
    pub mode: Option<Mode>,
    /// Why this mode, in a sentence.
    pub mode_reason: String,
    /// Current view timeout.
    pub timeout_ms: u64,
    /// How this node paces its blocks, in a sentence; `null` where it does not lead, or its engine
    /// adapts nothing.
    pub pacing: Option<String>,
    /// What finality is worth under this engine.
    pub finality: Finality,
    pub height_final: Height,
    /// Highest block with a prepare certificate.
    pub height_ordered: Height,
    /// Highest executed block.
    pub height_head: Height,
    pub quorums: Quorums,
    /// Transactions that wait here.
    pub pending: u64,
    /// Evidence held that is not on the final chain yet.
    pub evidence_pending: u64,
    /// Newest final certificate: who takes part. `null` where finality has none.
    pub certificate: Option<CertificateSummary>,
    /// The last changes of mode, oldest first.
    pub mode_history: Vec<ModeChange>,
}

/// What `consensus_subscribe` sends: an event with its place in this node's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsensusNotice {
    /// Grows from notice to notice, also over a restart of the node. `since` goes on after it.
    pub cursor: u64,
    /// When the node noted it, Unix milliseconds.
    pub at_ms: u64,
    #[serde(flatten)]
    pub event: ConsensusEvent,
}

/// An event of the engine or of the node around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum ConsensusEvent {
    /// A final block was ordered under another mode than its parent.
    ModeChanged(ModeChange),
    /// This validator gave up a view.
    ViewLeft { epoch: Epoch, view: View, reason: Reason },
    /// A view started here.
    ViewStarted { epoch: Epoch, view: View, leader: ValidatorIndex },
    /// A final barrier opened an epoch.
    EpochStarted { epoch: Epoch, validators: u32, jailed: Vec<ValidatorIndex> },
    /// A validator was caught.
    EvidenceFound {
        accused: ValidatorIndex,
        kind: EvidenceKind,
        epoch: Epoch,
        view: View,
        height: Height,
        hash: Digest,
    },
    /// A proposed block was refused.
    BlockRefused { proposer: ValidatorIndex, block: Digest, reason: String },
    /// What this node said to others since the last such notice. Only for subscribers that asked for
    /// messages.
    Sent { messages: Vec<SentMessages> },
    /// This many events are missing before the next one: the subscriber was too slow, or `since` is
    /// too long ago. 0 where they are from before the node's start, which nobody counted.
    Lagged { missed: u64 },
}

/// Messages of one kind to one recipient, or to everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentMessages {
    /// `null`: every other validator got each of them.
    pub to: Option<ValidatorIndex>,
    /// What the engine calls the kind, like `append`.
    pub message: String,
    /// Of the last vote in them, where they carry votes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote: Option<VoteKind>,
    /// How many; what everybody got counts once.
    pub count: u64,
    /// Their length together, for one recipient.
    pub bytes: u64,
    /// What the last of them was about, where it says so.
    pub view: Option<View>,
    pub height: Option<Height>,
}

#[rpc(server, client, namespace = "consensus")]
pub trait ConsensusApi {
    /// What the engine of this node is doing.
    #[method(name = "state")]
    async fn state(&self) -> RpcResult<ConsensusState>;

    /// Changes of mode, view and epoch, and evidence, as this node sees them: from now on, or right
    /// after the cursor `since`. With `messages` also what it says to others, in sums, a few times a
    /// second.
    #[subscription(
        name = "subscribe" => "event",
        unsubscribe = "unsubscribe",
        item = ConsensusNotice
    )]
    async fn subscribe_events(
        &self,
        since: Option<u64>,
        messages: Option<bool>,
    ) -> SubscriptionResult;
}
