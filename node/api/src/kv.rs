//! Namespace `kv`: the key-value store.

use chain::types::Height;
use jsonrpsee::core::RpcResult;
use jsonrpsee::proc_macros::rpc;
use serde::{Deserialize, Serialize};

use crate::bytes::HexBytes;

/// Answer of `kv_get`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvValue {
    pub key: HexBytes,
    /// `null` where the key does not exist.
    pub value: Option<HexBytes>,
    /// The final block that this is the state after.
    pub height: Height,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvEntry {
    pub key: HexBytes,
    pub value: HexBytes,
}

/// Answer of `kv_scan`: entries in the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvPage {
    pub entries: Vec<KvEntry>,
    /// `start` of the next page; `null` on the last one.
    pub next: Option<HexBytes>,
    /// The final block that this is the state after; it may grow from page to page.
    pub height: Height,
}

#[rpc(server, client, namespace = "kv")]
pub trait KvApi {
    /// The value of a key.
    #[method(name = "get")]
    async fn get(&self, key: HexBytes) -> RpcResult<KvValue>;

    /// Keys that begin with `prefix`, from `start` on, at most `limit`
    /// ([`DEFAULT_SCAN`](crate::limits::DEFAULT_SCAN), at most
    /// [`MAX_SCAN`](crate::limits::MAX_SCAN)).
    #[method(name = "scan")]
    async fn scan(
        &self,
        prefix: HexBytes,
        start: Option<HexBytes>,
        limit: Option<u32>,
    ) -> RpcResult<KvPage>;
}
