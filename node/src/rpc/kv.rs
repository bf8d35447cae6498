//! Namespace `kv`: reads of the key-value store.

mod level;

use std::sync::Arc;

use chain::state::State;
use chain::transaction::MAX_KEY_BYTES;
use jsonrpsee::core::{RpcResult, async_trait};
use node_api::kv::{KvApiServer, KvEntry, KvPage, KvValue, ReadLevel};
use node_api::limits::{DEFAULT_SCAN, MAX_SCAN};
use node_api::{ApiError, HexBytes};

use super::{Context, errors};
use level::Version;

/// Most bytes of keys and values in one page of a scan; one entry always fits.
const PAGE_BYTES: usize = 256 * 1024;

pub(super) struct KvRpc(pub(super) Arc<Context>);

#[async_trait]
impl KvApiServer for KvRpc {
    async fn get(&self, key: HexBytes, read: Option<ReadLevel>) -> RpcResult<KvValue> {
        check_key("key", &key)?;
        let Version { head, status } = level::version(&self.0, read.unwrap_or_default()).await?;
        let entry = head.state.entry(&key.0);
        Ok(KvValue {
            value: entry.map(|entry| HexBytes(entry.value.clone())),
            version: entry.map(|entry| entry.version),
            key,
            height: head.height,
            block: head.hash,
            status,
        })
    }

    async fn scan(
        &self,
        prefix: HexBytes,
        start: Option<HexBytes>,
        limit: Option<u32>,
        read: Option<ReadLevel>,
    ) -> RpcResult<KvPage> {
        check_key("prefix", &prefix)?;
        if let Some(start) = &start {
            check_key("start", start)?;
        }
        let limit = limit.unwrap_or(DEFAULT_SCAN);
        if !(1..=MAX_SCAN).contains(&limit) {
            return Err(errors::invalid(format!("limit {limit} is not 1 to {MAX_SCAN}")).into());
        }
        let Version { head, status } = level::version(&self.0, read.unwrap_or_default()).await?;
        let start = start.as_ref().map(|start| start.0.as_slice());
        let (entries, next) = page(&head.state, &prefix.0, start, limit as usize);
        Ok(KvPage { entries, next, height: head.height, block: head.hash, status })
    }
}

/// One page of the keys with a prefix, from `start` on, and where the next one starts.
fn page(
    state: &State,
    prefix: &[u8],
    start: Option<&[u8]>,
    limit: usize,
) -> (Vec<KvEntry>, Option<HexBytes>) {
    // A scan starts after a key: the key itself comes in by hand.
    let first = start
        .filter(|start| start.starts_with(prefix))
        .and_then(|start| Some((start, state.entry(start)?)));
    let mut rest = first.into_iter().chain(state.scan(prefix, start)).peekable();
    let mut entries = Vec::new();
    let mut bytes = 0;
    while let Some((key, entry)) = rest.peek() {
        bytes += key.len() + entry.value.len();
        if entries.len() == limit || (bytes > PAGE_BYTES && !entries.is_empty()) {
            return (entries, Some(HexBytes(key.to_vec())));
        }
        entries.push(KvEntry {
            key: key.to_vec().into(),
            value: entry.value.clone().into(),
            version: entry.version,
        });
        rest.next();
    }
    (entries, None)
}

pub(super) fn check_key(what: &str, key: &HexBytes) -> Result<(), ApiError> {
    let len = key.0.len();
    if len > MAX_KEY_BYTES {
        return Err(errors::invalid(format!(
            "{what} has {len} bytes, keys at most {MAX_KEY_BYTES}"
        )));
    }
    Ok(())
}
