//! Namespace `kv`: reads of the key-value store.

mod level;
mod page;
mod readers;
mod watch;

use std::sync::Arc;

use chain::transaction::MAX_KEY_BYTES;
use jsonrpsee::PendingSubscriptionSink;
use jsonrpsee::core::{RpcResult, SubscriptionResult, async_trait};
use node_api::kv::{Cursor, KvApiServer, KvNamespace, KvPage, KvValue, ReadLevel};
use node_api::limits::{DEFAULT_SCAN, MAX_SCAN};
use node_api::{ApiError, HexBytes};
use tokio::sync::Semaphore;

use self::level::Version;
pub(super) use self::readers::{may_read, token};
use self::watch::{MAX_WATCHERS, Watch};
use super::{Context, errors};

pub(super) struct KvRpc {
    context: Arc<Context>,
    watchers: Arc<Semaphore>,
}

impl KvRpc {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self { context, watchers: Arc::new(Semaphore::new(MAX_WATCHERS)) }
    }
}

#[async_trait]
impl KvApiServer for KvRpc {
    async fn get(
        &self,
        key: HexBytes,
        read: Option<ReadLevel>,
        auth: Option<HexBytes>,
    ) -> RpcResult<KvValue> {
        check_key("key", &key)?;
        let token = token(&self.context, auth.as_ref())?;
        let Version { head, status } = level::version(&self.context, read).await?;
        may_read(&head.state, &key.0, token.as_ref())?;
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
        auth: Option<HexBytes>,
    ) -> RpcResult<KvPage> {
        check_key("prefix", &prefix)?;
        if let Some(start) = &start {
            check_key("start", start)?;
        }
        let limit = limit.unwrap_or(DEFAULT_SCAN);
        if !(1..=MAX_SCAN).contains(&limit) {
            return Err(errors::invalid(format!("limit {limit} is not 1 to {MAX_SCAN}")).into());
        }
        let token = token(&self.context, auth.as_ref())?;
        let Version { head, status } = level::version(&self.context, read).await?;
        let start = start.as_ref().map(|start| start.0.as_slice());
        let (entries, next) =
            page::page(&head.state, &prefix.0, start, limit as usize, token.as_ref())?;
        Ok(KvPage { entries, next, height: head.height, block: head.hash, status })
    }

    async fn namespace(&self, name: HexBytes) -> RpcResult<KvNamespace> {
        check_key("name", &name)?;
        let head = self.context.view.head();
        let Some(namespace) = head.state.namespace(&name.0) else {
            let shown = String::from_utf8_lossy(&name.0).into_owned();
            return Err(errors::not_found(format!("there is no namespace {shown}")).into());
        };
        Ok(KvNamespace {
            owner: namespace.owner,
            writers: namespace.rules.writers.clone(),
            readers: namespace.rules.readers.clone(),
            name,
            height: head.height,
        })
    }

    async fn subscribe_changes(
        &self,
        pending: PendingSubscriptionSink,
        prefix: HexBytes,
        from: Option<Cursor>,
        auth: Option<HexBytes>,
    ) -> SubscriptionResult {
        let Ok(_place) = Arc::clone(&self.watchers).try_acquire_owned() else {
            pending.reject(errors::overloaded("too many watch keys already")).await;
            return Ok(());
        };
        let begun = check_key("prefix", &prefix)
            .and_then(|()| token(&self.context, auth.as_ref()))
            .and_then(|token| Watch::new(Arc::clone(&self.context), prefix.0, from, token));
        match begun {
            Ok(watch) => {
                let sink = pending.accept().await?;
                let _count = self.context.metrics.rpc().subscription();
                watch.run(sink).await
            }
            Err(error) => {
                pending.reject(error).await;
                Ok(())
            }
        }
    }
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
