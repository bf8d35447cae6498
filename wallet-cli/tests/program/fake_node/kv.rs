//! The key-value store of the fake node.

use std::time::{SystemTime, UNIX_EPOCH};

use chain::access::Access;
use chain::crypto::Ed25519;
use chain::reading::ReadToken;
use chain::types::{Digest, Height};
use jsonrpsee::PendingSubscriptionSink;
use jsonrpsee::core::{RpcResult, SubscriptionResult, async_trait};
use node_api::block::BlockStatus;
use node_api::kv::{Cursor, KvEntry, KvEvent, KvNamespace, KvPage, KvValue, ReadLevel};
use node_api::{ApiError, ErrorCode, HexBytes, KvApiServer};

use super::CHAIN;
use super::api::Api;
use super::ledger::{Ledger, refuse};

const fn status_of(level: Option<ReadLevel>) -> BlockStatus {
    match level {
        Some(ReadLevel::Ordered) => BlockStatus::Ordered,
        _ => BlockStatus::Final,
    }
}

/// Whether a token lets its bearer read a key.
fn may_read(ledger: &Ledger, key: &[u8], auth: Option<&HexBytes>) -> Result<(), ApiError> {
    let forbidden = |why: &str| Err(refuse(ErrorCode::Forbidden, why));
    let name = chain::namespace::name_of(key);
    let Some(namespace) = name.and_then(|name| ledger.namespaces.get(name)) else {
        return Ok(());
    };
    let Access::Accounts(readers) = &namespace.rules.readers else {
        return Ok(());
    };
    let Some(bytes) = auth else {
        return forbidden("reading it needs a token");
    };
    let token: ReadToken = chain::codec::decode(&bytes.0).expect("an encoded token");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    token.check(&CHAIN, now as u64, &Ed25519).expect("a good token");
    if readers.contains(&token.reader()) || token.reader() == namespace.owner {
        Ok(())
    } else {
        forbidden("the rules do not let it read")
    }
}

#[async_trait]
impl KvApiServer for Api {
    async fn get(
        &self,
        key: HexBytes,
        read: Option<ReadLevel>,
        auth: Option<HexBytes>,
    ) -> RpcResult<KvValue> {
        let ledger = self.ledger();
        may_read(&ledger, &key.0, auth.as_ref())?;
        let entry = ledger.store.get(&key.0);
        Ok(KvValue {
            value: entry.map(|entry| HexBytes(entry.value.clone())),
            version: entry.map(|entry| entry.version),
            key,
            height: Height::new(ledger.height),
            block: Digest([ledger.height as u8; 32]),
            status: status_of(read),
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
        let ledger = self.ledger();
        let start = start.unwrap_or_else(|| prefix.clone()).0;
        // Small pages, so that clients must ask again.
        let limit = limit.unwrap_or(2).min(2) as usize;
        let mut found = ledger.store.range(start..).filter(|(key, _)| key.starts_with(&prefix.0));
        let mut entries = Vec::new();
        for (key, entry) in found.by_ref().take(limit) {
            may_read(&ledger, key, auth.as_ref())?;
            let (key, value) = (HexBytes(key.to_vec()), HexBytes(entry.value.clone()));
            entries.push(KvEntry { key, value, version: entry.version });
        }
        let next = found.next().map(|(key, _)| HexBytes(key.clone()));
        let (height, block) = (Height::new(ledger.height), Digest([ledger.height as u8; 32]));
        Ok(KvPage { entries, next, height, block, status: status_of(read) })
    }

    async fn namespace(&self, name: HexBytes) -> RpcResult<KvNamespace> {
        let ledger = self.ledger();
        let Some(namespace) = ledger.namespaces.get(&name.0) else {
            return Err(refuse(ErrorCode::NotFound, "there is no such namespace").into());
        };
        let (owner, rules) = (namespace.owner, namespace.rules.clone());
        let height = Height::new(ledger.height);
        Ok(KvNamespace { name, owner, writers: rules.writers, readers: rules.readers, height })
    }

    async fn subscribe_changes(
        &self,
        pending: PendingSubscriptionSink,
        prefix: HexBytes,
        from: Option<Cursor>,
        auth: Option<HexBytes>,
    ) -> SubscriptionResult {
        let told: Result<Vec<KvEvent>, ApiError> = {
            let ledger = self.ledger();
            let from = from.unwrap_or(Cursor::at(Height::new(0)));
            let changes = ledger.changes.iter();
            let wanted = changes
                .filter(|change| change.cursor > from && change.key.0.starts_with(&prefix.0));
            may_read(&ledger, &prefix.0, auth.as_ref())
                .map(|()| wanted.cloned().map(KvEvent::Change).collect())
        };
        match told {
            Err(error) => pending.reject(error).await,
            Ok(events) => {
                let sink = pending.accept().await?;
                let height = Height::new(self.ledger().height);
                let cursor = Cursor::at(height.next());
                let progress = KvEvent::Progress { cursor, height };
                let (code, message) = (ErrorCode::Forbidden, "the token has expired".to_owned());
                let ended = KvEvent::Ended { cursor, code, message };
                for event in [progress].into_iter().chain(events).chain([ended]) {
                    let text = serde_json::value::to_raw_value(&event).expect("plain data");
                    sink.send(text).await?;
                }
            }
        }
        Ok(())
    }
}
