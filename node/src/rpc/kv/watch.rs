//! Changes of keys, one final block after the other, at the subscriber's pace.
//!
//! They are read from the stored blocks and receipts, so a subscriber that is slow or was away
//! misses nothing; of what it has not taken, a part of one block is in memory here.

use std::sync::Arc;
use std::time::Duration;

use chain::reading::ReadToken;
use chain::receipt::{Outcome, Receipt};
use chain::transaction::{Body, Transaction};
use chain::types::Height;
use jsonrpsee::SubscriptionSink;
use jsonrpsee::core::SubscriptionResult;
use node_api::kv::{Cursor, KvChange, KvEvent};
use node_api::{ApiError, ErrorCode, HexBytes};
use tokio::time::Instant;

use super::{may_read, readers};
use crate::chain_view::ChainView;
use crate::rpc::relay::json;
use crate::rpc::{Context, errors};
use crate::storage::StoreError;

/// Most subscribers at one time: each reads the chain for itself.
pub(super) const MAX_WATCHERS: usize = 64;
/// Bytes of keys and values that are read ahead of a subscriber; one more change comes on top.
const PART_BYTES: usize = 256 * 1024;
/// Time after which a subscriber that hears of no change hears how far the chain is.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Somebody who watches keys.
pub(super) struct Watch {
    context: Arc<Context>,
    prefix: Vec<u8>,
    token: Option<ReadToken>,
    /// Everything before it was told.
    next: Cursor,
    /// When the subscriber heard last how far the chain is, and how far it was.
    told: Option<(Instant, Cursor)>,
}

/// Why no more is told.
enum Stop {
    /// The subscriber is gone.
    Closed,
    Ended(ApiError),
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        Self::Ended(error)
    }
}

impl Watch {
    /// # Errors
    /// [`ApiError`] where the keys may not be read, or the node is not as far as the cursor.
    pub(super) fn new(
        context: Arc<Context>,
        prefix: Vec<u8>,
        from: Option<Cursor>,
        token: Option<ReadToken>,
    ) -> Result<Self, ApiError> {
        let head = context.view.head();
        may_read(&head.state, &prefix, token.as_ref())?;
        let now = Cursor::at(head.height.next());
        let next = from.unwrap_or(now);
        if next > now {
            return Err(ApiError::new(
                ErrorCode::Unavailable,
                format!("the last final block here is {}: the cursor {next} is ahead", head.height),
            ));
        }
        // The genesis has no transactions.
        let next = next.max(Cursor::at(Height::new(1)));
        Ok(Self { context, prefix, token, next, told: None })
    }

    /// Tells every change until the subscriber goes.
    pub(super) async fn run(mut self, sink: SubscriptionSink) -> SubscriptionResult {
        let stop = match self.follow(&sink).await {
            Err(stop) => stop,
            Ok(never) => match never {},
        };
        if let Stop::Ended(ApiError { code, message }) = stop {
            let ended = KvEvent::Ended { cursor: self.next, code, message };
            sink.send(json(&ended)).await?;
        }
        Ok(())
    }

    async fn follow(&mut self, sink: &SubscriptionSink) -> Result<std::convert::Infallible, Stop> {
        let mut finals = self.context.view.final_height();
        loop {
            let head = *finals.borrow_and_update();
            while self.next.height <= head {
                self.tell_block(sink).await?;
            }
            self.tell_progress(sink).await?;
            tokio::select! {
                () = sink.closed() => return Err(Stop::Closed),
                changed = finals.changed() => changed.map_err(|_| Stop::Closed)?,
                () = tokio::time::sleep(PROGRESS_EVERY) => {}
            }
        }
    }

    /// Tells what the next block changed, or a part of that.
    async fn tell_block(&mut self, sink: &SubscriptionSink) -> Result<(), Stop> {
        let (from, prefix) = (self.next, self.prefix.clone());
        let found = self.context.view.read(move |view| changes(view, from, &prefix)).await;
        let Part { changes, is_last } = found.map_err(|error| errors::store(&error))?;
        for change in changes {
            readers::still_holds(self.token.as_ref())?;
            may_read(&self.context.view.head().state, &change.key.0, self.token.as_ref())?;
            let cursor = change.cursor;
            send(sink, &KvEvent::Change(change)).await?;
            self.next = cursor;
            self.told = Some((Instant::now(), cursor));
        }
        if is_last {
            self.next = Cursor::at(from.height.next());
        }
        self.tell_progress(sink).await
    }

    /// Says how far the chain is, where that was not heard for a while, or never.
    async fn tell_progress(&mut self, sink: &SubscriptionSink) -> Result<(), Stop> {
        let due = self
            .told
            .is_none_or(|(at, cursor)| cursor != self.next && at.elapsed() >= PROGRESS_EVERY);
        if !due {
            return Ok(());
        }
        readers::still_holds(self.token.as_ref())?;
        let (cursor, height) = (self.next, self.next.height.previous());
        send(sink, &KvEvent::Progress { cursor, height }).await?;
        self.told = Some((Instant::now(), self.next));
        Ok(())
    }
}

/// Waits until the subscriber takes it.
async fn send(sink: &SubscriptionSink, event: &KvEvent) -> Result<(), Stop> {
    sink.send(json(event)).await.map_err(|_| Stop::Closed)
}

/// Some of the changes in a block.
struct Part {
    changes: Vec<KvChange>,
    /// Whether the block has no more.
    is_last: bool,
}

/// What the transactions of a final block from a cursor on changed below a prefix: as much as a
/// subscriber may keep waiting in memory.
fn changes(view: &ChainView, from: Cursor, prefix: &[u8]) -> Result<Part, StoreError> {
    let mut part = Part { changes: Vec::new(), is_last: true };
    let block = view.block_at(from.height)?;
    let Some((block, receipts)) = block.zip(view.receipts(from.height)?) else {
        return Ok(part);
    };
    let mut bytes = 0;
    let executed = (0u32..).zip(block.transactions.iter().zip(&receipts));
    for (place, (transaction, receipt)) in executed.skip(from.index as usize) {
        let Transaction::Signed(signed) = transaction else {
            continue;
        };
        let Some(change) = change(from.height, place, &signed.payload.body, receipt, prefix) else {
            continue;
        };
        if bytes > PART_BYTES {
            part.is_last = false;
            break;
        }
        bytes += change.key.0.len() + change.value.as_ref().map_or(0, |value| value.0.len());
        part.changes.push(change);
    }
    Ok(part)
}

/// What a transaction did to a key with a prefix, if it did anything.
fn change(
    height: Height,
    place: u32,
    body: &Body,
    receipt: &Receipt,
    prefix: &[u8],
) -> Option<KvChange> {
    let key = body.key().filter(|key| key.starts_with(prefix))?;
    let value = match body {
        Body::Put { value, .. } | Body::CompareAndSwap { value, .. } => Some(value),
        _ => None,
    };
    let version = match receipt.outcome {
        Outcome::Written { version } => Some(version),
        Outcome::Success => None,
        Outcome::Failed(_) => return None,
    };
    Some(KvChange {
        cursor: Cursor { height, index: place + 1 },
        height,
        transaction: receipt.transaction,
        key: HexBytes(key.to_vec()),
        value: value.map(|value| HexBytes(value.clone())),
        version,
    })
}
