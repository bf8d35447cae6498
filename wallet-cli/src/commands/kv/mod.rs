//! `kv`: the key-value store.

mod namespaces;
mod reading;
mod watching;

use chain::transaction::{Body, Expected};
use node_api::HexBytes;
use serde_json::Value;

use crate::args::{Form, Global, KvCommand};
use crate::failure::{Failure, Outcome};
use crate::output::text_or_hex;
use crate::submission;

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
        KvCommand::Cas { key, value, expected, form, sending } => {
            let (key, value) = (bytes(&key, form)?, bytes(&value, form)?);
            let (expected, condition) = match (expected.version, expected.expected) {
                (Some(version), _) => {
                    (Expected::Version(version), format!("has version {version}"))
                }
                (None, Some(text)) => {
                    let value = bytes(&text, form)?;
                    let condition = format!("is {}", text_or_hex(&value));
                    (Expected::Value(value), condition)
                }
                (None, None) => (Expected::Absent, "does not exist".to_owned()),
            };
            let (key_text, value_text) = (text_or_hex(&key), text_or_hex(&value));
            let summary = format!("put {key_text} = {value_text} if it {condition}");
            let body = Body::CompareAndSwap { key, expected, value };
            submission::run(global, &sending, body, &summary).await
        }
        KvCommand::Get { key, read, form } => {
            reading::get(global, bytes(&key, form)?, read.level(), form).await
        }
        KvCommand::List { prefix, limit, start, read, form } => {
            let start = start.map(|start| bytes(&start, form)).transpose()?;
            reading::list(global, bytes(&prefix, form)?, start, limit, read.level()).await
        }
        KvCommand::Watch(watch) => watching::watch(global, &watch).await,
        KvCommand::Namespace(command) => namespaces::run(global, command).await,
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

/// The text that bytes are, or null.
fn as_text(bytes: &HexBytes) -> Value {
    std::str::from_utf8(&bytes.0).map_or(Value::Null, Value::from)
}
