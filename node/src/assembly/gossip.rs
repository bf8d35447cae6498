//! Transactions between the pool and the network.

use std::sync::Arc;
use std::time::Duration;

use chain::mempool::VerifiedTransaction;
use futures::StreamExt as _;
use tokio::sync::mpsc;

use crate::network::{NetworkHandle, PeerTransactions};
use crate::pool::{Origin, PeerVerdict, TransactionPool};

/// Batches of peers that are verified at one time: the pool puts them together.
const BATCHES_AT_ONCE: usize = 16;
/// How long an own transaction waits before it is told again: longer than finality takes.
const TELL_AGAIN: Duration = Duration::from_millis(400);
/// Most transactions that are told again at one time.
const AGAIN: usize = 1024;

/// Tells the network of transactions that clients handed to this node.
pub(super) async fn tell(
    mut new: mpsc::Receiver<Vec<Arc<VerifiedTransaction>>>,
    network: NetworkHandle,
) {
    while let Some(group) = new.recv().await {
        // What finds no room is told again below.
        network.gossip_transactions(group.iter().map(|item| item.transaction()));
    }
}

/// Tells the network again of own transactions that wait for long: gossip does not guarantee
/// delivery, and a leader that never heard of one would be blamed for it.
pub(super) async fn tell_again(pool: TransactionPool, network: NetworkHandle) {
    let mut earlier: Vec<Arc<VerifiedTransaction>> = Vec::new();
    let mut tick = tokio::time::interval(TELL_AGAIN);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let waiting = earlier.iter().filter(|item| pool.is_pending(&item.hash()));
        network.gossip_transactions(waiting.map(|item| item.transaction()));
        earlier = pool.announce_again(AGAIN);
    }
}

/// Takes in what peers tell, and judges them by it.
pub(super) async fn hear(batches: mpsc::Receiver<PeerTransactions>, pool: TransactionPool) {
    let batches = futures::stream::unfold(batches, async |mut batches| {
        batches.recv().await.map(|batch| (batch, batches))
    });
    batches.for_each_concurrent(BATCHES_AT_ONCE, |batch| take_in(batch, &pool)).await;
}

async fn take_in(mut batch: PeerTransactions, pool: &TransactionPool) {
    let transactions = std::mem::take(&mut batch.transactions);
    let verdicts = pool.submit_many(transactions, Origin::Peer).await;
    match PeerVerdict::of(&verdicts) {
        PeerVerdict::Accept => batch.accept(),
        PeerVerdict::Ignore => batch.ignore(),
        PeerVerdict::Reject => batch.reject(),
    }
}
