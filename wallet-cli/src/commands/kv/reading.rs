//! `kv get` and `kv list`.

use chain::codec;
use chain::namespace;
use chain::reading::{ReadClaim, Scope};
use node_api::kv::{KvEntry, KvPage, ReadLevel};
use node_api::limits::MAX_SCAN;
use node_api::{ErrorCode, HexBytes};
use serde_json::json;

use super::as_text;
use crate::args::{Form, Global};
use crate::connection::Node;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, table, text_or_hex};
use crate::signing::Selected;
use crate::verification::{Proven, Verification, warn_unproven};

/// How long a token opens what it opens: it goes to a node that might show it to others.
const TOKEN_LIFE_MS: u64 = 10 * 60 * 1000;

/// Calls a node, once more with a token where it wants one.
pub(super) async fn authorized<T>(
    global: &Global,
    node: &mut Node,
    prefix: &[u8],
    call: impl AsyncFn(&Node) -> Outcome<T>,
) -> Outcome<T> {
    match call(node).await {
        Err(refusal) if is_forbidden(&refusal) => {
            authorize(global, node, prefix, refusal).await?;
            call(node).await
        }
        answer => answer,
    }
}

pub(super) fn is_forbidden(failure: &Failure) -> bool {
    failure.reason.as_deref() == Some(ErrorCode::Forbidden.name())
}

/// Shows the node a token from now on.
///
/// # Errors
/// What it refused, where no key is there to sign one.
pub(super) async fn authorize(
    global: &Global,
    node: &mut Node,
    prefix: &[u8],
    refusal: Failure,
) -> Outcome<()> {
    let Ok(selected) = Selected::from(global) else {
        return Err(refusal.say("name a key that may with --key"));
    };
    let token = token(global, node, selected, prefix).await?;
    node.show_token(token);
    Ok(())
}

/// Lets its bearer read in the name of the key's account for a while: one namespace, where the
/// prefix names one.
async fn token(
    global: &Global,
    node: &Node,
    selected: Selected,
    prefix: &[u8],
) -> Outcome<HexBytes> {
    let chain_id = node.status().await?.chain_id;
    let account = selected.account(global);
    let key = selected.open(global)?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_err(|_| Failure::bad_arguments("the clock stands before 1970"))?;
    let claim = ReadClaim {
        chain_id,
        account: (account != key.public().address()).then_some(account),
        key: key.public(),
        scope: namespace::name_of(prefix)
            .map_or(Scope::Everything, |name| Scope::Namespace(name.to_vec())),
        expires_ms: now.as_millis() as u64 + TOKEN_LIFE_MS,
    };
    Ok(HexBytes(codec::encode(&claim.sign(&key))))
}

/// What a proof adds to an answer, where one is asked for.
fn verification(global: &Global, level: ReadLevel) -> Outcome<Option<Verification>> {
    let verification = Verification::from(global)?;
    if verification.is_some() && level == ReadLevel::Ordered {
        return Err(Failure::bad_arguments(
            "what is only ordered cannot be proven: --read ordered and --verify exclude each other",
        ));
    }
    Ok(verification)
}

pub(super) async fn get(
    global: &Global,
    key: Vec<u8>,
    level: ReadLevel,
    form: Form,
) -> Outcome<()> {
    let verification = verification(global, level)?;
    let mut node = Node::choose(global)?;
    let mut answer =
        authorized(global, &mut node, &key, async |node| node.kv_get(&key, level).await).await?;
    let mut proven = None;
    if let Some(verification) = &verification {
        let (said, height) = (answer.value.as_ref(), answer.height);
        let key = HexBytes(key);
        let Proven { value, block } = verification.entry(&node, &key, said, height).await?;
        if level == ReadLevel::Linearizable && block.height < height {
            let problem = format!("the node proves block {}, older than its answer", block.height);
            return Err(Failure::refused(None, problem));
        }
        let (value, version) = value.map(|entry| (HexBytes(entry.value), entry.version)).unzip();
        (answer.key, answer.value, answer.version) = (key, value, version);
        (answer.height, answer.block) = (block.height, block.hash);
        proven = Some(block);
    }
    let Some(value) = &answer.value else {
        let message = format!("there is no key {}", text_or_hex(&answer.key.0));
        return Err(Failure::refused(Some("not_found".to_owned()), message)
            .with("key", &answer.key)
            .with("status", answer.status)
            .with("height", answer.height));
    };
    let mut object = json!({
        "key": answer.key,
        "value": value,
        "text": as_text(value),
        "version": answer.version,
        "status": answer.status,
        "height": answer.height,
    });
    if let Some(block) = proven {
        object["proven"] = json!(block);
    }
    Output { json: global.json }
        .result(&object, || if form.hex { value.to_string() } else { text_or_hex(&value.0) });
    Ok(())
}

pub(super) async fn list(
    global: &Global,
    prefix: Vec<u8>,
    start: Option<Vec<u8>>,
    limit: u32,
    level: ReadLevel,
) -> Outcome<()> {
    let verification = verification(global, level)?;
    let mut node = Node::choose(global)?;
    let mut entries: Vec<KvEntry> = Vec::new();
    let mut next = start.map(HexBytes);
    let (height, status) = loop {
        let left = limit.saturating_sub(entries.len() as u32).clamp(1, MAX_SCAN);
        let page = authorized(global, &mut node, &prefix, async |node| {
            node.kv_scan(&prefix, next.clone(), left, level).await
        });
        let KvPage { entries: more, next: following, height, status, .. } = page.await?;
        let empty = more.is_empty();
        entries.extend(more);
        next = following;
        if next.is_none() || empty || entries.len() as u32 >= limit {
            break (height, status);
        }
    };
    if let Some(verification) = verification {
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
        "status": status,
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
