//! Namespace `kv`: the key-value store.

use chain::types::{Digest, Height};
use jsonrpsee::core::RpcResult;
use jsonrpsee::proc_macros::rpc;
use serde::{Deserialize, Serialize};

use crate::block::BlockStatus;
use crate::bytes::HexBytes;

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

#[rpc(server, client, namespace = "kv")]
pub trait KvApi {
    /// The value of a key, as new as `read` says.
    #[method(name = "get")]
    async fn get(&self, key: HexBytes, read: Option<ReadLevel>) -> RpcResult<KvValue>;

    /// Keys that begin with `prefix`, from `start` on, at most `limit`
    /// ([`DEFAULT_SCAN`](crate::limits::DEFAULT_SCAN), at most
    /// [`MAX_SCAN`](crate::limits::MAX_SCAN)).
    #[method(name = "scan")]
    async fn scan(
        &self,
        prefix: HexBytes,
        start: Option<HexBytes>,
        limit: Option<u32>,
        read: Option<ReadLevel>,
    ) -> RpcResult<KvPage>;
}
