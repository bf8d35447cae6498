//! The thread that verifies signatures and fills the mempool.

use std::sync::Arc;

use chain::mempool::{RejectReason, VerifiedTransaction};
use tokio_util::sync::CancellationToken;

use super::queue::Waiting;
use super::{ANNOUNCED, BATCH, Origin, Shared, SubmitError, lock};

/// What the thread owns. Dropped when it ends, however it does.
pub(super) struct Worker {
    shared: Arc<Shared>,
    ended: CancellationToken,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Who waits for a verdict hears that there will be none.
        self.shared.queue.close();
        self.ended.cancel();
    }
}

impl Worker {
    pub(super) const fn new(shared: Arc<Shared>, ended: CancellationToken) -> Self {
        Self { shared, ended }
    }

    /// Verifies whatever waits until the queue is closed.
    pub(super) fn run(self) {
        while let Some(batch) = self.shared.queue.take(BATCH) {
            admit(&self.shared, batch);
        }
    }
}

/// Verifies a batch together and takes in what is good.
fn admit(shared: &Shared, batch: Vec<Waiting>) {
    let (transactions, rest): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|item| (item.transaction, (item.origin, item.ticket))).unzip();
    // A block may have brought some of them sooner: execution checked those.
    let known: Vec<bool> = {
        let verified = lock(&shared.verified);
        transactions.iter().map(|item| verified.contains(&item.hash())).collect()
    };
    let checked = VerifiedTransaction::check_batch(transactions, &known, shared.verifier.as_ref());
    let mut own = Vec::new();
    let mut verdicts = Vec::with_capacity(rest.len());
    let mut admitted = false;
    {
        let mut verified = lock(&shared.verified);
        let mut mempool = lock(&shared.mempool);
        for (checked, (origin, ticket)) in checked.into_iter().zip(rest) {
            let verdict = checked.map_err(RejectReason::from).and_then(|transaction| {
                let hash = transaction.hash();
                verified.insert(hash);
                mempool.insert(Arc::clone(&transaction))?;
                admitted = true;
                if origin == Origin::Local {
                    own.push(transaction);
                }
                Ok(hash)
            });
            verdicts.push((ticket, verdict));
        }
    }
    if admitted {
        (shared.hooks.wake)();
    }
    announce(shared, own);
    for (ticket, verdict) in verdicts {
        ticket.give(verdict.map_err(SubmitError::from));
    }
}

/// Hands own transactions to gossip, and remembers them in case they get lost.
fn announce(shared: &Shared, own: Vec<Arc<VerifiedTransaction>>) {
    if own.is_empty() {
        return;
    }
    {
        let mut remembered = lock(&shared.own);
        remembered.extend(own.iter().map(|transaction| transaction.hash()));
        let over = remembered.len().saturating_sub(ANNOUNCED);
        remembered.drain(..over);
    }
    // A full channel only delays them: they are announced again.
    let _ = shared.hooks.gossip.try_send(own);
}
