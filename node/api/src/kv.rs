//! Namespace `kv`: the key-value store.

mod cursor;

use chain::access::Access;
use chain::types::{Address, Digest, Height};
use jsonrpsee::core::{RpcResult, SubscriptionResult};
use jsonrpsee::proc_macros::rpc;
use serde::{Deserialize, Serialize};

pub use self::cursor::{Cursor, NotACursor};
use crate::block::BlockStatus;
use crate::bytes::HexBytes;
use crate::error::ErrorCode;

/// How new an answer must be, and how sure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadLevel {
    /// The state after the last block that is final on this node, which may lag behind others.
    #[default]
    Final,
    /// The state after the newest ordered block that this node knows. It may be taken back.
    Ordered,
    /// A final state that no final block is missing from that anybody had been told of before the
    /// call. Costs a round among the validators, and fails where no quorum of them answers.
    Linearizable,
}

/// Answer of `kv_get`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvValue {
    pub key: HexBytes,
    /// `null` where the key does not exist.
    pub value: Option<HexBytes>,
    /// How often the key was written since it exists; `null` where it does not.
    pub version: Option<u64>,
    /// The block that this is the state after.
    pub height: Height,
    /// Hash of that block; at height 0 of the genesis.
    pub block: Digest,
    pub status: BlockStatus,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvEntry {
    pub key: HexBytes,
    pub value: HexBytes,
    /// How often the key was written since it exists.
    pub version: u64,
}

/// Answer of `kv_scan`: entries in the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvPage {
    pub entries: Vec<KvEntry>,
    /// `start` of the next page; `null` on the last one.
    pub next: Option<HexBytes>,
    /// The block that this is the state after; it may grow from page to page.
    pub height: Height,
    /// Hash of that block; at height 0 of the genesis.
    pub block: Digest,
    pub status: BlockStatus,
}

/// Answer of `kv_namespace`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvNamespace {
    pub name: HexBytes,
    pub owner: Address,
    /// Who may write besides the owner.
    pub writers: Access,
    /// Who may read besides the owner: enforced by the nodes that answer.
    pub readers: Access,
    /// The final block that this is the state after.
    pub height: Height,
}

/// A notification of `kv_subscribe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum KvEvent {
    Change(KvChange),
    /// Nothing else changed before this cursor; it need not be kept, but saves work.
    Progress {
        cursor: Cursor,
        /// The last final block that was looked at.
        height: Height,
    },
    /// The last notification: everything before the cursor was told, nothing after it.
    Ended {
        cursor: Cursor,
        code: ErrorCode,
        message: String,
    },
}

/// A key was written or deleted in a final block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvChange {
    /// Where to go on after this change.
    pub cursor: Cursor,
    pub height: Height,
    /// Hash of the transaction.
    pub transaction: Digest,
    pub key: HexBytes,
    /// `null` where the key was deleted.
    pub value: Option<HexBytes>,
    /// How often the key was written since it exists; `null` where it was deleted.
    pub version: Option<u64>,
}

/// Reads of the key-value store. Keys of a namespace whose readers are not everybody need `auth`:
/// the canonical encoding of a [`ReadToken`](chain::reading::ReadToken).
#[rpc(server, client, namespace = "kv")]
pub trait KvApi {
    /// The value of a key, as new as `read` says.
    #[method(name = "get")]
    async fn get(
        &self,
        key: HexBytes,
        read: Option<ReadLevel>,
        auth: Option<HexBytes>,
    ) -> RpcResult<KvValue>;

    /// Keys that begin with `prefix`, from `start` on, at most `limit`
    /// ([`DEFAULT_SCAN`](crate::limits::DEFAULT_SCAN), at most
    /// [`MAX_SCAN`](crate::limits::MAX_SCAN)). Refused where a key among them may not be read.
    #[method(name = "scan")]
    async fn scan(
        &self,
        prefix: HexBytes,
        start: Option<HexBytes>,
        limit: Option<u32>,
        read: Option<ReadLevel>,
        auth: Option<HexBytes>,
    ) -> RpcResult<KvPage>;

    /// Owner and rules of a namespace, by name.
    #[method(name = "namespace")]
    async fn namespace(&self, name: HexBytes) -> RpcResult<KvNamespace>;

    /// Every change in final blocks of keys that begin with `prefix`, in order and without gaps,
    /// from a cursor on; by default from now on. The first notification of progress comes at once.
    #[subscription(
        name = "subscribe" => "event",
        unsubscribe = "unsubscribe",
        item = KvEvent
    )]
    async fn subscribe_changes(
        &self,
        prefix: HexBytes,
        from: Option<Cursor>,
        auth: Option<HexBytes>,
    ) -> SubscriptionResult;
}
