//! Blocks on their way to subscribers: turned into JSON once, whoever listens.
//!
//! A notice with the hashes of a full block's transactions has a megabyte. The relay alone keeps
//! these, as many as it may; who comes too late for one has missed it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use chain::receipt::Receipt;
use chain::types::{Digest, Height};
use node_api::block::{BlockEvent, BlockNotice, BlockStatus};
use serde_json::value::RawValue;
use tokio::sync::broadcast;

use super::convert;
use crate::chain_view::{self, BlockUpdate, ChainView};

/// Notices that a subscriber may fall behind before it misses some.
const BACKLOG: usize = 256;
/// Bytes of notices with transactions that are kept for subscribers who are behind.
const BACKLOG_BYTES: usize = 16 * 1024 * 1024;
/// Most subscribers that get the hashes of transactions: their notices are large.
const MAX_DETAILED: usize = 16;

/// A block in JSON.
#[derive(Debug)]
pub(super) struct Notice {
    brief: Box<RawValue>,
    /// With the transactions, if anyone wanted them by then.
    detailed: Option<Weak<RawValue>>,
}

impl Notice {
    /// The text for a subscriber; `None` where it came too late for it.
    pub(super) fn text(&self, with_transactions: bool) -> Option<Box<RawValue>> {
        match &self.detailed {
            Some(detailed) if with_transactions => {
                detailed.upgrade().map(|text| (*text).to_owned())
            }
            _ => Some(self.brief.clone()),
        }
    }
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
        let (mut told, mut kept) = (Told::default(), Kept::default());
        loop {
            match updates.recv().await {
                Ok(update) => self.pass(&update, &mut told, &mut kept),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    // Nobody may be listening.
                    let _ = self.ordered.send(Passed::Missed(missed));
                    let _ = self.finals.send(Passed::Missed(missed));
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    fn pass(&self, update: &BlockUpdate, told: &mut Told, kept: &mut Kept) {
        let is_final = update.status == chain_view::BlockStatus::Final;
        let new = told.note(update);
        let to_ordered = new && self.ordered.receiver_count() > 0;
        let to_finals = is_final && self.finals.receiver_count() > 0;
        if !to_ordered && !to_finals {
            return;
        }
        let notice = Arc::new(self.notice(update, kept));
        if to_ordered {
            let _ = self.ordered.send(Passed::Block(Arc::clone(&notice)));
        }
        if to_finals {
            let _ = self.finals.send(Passed::Block(notice));
        }
    }

    fn notice(&self, update: &BlockUpdate, kept: &mut Kept) -> Notice {
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
            kept.keep(json(&BlockEvent::Block(notice)).into())
        });
        Notice { brief, detailed }
    }
}

/// The newest notices with transactions, at most [`BACKLOG_BYTES`] of them.
#[derive(Debug, Default)]
struct Kept {
    notices: VecDeque<Arc<RawValue>>,
    bytes: usize,
}

impl Kept {
    fn keep(&mut self, notice: Arc<RawValue>) -> Weak<RawValue> {
        let weak = Arc::downgrade(&notice);
        self.bytes += notice.get().len();
        self.notices.push_back(notice);
        while self.bytes > BACKLOG_BYTES || self.notices.len() > BACKLOG {
            let Some(oldest) = self.notices.pop_front() else {
                break;
            };
            self.bytes -= oldest.get().len();
        }
        weak
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_that_are_kept_are_bounded_in_bytes_and_number() {
        let notice = |bytes: usize| json(&"x".repeat(bytes));
        let mut kept = Kept::default();
        let megabyte: Vec<Notice> = (0..40)
            .map(|_| {
                let detailed = Some(kept.keep(notice(1 << 20).into()));
                Notice { brief: notice(1), detailed }
            })
            .collect();
        assert!(kept.bytes <= BACKLOG_BYTES);
        let there = megabyte.iter().filter(|notice| notice.text(true).is_some()).count();
        assert_eq!(there, 15, "16 with their quotes are too many");
        assert!(megabyte[39].text(true).is_some_and(|text| text.get().len() > 1 << 20));
        assert!(megabyte.iter().all(|notice| notice.text(false).is_some()), "brief ones stay");
        for _ in 0..2 * BACKLOG {
            kept.keep(notice(1).into());
        }
        assert_eq!((kept.notices.len(), kept.bytes), (BACKLOG, 3 * BACKLOG));
        assert!(megabyte[39].text(true).is_none());
    }
}
