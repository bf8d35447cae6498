//! `kv watch`.

use std::time::{Duration, Instant};

use jsonrpsee::core::client::Subscription;
use node_api::kv::{Cursor, KvChange, KvEvent};

use super::bytes;
use super::reading::{authorize, authorized, is_forbidden};
use crate::args::{Global, KvWatch};
use crate::connection::Node;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, text_or_hex};

/// Shortest time between two tokens at one cursor: a new one is then no help.
const TOKEN_PAUSE: Duration = Duration::from_secs(60);

/// Shows every change. Where the node wants a token on the way, or the last one has expired, it goes
/// on with a new one.
pub(super) async fn watch(global: &Global, watch: &KvWatch) -> Outcome<()> {
    let prefix = bytes(&watch.prefix, watch.form)?;
    let mut node = Node::choose(global)?;
    let mut position = Position { cursor: watch.from, left: watch.count.unwrap_or(u64::MAX) };
    let mut renewed: Option<(Instant, Option<Cursor>)> = None;
    loop {
        let from = position.cursor;
        let subscribed =
            authorized(global, &mut node, &prefix, async |node| node.kv_watch(&prefix, from).await);
        let (_client, changes) = subscribed.await?;
        let Err(ended) = follow(Output { json: global.json }, &node, changes, &mut position).await
        else {
            return Ok(());
        };
        let cursor = position.cursor;
        let in_vain = renewed.is_some_and(|(at, of)| of == cursor && at.elapsed() < TOKEN_PAUSE);
        if !is_forbidden(&ended) || in_vain {
            return Err(match cursor {
                Some(cursor) => ended.say(&format!("go on with --from {cursor}")),
                None => ended,
            });
        }
        authorize(global, &mut node, &prefix, ended).await?;
        renewed = Some((Instant::now(), cursor));
    }
}

/// How far a watch is, and how many changes it is to show yet.
struct Position {
    cursor: Option<Cursor>,
    left: u64,
}

/// Shows changes until there were enough or the user has had enough.
///
/// # Errors
/// What the subscription ended with.
async fn follow(
    output: Output,
    node: &Node,
    mut changes: Subscription<KvEvent>,
    position: &mut Position,
) -> Outcome<()> {
    while position.left > 0 {
        let event = tokio::select! {
            event = changes.next() => event,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        match event {
            None => return Err(node.lost()),
            Some(Err(error)) => return Err(node.lost().say(&error.to_string())),
            Some(Ok(KvEvent::Progress { cursor, .. })) => position.cursor = Some(cursor),
            Some(Ok(KvEvent::Change(change))) => {
                position.cursor = Some(change.cursor);
                output.result(&change, || line(&change));
                position.left -= 1;
            }
            Some(Ok(KvEvent::Ended { cursor, code, message })) => {
                position.cursor = Some(cursor);
                return Err(Failure::refused(Some(code.name().to_owned()), message));
            }
        }
    }
    Ok(())
}

fn line(change: &KvChange) -> String {
    let KvChange { cursor, height, key, value, version, .. } = change;
    let key = text_or_hex(&key.0);
    match (value, version) {
        (Some(value), Some(version)) => format!(
            "{cursor}  block {height}  {key} = {}  (version {version})",
            text_or_hex(&value.0)
        ),
        (Some(value), None) => {
            format!("{cursor}  block {height}  {key} = {}", text_or_hex(&value.0))
        }
        (None, _) => format!("{cursor}  block {height}  {key} deleted"),
    }
}
