//! Namespaces `account` and `kv`: the state after the last final block.

use std::sync::Arc;

use chain::state::State;
use chain::transaction::MAX_KEY_BYTES;
use chain::types::Address;
use jsonrpsee::core::{RpcResult, async_trait};
use node_api::account::{Account, AccountApiServer};
use node_api::kv::{KvApiServer, KvEntry, KvPage, KvValue};
use node_api::limits::{DEFAULT_SCAN, MAX_SCAN};
use node_api::{ApiError, HexBytes};

use super::{Context, errors};

/// Most bytes of keys and values in one page of a scan; one entry always fits.
const PAGE_BYTES: usize = 256 * 1024;

pub(super) struct AccountRpc(pub(super) Arc<Context>);

#[async_trait]
impl AccountApiServer for AccountRpc {
    async fn get(&self, address: Address) -> RpcResult<Account> {
        let head = self.0.view.head();
        let account = head.state.account(&address);
        Ok(Account {
            address,
            balance: account.balance,
            nonce: account.nonce,
            // The pool may not have followed the chain yet.
            next_nonce: self.0.pool.next_nonce(&address).max(account.nonce),
            height: head.height,
        })
    }
}

pub(super) struct KvRpc(pub(super) Arc<Context>);

#[async_trait]
impl KvApiServer for KvRpc {
    async fn get(&self, key: HexBytes) -> RpcResult<KvValue> {
        check_key("key", &key)?;
        let head = self.0.view.head();
        let value = head.state.entry(&key.0).map(|entry| HexBytes(entry.value.clone()));
        Ok(KvValue { key, value, height: head.height })
    }

    async fn scan(
        &self,
        prefix: HexBytes,
        start: Option<HexBytes>,
        limit: Option<u32>,
    ) -> RpcResult<KvPage> {
        check_key("prefix", &prefix)?;
        if let Some(start) = &start {
            check_key("start", start)?;
        }
        let limit = limit.unwrap_or(DEFAULT_SCAN);
        if !(1..=MAX_SCAN).contains(&limit) {
            return Err(errors::invalid(format!("limit {limit} is not 1 to {MAX_SCAN}")).into());
        }
        let head = self.0.view.head();
        let start = start.as_ref().map(|start| start.0.as_slice());
        let (entries, next) = page(&head.state, &prefix.0, start, limit as usize);
        Ok(KvPage { entries, next, height: head.height })
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
        entries.push(KvEntry { key: key.to_vec().into(), value: entry.value.clone().into() });
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
