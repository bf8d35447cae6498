//! The waiting transactions of one sender.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::mempool::VerifiedTransaction;
use crate::state::{Account, Slot, State};
use crate::types::Address;

/// A transaction and when it came: a number that grows with each arrival in the pool.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) transaction: Arc<VerifiedTransaction>,
    pub(super) arrival: u64,
}

/// Transactions by nonce.
///
/// Invariants: no nonce is below that of the account; from there on `run` nonces are there and the one
/// behind them is not; `bytes` is the sum of the encoded lengths.
#[derive(Debug)]
pub(super) struct Queue {
    slot: Slot,
    /// On the last committed state. Its nonce is the next one.
    account: Account,
    /// How many transactions could execute one after the other.
    run: u64,
    waiting: BTreeMap<u64, Waiting>,
    bytes: usize,
    /// When one of its transactions was executed last, as arrivals count.
    served: u64,
}

impl Queue {
    pub(super) fn new(state: &State, sender: Address) -> Self {
        let slot = Slot::account(sender);
        let account = state.account_at(&slot);
        Self { slot, account, run: 0, waiting: BTreeMap::new(), bytes: 0, served: 0 }
    }

    /// The account on the last committed state, without a walk through that.
    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many transactions wait behind a nonce that is missing.
    pub(super) fn gapped_len(&self) -> usize {
        self.len() - self.run_len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn run_len(&self) -> usize {
        usize::try_from(self.run).expect("a run is no longer than the queue")
    }

    /// The first nonce that no transaction is waiting with.
    pub(super) fn next_nonce(&self) -> u64 {
        self.account.nonce + self.run
    }

    pub(super) fn get(&self, nonce: u64) -> Option<&Arc<VerifiedTransaction>> {
        self.waiting.get(&nonce).map(|waiting| &waiting.transaction)
    }

    /// The transaction that could execute now.
    pub(super) fn first(&self) -> Option<&Arc<VerifiedTransaction>> {
        self.get(self.account.nonce)
    }

    /// Since when the sender waits for its turn: for the transaction that could execute now, and not
    /// since before it had its last turn.
    pub(super) fn turn(&self) -> Option<u64> {
        self.waiting.get(&self.account.nonce).map(|waiting| waiting.arrival.max(self.served))
    }

    /// All transactions, first the one that can wait longest: the one with the highest nonce.
    pub(super) fn last_first(&self) -> impl Iterator<Item = &Arc<VerifiedTransaction>> {
        self.waiting.values().rev().map(|waiting| &waiting.transaction)
    }

    /// Those behind a nonce that is missing, the last one first.
    pub(super) fn gapped(&self) -> impl Iterator<Item = &Arc<VerifiedTransaction>> {
        self.last_first().take(self.gapped_len())
    }

    /// Whether some were executed in `state`, which is that of a later block than the last committed
    /// one; and what could execute on top of it, in order.
    pub(super) fn run_on(
        &self,
        state: &State,
    ) -> (bool, impl Iterator<Item = &Arc<VerifiedTransaction>>) {
        let end = self.next_nonce();
        let start = state.account_at(&self.slot).nonce.clamp(self.account.nonce, end);
        let run = self.waiting.range(start..end).map(|(_, waiting)| &waiting.transaction);
        (start > self.account.nonce, run)
    }

    /// Adds a transaction whose nonce is free and not used up.
    pub(super) fn insert(&mut self, waiting: Waiting) {
        let nonce = waiting.transaction.transaction().payload.nonce;
        let next = self.account.nonce;
        assert!(nonce >= next, "nonce {nonce} is below {next}");
        self.bytes += waiting.transaction.encoded_len();
        let before = self.waiting.insert(nonce, waiting);
        assert!(before.is_none(), "nonce {nonce} was taken");
        self.extend_run();
    }

    pub(super) fn remove(&mut self, nonce: u64) -> Option<Waiting> {
        let removed = self.waiting.remove(&nonce)?;
        self.bytes -= removed.transaction.encoded_len();
        // It cuts the run where it stood in it.
        self.run = self.run.min(nonce - self.account.nonce);
        Some(removed)
    }

    /// Follows the account and gives back what lies below its next nonce. `now` is an arrival's number
    /// that nothing else has.
    pub(super) fn advance(&mut self, account: Account, now: u64) -> Vec<Waiting> {
        let before = std::mem::replace(&mut self.account, account).nonce;
        let next = account.nonce;
        if next <= before {
            return Vec::new();
        }
        self.served = now;
        let rest = self.waiting.split_off(&next);
        let gone: Vec<Waiting> = std::mem::replace(&mut self.waiting, rest).into_values().collect();
        self.bytes -= gone.iter().map(|waiting| waiting.transaction.encoded_len()).sum::<usize>();
        self.run = self.run.saturating_sub(next - before);
        self.extend_run();
        gone
    }

    fn extend_run(&mut self) {
        while self.waiting.contains_key(&self.next_nonce()) {
            self.run += 1;
        }
    }
}
