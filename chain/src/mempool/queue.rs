//! The waiting transactions of one sender.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::mempool::VerifiedTransaction;
use crate::state::{Account, Slot, State};
use crate::types::Address;

/// The place of a queue in the pool.
pub(super) type QueueId = usize;

/// A transaction and when it came: a number that grows with each arrival in the pool.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) transaction: Arc<VerifiedTransaction>,
    /// That of the transaction, at hand for searches.
    pub(super) nonce: u64,
    pub(super) arrival: u64,
}

impl Waiting {
    pub(super) fn new(transaction: Arc<VerifiedTransaction>, arrival: u64) -> Self {
        let nonce = transaction.transaction().payload.nonce;
        Self { transaction, nonce, arrival }
    }
}

/// What the [orders](super::orders::Orders) of the pool know of a queue. The default is that of an
/// empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rank {
    pub(super) bytes: usize,
    /// How many transactions could execute one after the other.
    pub(super) run: usize,
    /// How many wait behind a nonce that is missing.
    pub(super) gapped: usize,
    /// Since when the sender waits for its turn: for the transaction that could execute now, and not
    /// since before it had its last turn.
    pub(super) turn: Option<u64>,
}

/// Transactions in the order of their nonces.
///
/// Invariants: no nonce is below that of the account; the first `run` transactions have that one and
/// those that follow it, and the one behind them does not; `bytes` is the sum of the encoded lengths.
#[derive(Debug)]
pub(super) struct Queue {
    sender: Address,
    slot: Slot,
    /// On the last committed state. Its nonce is the next one.
    account: Account,
    run: usize,
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// When one of its transactions was executed last, as arrivals count.
    served: u64,
}

impl Queue {
    pub(super) fn new(state: &State, sender: Address) -> Self {
        let slot = Slot::account(sender);
        let account = state.account_at(&slot);
        let waiting = VecDeque::new();
        Self { sender, slot, account, run: 0, waiting, bytes: 0, served: 0 }
    }

    pub(super) fn sender(&self) -> Address {
        self.sender
    }

    /// The account on the last committed state, without a walk through that.
    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn rank(&self) -> Rank {
        let first = self.waiting.front().filter(|_| self.run > 0);
        Rank {
            bytes: self.bytes,
            run: self.run,
            gapped: self.len() - self.run,
            turn: first.map(|waiting| waiting.arrival.max(self.served)),
        }
    }

    /// The first nonce that no transaction is waiting with.
    pub(super) fn next_nonce(&self) -> u64 {
        self.account.nonce + self.run as u64
    }

    /// The place of a nonce, or the one where it belongs.
    fn place(&self, nonce: u64) -> Result<usize, usize> {
        self.waiting.binary_search_by_key(&nonce, |waiting| waiting.nonce)
    }

    pub(super) fn get(&self, nonce: u64) -> Option<&Arc<VerifiedTransaction>> {
        self.place(nonce).ok().map(|place| &self.waiting[place].transaction)
    }

    /// The transaction that could execute now.
    pub(super) fn first(&self) -> Option<&Arc<VerifiedTransaction>> {
        self.get(self.account.nonce)
    }

    /// All transactions, first the one that can wait longest: the one with the highest nonce.
    pub(super) fn last_first(&self) -> impl Iterator<Item = &Arc<VerifiedTransaction>> {
        self.waiting.iter().rev().map(|waiting| &waiting.transaction)
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    /// Those behind a nonce that is missing, the last one first.
    pub(super) fn gapped(&self) -> impl Iterator<Item = &Arc<VerifiedTransaction>> {
        self.last_first().take(self.len() - self.run)
    }

    /// Whether some were executed in `state`, which is that of a later block than the last committed
    /// one; and what could execute on top of it, in order.
    pub(super) fn run_on(
        &self,
        state: &State,
    ) -> (bool, impl Iterator<Item = &Arc<VerifiedTransaction>>) {
        let executed = state.account_at(&self.slot).nonce.saturating_sub(self.account.nonce);
        let start = usize::try_from(executed).unwrap_or(usize::MAX).min(self.run);
        (start > 0, self.waiting.range(start..self.run).map(|waiting| &waiting.transaction))
    }

    /// Adds a transaction whose nonce is free and not used up.
    pub(super) fn insert(&mut self, waiting: Waiting) {
        let (nonce, next) = (waiting.nonce, self.account.nonce);
        assert!(nonce >= next, "nonce {nonce} is below {next}");
        let Err(place) = self.place(nonce) else { panic!("nonce {nonce} was taken") };
        self.bytes += waiting.transaction.encoded_len();
        self.waiting.insert(place, waiting);
        self.extend_run();
    }

    pub(super) fn remove(&mut self, nonce: u64) -> Option<Waiting> {
        let place = self.place(nonce).ok()?;
        let removed = self.waiting.remove(place)?;
        self.bytes -= removed.transaction.encoded_len();
        // It cuts the run where it stood in it.
        self.run = self.run.min(place);
        Some(removed)
    }

    /// Follows the account and hands over what lies below its next nonce. `now` is an arrival's number
    /// that nothing else has.
    pub(super) fn advance(&mut self, account: Account, now: u64, mut gone: impl FnMut(&Waiting)) {
        let before = std::mem::replace(&mut self.account, account).nonce;
        let next = account.nonce;
        if next <= before {
            return;
        }
        self.served = now;
        while let Some(waiting) = self.waiting.pop_front_if(|waiting| waiting.nonce < next) {
            self.bytes -= waiting.transaction.encoded_len();
            self.run = self.run.saturating_sub(1);
            gone(&waiting);
        }
        self.extend_run();
    }

    fn extend_run(&mut self) {
        while self.waiting.get(self.run).is_some_and(|next| next.nonce == self.next_nonce()) {
            self.run += 1;
        }
    }
}
