//! Namespace `chain`: where the chain stands, its blocks, its validators.

use chain::block::Mode;
use chain::crypto::PublicKey;
use chain::quorum::Quorums;
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use jsonrpsee::core::{RpcResult, SubscriptionResult};
use jsonrpsee::proc_macros::rpc;
use serde::{Deserialize, Serialize};

use crate::block::{Block, BlockEvent, BlockRef, BlockStatus, Detail, Finality};
use crate::bytes::HexBytes;

/// Answer of `chain_status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainStatus {
    /// Hash of the genesis.
    pub chain_id: Digest,
    /// Name of the chain, from its genesis.
    pub name: String,
    /// The protocol that orders blocks, like `hybrid`.
    pub engine: String,
    /// What finality is worth under this engine.
    pub finality: Finality,
    /// Version of the node's program.
    pub version: String,
    /// Name of the node.
    pub moniker: String,
    /// The node's libp2p peer id.
    pub peer_id: String,
    /// Place of this node in the current validator set; `null`: it only observes.
    pub validator: Option<ValidatorIndex>,
    pub height_final: Height,
    /// The lowest height whose block this node has; what is below was pruned, or the node began
    /// with a snapshot.
    pub height_lowest: Height,
    /// Of the last final block.
    pub hash: Digest,
    /// After the last final block.
    pub state_root: Digest,
    /// When the last final block was proposed, Unix milliseconds; genesis time where there is none.
    pub timestamp_ms: u64,
    /// Highest block with a prepare certificate.
    pub height_ordered: Height,
    pub epoch: Epoch,
    pub view: View,
    /// `null`: the engine has one way to order blocks.
    pub mode: Option<Mode>,
    /// `null` between two views.
    pub leader: Option<ValidatorIndex>,
    /// Validators in the current set.
    pub validators: u32,
    /// Connected peers.
    pub peers: u32,
    /// Transactions that wait here.
    pub pending: u64,
    /// Whether this node lacks no final block, as far as enough validators said: it is false until a
    /// quorum was heard of, the node itself included if it is a validator.
    pub synced: bool,
    pub sync: SyncStatus,
}

/// How far catching up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncStatus {
    /// Whether blocks are being fetched from peers.
    pub fetching: bool,
    /// The height that the chain surely has, as far as this node heard.
    pub target: Height,
    /// Peers that have what is missing here.
    pub peers: u32,
    /// Validators that said how far they are, this node included if it is one.
    pub heard: u32,
}

/// Answer of `chain_validators`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorList {
    pub epoch: Epoch,
    /// The first view of the epoch.
    pub first_view: View,
    pub quorums: Quorums,
    /// Leader of the view this node is in; `null` for another epoch than the current one.
    pub leader: Option<ValidatorIndex>,
    /// In the order of their index.
    pub validators: Vec<ValidatorInfo>,
}

/// One validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorInfo {
    pub index: ValidatorIndex,
    /// From the genesis file, where the key stands in it.
    pub name: Option<String>,
    pub consensus_key: PublicKey,
    pub network_key: PublicKey,
    pub governance_key: PublicKey,
    /// libp2p peer id of `network_key`.
    pub peer_id: String,
    /// Proven to have equivocated: votes, but leads no view.
    pub jailed: bool,
    /// Evidence against it is on chain.
    pub accused: bool,
    /// The epoch that last admitted or pardoned it.
    pub since: Epoch,
    /// Whether it signed the newest final certificate; `null` for another epoch.
    pub signed_last: Option<bool>,
    /// Height of the newest final block whose certificate of its ancestor it signed, among the
    /// last [`RECENT_BLOCKS`](chain::governance::RECENT_BLOCKS); `null`: of none of them, or the
    /// engine has no certificates.
    pub took_part: Option<Height>,
    /// Whether this node is connected to it; its own entry is `true`.
    pub connected: bool,
}

/// Evidence in a final block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRecord {
    /// Height of the block that carries it.
    pub height: Height,
    /// Hash of the evidence.
    pub hash: Digest,
    pub kind: EvidenceKind,
    /// Place of the accused in the set of `epoch`.
    pub accused: ValidatorIndex,
    pub consensus_key: Option<PublicKey>,
    /// Where the two statements conflict.
    pub epoch: Epoch,
    pub view: View,
    pub at_height: Height,
    /// The canonical encoding, to be verified by anyone.
    pub evidence: HexBytes,
}

/// What a validator signed twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceKind {
    Proposals,
    Votes,
}

impl From<&chain::evidence::Evidence> for EvidenceKind {
    fn from(evidence: &chain::evidence::Evidence) -> Self {
        match evidence {
            chain::evidence::Evidence::Proposals { .. } => Self::Proposals,
            chain::evidence::Evidence::Votes { .. } => Self::Votes,
        }
    }
}

#[rpc(server, client, namespace = "chain")]
pub trait ChainApi {
    /// Where the chain stands, seen from this node.
    #[method(name = "status")]
    async fn status(&self) -> RpcResult<ChainStatus>;

    /// A block by height, `"latest"` or hash. `detail` says what comes with it.
    #[method(name = "block")]
    async fn block(&self, block: BlockRef, detail: Option<Detail>) -> RpcResult<Block>;

    /// The validators of an epoch, by default the current one.
    #[method(name = "validators")]
    async fn validators(&self, epoch: Option<Epoch>) -> RpcResult<ValidatorList>;

    /// Evidence on chain from a height on, ascending, at most
    /// [`MAX_EVIDENCE`](crate::limits::MAX_EVIDENCE) records.
    #[method(name = "evidence")]
    async fn evidence(&self, from: Option<Height>) -> RpcResult<Vec<EvidenceRecord>>;

    /// Blocks as they reach `status` (`final` where it is left out), with the hashes of their
    /// transactions on demand.
    #[subscription(
        name = "subscribe" => "event",
        unsubscribe = "unsubscribe",
        item = BlockEvent
    )]
    async fn subscribe_blocks(
        &self,
        status: Option<BlockStatus>,
        transactions: Option<bool>,
    ) -> SubscriptionResult;
}
