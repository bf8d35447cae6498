//! `kv`: the key-value store.

use chain::transaction::{Body, Expected};
use node_api::HexBytes;
use node_api::kv::{KvEntry, KvPage};
use node_api::limits::MAX_SCAN;
use serde_json::{Value, json};

use crate::args::{Form, Global, KvCommand};
use crate::connection::Node;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, table, text_or_hex};
use crate::submission;
use crate::verification::{Proven, Verification, warn_unproven};

pub(super) async fn run(global: &Global, command: KvCommand) -> Outcome<()> {
    match command {
        KvCommand::Put { key, value, form, sending } => {
            let (key, value) = (bytes(&key, form)?, bytes(&value, form)?);
            let summary = format!("put {} = {}", text_or_hex(&key), text_or_hex(&value));
            submission::run(global, &sending, Body::Put { key, value }, &summary).await
        }
        KvCommand::Delete { key, form, sending } => {
            let key = bytes(&key, form)?;
            let summary = format!("delete {}", text_or_hex(&key));
            submission::run(global, &sending, Body::Delete { key }, &summary).await
        }
        KvCommand::Cas { key, value, expected, absent: _, form, sending } => {
            let (key, value) = (bytes(&key, form)?, bytes(&value, form)?);
            let expected = expected.map(|expected| bytes(&expected, form)).transpose()?;
            let summary = format!(
                "put {} = {} if it {}",
                text_or_hex(&key),
                text_or_hex(&value),
                expected.as_ref().map_or("does not exist".to_owned(), |expected| {
                    format!("is {}", text_or_hex(expected))
                })
            );
            let body = Body::CompareAndSwap {
                key,
                expected: expected.map_or(Expected::Absent, Expected::Value),
                value,
            };
            submission::run(global, &sending, body, &summary).await
        }
        KvCommand::Get { key, form } => get(global, bytes(&key, form)?, form).await,
        KvCommand::List { prefix, limit, start, form } => {
            let start = start.map(|start| bytes(&start, form)).transpose()?;
            list(global, bytes(&prefix, form)?, start, limit).await
        }
    }
}

pub(super) fn bytes(text: &str, form: Form) -> Outcome<Vec<u8>> {
    if !form.hex {
        return Ok(text.as_bytes().to_vec());
    }
    text.parse::<HexBytes>()
        .map(|bytes| bytes.0)
        .map_err(|error| Failure::bad_arguments(format!("{text:?}: {error}")))
}

async fn get(global: &Global, key: Vec<u8>, form: Form) -> Outcome<()> {
    let verification = Verification::from(global)?;
    let node = Node::choose(global.rpc.as_deref())?;
    let mut answer = node.kv_get(key.clone()).await?;
    let mut proven = None;
    if let Some(verification) = &verification {
        let (said, height) = (answer.value.as_ref(), answer.height);
        let key = HexBytes(key);
        let Proven { value, block } = verification.entry(&node, &key, said, height).await?;
        let (value, version) = value.map(|entry| (HexBytes(entry.value), entry.version)).unzip();
        (answer.key, answer.value, answer.version) = (key, value, version);
        (answer.height, answer.block) = (block.height, block.hash);
        proven = Some(block);
    }
    let Some(value) = &answer.value else {
        let message = format!("there is no key {}", text_or_hex(&answer.key.0));
        return Err(Failure::refused(Some("not_found".to_owned()), message)
            .with("key", &answer.key)
            .with("height", answer.height));
    };
    let mut object = json!({
        "key": answer.key,
        "value": value,
        "text": as_text(value),
        "version": answer.version,
        "height": answer.height,
    });
    if let Some(block) = proven {
        object["proven"] = json!(block);
    }
    Output { json: global.json }
        .result(&object, || if form.hex { value.to_string() } else { text_or_hex(&value.0) });
    Ok(())
}

/// The text that bytes are, or null.
fn as_text(bytes: &HexBytes) -> Value {
    std::str::from_utf8(&bytes.0).map_or(Value::Null, Value::from)
}

async fn list(global: &Global, prefix: Vec<u8>, start: Option<Vec<u8>>, limit: u32) -> Outcome<()> {
    let node = Node::choose(global.rpc.as_deref())?;
    let mut entries: Vec<KvEntry> = Vec::new();
    let mut next = start.map(HexBytes);
    let height = loop {
        let left = limit.saturating_sub(entries.len() as u32);
        let page = node.kv_scan(prefix.clone(), next.take(), left.clamp(1, MAX_SCAN)).await?;
        let KvPage { entries: more, next: following, height, .. } = page;
        let empty = more.is_empty();
        entries.extend(more);
        next = following;
        if next.is_none() || empty || entries.len() as u32 >= limit {
            break height;
        }
    };
    if let Some(verification) = Verification::from(global)? {
        entries = verification.entries(&node, &prefix, entries, height).await?;
        warn_unproven(global, "that no other key begins like this is what the node says");
    }
    let object = json!({
        "entries": entries
            .iter()
            .map(|entry| json!({
                "key": entry.key,
                "value": entry.value,
                "version": entry.version,
                "key_text": as_text(&entry.key),
                "value_text": as_text(&entry.value),
            }))
            .collect::<Vec<_>>(),
        "next": next,
        "height": height,
    });
    Output { json: global.json }.result(&object, || {
        let rows = entries
            .iter()
            .map(|entry| vec![text_or_hex(&entry.key.0), text_or_hex(&entry.value.0)]);
        let mut text = table(&["key", "value"], rows);
        if let Some(next) = &next {
            text.push_str(&format!("\nmore from {}: give --start", text_or_hex(&next.0)));
        }
        text
    });
    Ok(())
}
