//! Blocks on their way to subscribers: turned into JSON once, whoever listens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chain::receipt::Receipt;
use chain::types::{Digest, Height};
use node_api::block::{BlockEvent, BlockNotice, BlockStatus};
use serde_json::value::RawValue;
use tokio::sync::broadcast;

use super::convert;
use crate::chain_view::{self, BlockUpdate, ChainView};

/// Notices that a subscriber may fall behind before it misses some.
const BACKLOG: usize = 256;
/// Most subscribers that get the hashes of transactions: their notices are large.
const MAX_DETAILED: usize = 32;

/// A block in JSON.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) brief: Box<RawValue>,
    /// With the transactions, if anyone wanted them by then.
    pub(super) detailed: Option<Box<RawValue>>,
}

/// What subscribers receive.
#[derive(Clone, Debug)]
pub(super) enum Passed {
    Block(Arc<Notice>),
    /// The relay itself was too slow.
    Missed(u64),
}

/// Where subscribers listen.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    ordered: broadcast::Sender<Passed>,
    finals: broadcast::Sender<Passed>,
    detailed: Arc<AtomicUsize>,
}

/// A listener that gets transactions; one less when dropped.
#[derive(Debug)]
pub(super) struct Detailed(Arc<AtomicUsize>);

impl Drop for Detailed {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Relay {
    pub(super) fn new() -> Self {
        Self {
            ordered: broadcast::channel(BACKLOG).0,
            finals: broadcast::channel(BACKLOG).0,
            detailed: Arc::default(),
        }
    }

    /// Every block that reaches a status from now on. `ordered` means at least that: a block that
    /// becomes final at once is told as final.
    pub(super) fn listen(&self, status: BlockStatus) -> broadcast::Receiver<Passed> {
        match status {
            BlockStatus::Ordered => self.ordered.subscribe(),
            BlockStatus::Final => self.finals.subscribe(),
        }
    }

    /// Asks for transactions in the notices; `None` where too many did.
    pub(super) fn want_transactions(&self) -> Option<Detailed> {
        self.detailed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < MAX_DETAILED).then_some(count + 1)
            })
            .ok()?;
        Some(Detailed(Arc::clone(&self.detailed)))
    }

    /// Passes updates on for ever.
    pub(super) async fn run(self, view: ChainView) {
        let mut updates = view.subscribe();
        let mut told = Told::default();
        loop {
            match updates.recv().await {
                Ok(update) => self.pass(&update, &mut told),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    // Nobody may be listening.
                    let _ = self.ordered.send(Passed::Missed(missed));
                    let _ = self.finals.send(Passed::Missed(missed));
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    fn pass(&self, update: &BlockUpdate, told: &mut Told) {
        let is_final = update.status == chain_view::BlockStatus::Final;
        let new = told.note(update);
        let to_ordered = new && self.ordered.receiver_count() > 0;
        let to_finals = is_final && self.finals.receiver_count() > 0;
        if !to_ordered && !to_finals {
            return;
        }
        let notice = Arc::new(self.notice(update));
        if to_ordered {
            let _ = self.ordered.send(Passed::Block(Arc::clone(&notice)));
        }
        if to_finals {
            let _ = self.finals.send(Passed::Block(notice));
        }
    }

    fn notice(&self, update: &BlockUpdate) -> Notice {
        let header = &update.block.header;
        let mut notice = BlockNotice {
            status: convert::block_status(update.status),
            height: header.height,
            hash: update.block.hash(),
            epoch: header.epoch,
            view: header.view,
            mode: header.mode,
            proposer: header.proposer,
            timestamp_ms: header.timestamp_ms,
            transaction_count: update.executed.transactions.len() as u32,
            transactions: None,
            failed: None,
        };
        let brief = json(&BlockEvent::Block(notice.clone()));
        let detailed = (self.detailed.load(Ordering::Relaxed) > 0).then(|| {
            notice.transactions = Some(update.executed.transactions.clone());
            if notice.status == BlockStatus::Final {
                notice.failed = Some(failed(&update.executed.receipts));
            }
            json(&BlockEvent::Block(notice))
        });
        Notice { brief, detailed }
    }
}

/// Places of the transactions that execution refused.
fn failed(receipts: &[Receipt]) -> Vec<u32> {
    (0u32..)
        .zip(receipts)
        .filter(|(_, receipt)| !receipt.outcome.is_success())
        .map(|(place, _)| place)
        .collect()
}

/// The JSON text of an event.
pub(super) fn json(event: &impl serde::Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(event)
        .expect("events are text, numbers and lists, which JSON can always hold")
}

/// Blocks above the final one that were told as ordered; as many as the engine has in flight.
#[derive(Debug, Default)]
struct Told(BTreeMap<Height, Digest>);

impl Told {
    /// Notes an update; whether it is the first of its block.
    fn note(&mut self, update: &BlockUpdate) -> bool {
        let (height, hash) = (update.block.header.height, update.block.hash());
        match update.status {
            chain_view::BlockStatus::Ordered => self.0.insert(height, hash) != Some(hash),
            chain_view::BlockStatus::Final => {
                let first = self.0.get(&height) != Some(&hash);
                self.0 = self.0.split_off(&height.next());
                first
            }
        }
    }
}
