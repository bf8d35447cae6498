//! Changes of keys, one final block after the other, at the subscriber's pace.
//!
//! They are read from the stored blocks and receipts, so a subscriber that is slow or was away
//! misses nothing; what it has not taken costs no memory here.

use std::sync::Arc;
use std::time::Duration;

use chain::block::SealedBlock;
use chain::reading::ReadToken;
use chain::receipt::{Outcome, Receipt};
use chain::transaction::{Body, Transaction};
use jsonrpsee::SubscriptionSink;
use jsonrpsee::core::SubscriptionResult;
use node_api::kv::{Cursor, KvChange, KvEvent};
use node_api::{ApiError, ErrorCode, HexBytes};
use tokio::time::Instant;

use super::{may_read, readers};
use crate::rpc::relay::json;
use crate::rpc::{Context, errors};

/// Most subscribers at one time: each reads the chain for itself.
pub(super) const MAX_WATCHERS: usize = 64;
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
        let next = next.max(Cursor::at(chain::types::Height::new(1)));
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

    /// Tells what the next block changed.
    async fn tell_block(&mut self, sink: &SubscriptionSink) -> Result<(), Stop> {
        let height = self.next.height;
        let found = self.context.view.final_block(height).await;
        let found = found.map_err(|error| errors::store(&error))?;
        let Some((block, receipts)) = found else {
            let problem = format!("block {height} is not kept here any more");
            return Err(errors::not_found(problem).into());
        };
        for change in changes(&block, &receipts, &self.prefix, self.next.index) {
            readers::still_holds(self.token.as_ref())?;
            may_read(&self.context.view.head().state, &change.key.0, self.token.as_ref())?;
            let cursor = change.cursor;
            send(sink, &KvEvent::Change(change)).await?;
            self.next = cursor;
            self.told = Some((Instant::now(), cursor));
        }
        self.next = Cursor::at(height.next());
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

/// What a block's transactions, from a place on, changed below a prefix.
fn changes(block: &SealedBlock, receipts: &[Receipt], prefix: &[u8], from: u32) -> Vec<KvChange> {
    let height = block.header.height;
    let places = (0u32..).zip(block.transactions.iter().zip(receipts)).skip(from as usize);
    let changed = places.filter_map(|(place, (transaction, receipt))| {
        let Transaction::Signed(signed) = transaction else {
            return None;
        };
        let (key, value) = match &signed.payload.body {
            Body::Put { key, value } | Body::CompareAndSwap { key, value, .. } => {
                (key, Some(value))
            }
            Body::Delete { key } => (key, None),
            _ => return None,
        };
        if !key.starts_with(prefix) || !receipt.outcome.is_success() {
            return None;
        }
        let version = match receipt.outcome {
            Outcome::Written { version } => Some(version),
            Outcome::Success | Outcome::Failed(_) => None,
        };
        Some(KvChange {
            cursor: Cursor { height, index: place + 1 },
            height,
            transaction: receipt.transaction,
            key: HexBytes(key.clone()),
            value: value.map(|value| HexBytes(value.clone())),
            version,
        })
    });
    changed.collect()
}
