//! Transactions that wait for a block.
//!
//! Bounded in every direction: transactions and bytes in all, transactions and nonces ahead per
//! sender, blocks until one expires. Fair under a flood: a block's candidates are taken round robin
//! over the senders, and when the pool is full, room for a newcomer that could execute is taken from
//! those that could not, else from whoever fills most of it.
//!
//! The pool holds the last committed state itself, so that no check uses another one than the queues
//! are kept by. Everything is ordered and cheap: no operation walks the pool, but for a change of who
//! may submit.

mod index;
mod limits;
mod orders;
mod queue;
mod reject;
mod verified;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use slab::Slab;

pub use limits::MempoolLimits;
pub use reject::RejectReason;
pub use verified::{HashedTransaction, VerifiedTransaction};

use crate::access::AccessMode;
use crate::state::{Change, RecordKey, RecordValue, State};
use crate::transaction::{Body, SignedTransaction};
use crate::types::{Address, Digest, Height};
use index::{Index, Place};
use orders::Orders;
use queue::{Queue, QueueId, Waiting};

/// The pool of a node.
#[derive(Debug)]
pub struct Mempool {
    chain_id: Digest,
    limits: MempoolLimits,
    /// The last committed state and the height of its block.
    state: State,
    height: Height,
    /// Whether anybody may submit, in that state.
    is_open: bool,
    /// One per sender with waiting transactions; none is empty. Everything else names them by their
    /// numbers, which are short and lead to them without a search.
    queues: Slab<Queue>,
    senders: BTreeMap<Address, QueueId>,
    index: Index,
    orders: Orders,
    arrivals: u64,
}

impl Mempool {
    /// An empty pool on the last committed state, which is that of the block at `height`.
    pub fn new(chain_id: Digest, limits: MempoolLimits, state: State, height: Height) -> Self {
        Self {
            chain_id,
            limits,
            is_open: state.parameters().access == AccessMode::Open,
            state,
            height,
            queues: Slab::new(),
            senders: BTreeMap::new(),
            index: Index::default(),
            orders: Orders::default(),
            arrivals: 0,
        }
    }

    /// How many transactions wait.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes wait, as encoded.
    pub fn bytes(&self) -> usize {
        self.index.bytes()
    }

    pub fn contains(&self, hash: &Digest) -> bool {
        self.index.contains(hash)
    }

    /// A waiting transaction.
    pub fn get(&self, hash: &Digest) -> Option<&Arc<VerifiedTransaction>> {
        let (queue, nonce) = self.index.place(hash)?;
        self.queues.get(queue)?.get(nonce)
    }

    /// How many transactions would execute on the last committed state, one after the other.
    pub fn executable_count(&self) -> usize {
        self.orders.executable
    }

    /// Of the transactions that would execute first of their sender, that of the one who waits
    /// longest for a turn.
    pub fn oldest_executable(&self) -> Option<Digest> {
        let (_, queue) = self.orders.ready.first_key_value()?;
        self.queues.get(*queue)?.first().map(|transaction| transaction.hash())
    }

    /// The nonce that the sender's next transaction should have: behind the last committed and
    /// whatever waits without a gap.
    pub fn next_nonce(&self, sender: &Address) -> u64 {
        match self.queue_of(sender) {
            Some((_, queue)) => queue.next_nonce(),
            None => self.state.account(sender).nonce,
        }
    }

    fn queue_of(&self, sender: &Address) -> Option<(QueueId, &Queue)> {
        let id = *self.senders.get(sender)?;
        Some((id, &self.queues[id]))
    }

    /// All checks but the signature, cheapest first. What passes is worth verifying.
    ///
    /// # Errors
    /// [`RejectReason`].
    pub fn precheck(&self, transaction: &HashedTransaction) -> Result<(), RejectReason> {
        let sender = transaction.sender();
        let room = match self.queue_of(&sender) {
            Some((_, queue)) => self.check(transaction, queue),
            None => self.check(transaction, &Queue::new(&self.state, sender)),
        };
        room.map(|_| ())
    }

    /// [`precheck`](Self::precheck) beside the sender's queue. Answers with what would have to make room.
    fn check(
        &self,
        hashed: &HashedTransaction,
        queue: &Queue,
    ) -> Result<Vec<Digest>, RejectReason> {
        let transaction = hashed.transaction();
        transaction.check_form(&self.chain_id)?;
        let payload = &transaction.payload;
        if payload.expiry <= self.height {
            return Err(RejectReason::Expired { expiry: payload.expiry, height: self.height });
        }
        if payload.expiry.get() - self.height.get() > self.limits.lifetime {
            return Err(RejectReason::ExpiryTooFar {
                expiry: payload.expiry,
                height: self.height,
                max: self.limits.lifetime,
            });
        }
        self.check_standing(&hashed.sender(), queue, transaction)?;
        let account = queue.account();
        if payload.nonce < account.nonce {
            return Err(RejectReason::NonceUsed { nonce: payload.nonce, next: account.nonce });
        }
        if payload.nonce - account.nonce >= self.limits.nonce_gap {
            return Err(RejectReason::NonceGap {
                nonce: payload.nonce,
                next: account.nonce,
                max: self.limits.nonce_gap,
            });
        }
        match queue.get(payload.nonce) {
            Some(waiting) if waiting.hash() == hashed.hash() => {
                return Err(RejectReason::Duplicate);
            }
            Some(_) => return Err(RejectReason::NonceWaiting { nonce: payload.nonce }),
            None => {}
        }
        if queue.len() >= self.limits.per_sender {
            return Err(RejectReason::SenderFull { max: self.limits.per_sender });
        }
        if let Body::Transfer { amount, .. } = &payload.body
            && account.balance < *amount
        {
            return Err(RejectReason::InsufficientBalance {
                balance: account.balance,
                amount: *amount,
            });
        }
        self.room_for(hashed, queue)
    }

    /// What the state may take back at any time: that the key signs for the account, and that the
    /// account may submit.
    fn check_standing(
        &self,
        sender: &Address,
        queue: &Queue,
        transaction: &SignedTransaction,
    ) -> Result<(), RejectReason> {
        let payload = &transaction.payload;
        if !queue.account().is_signed_by(payload) {
            return Err(RejectReason::WrongKey);
        }
        if !self.is_open && !self.state.may_submit(sender, &payload.body, self.height.next()) {
            return Err(RejectReason::NotAMember);
        }
        Ok(())
    }

    /// Takes a transaction in. Answers with the transactions that had to make room for it.
    ///
    /// # Errors
    /// [`RejectReason`]; the pool is unchanged then.
    pub fn insert(
        &mut self,
        transaction: Arc<VerifiedTransaction>,
    ) -> Result<Vec<Digest>, RejectReason> {
        let sender = transaction.sender();
        let (id, evicted) = match self.queue_of(&sender) {
            Some((id, queue)) => (id, self.check(transaction.hashed(), queue)?),
            None => {
                let queue = Queue::new(&self.state, sender);
                let evicted = self.check(transaction.hashed(), &queue)?;
                let id = self.queues.insert(queue);
                self.senders.insert(sender, id);
                (id, evicted)
            }
        };
        for hash in &evicted {
            if let Some(place) = self.index.place(hash) {
                self.remove(place);
            }
        }
        self.arrivals += 1;
        let waiting = Waiting::new(transaction, self.arrivals);
        self.index.add(id, &waiting);
        self.with_queue(id, |queue, _| queue.insert(waiting));
        Ok(evicted)
    }

    /// What has to make room for a newcomer: nothing where it fits. Else, if it could execute, the
    /// transactions of others that could not; where these are too few, the last ones of the sender
    /// that fills most of the pool, if that one fills more than the newcomer's would even after
    /// giving up that much.
    fn room_for(
        &self,
        newcomer: &HashedTransaction,
        queue: &Queue,
    ) -> Result<Vec<Digest>, RejectReason> {
        let len = newcomer.encoded_len();
        if self.fits(len) {
            return Ok(Vec::new());
        }
        if newcomer.transaction().payload.nonce != queue.next_nonce() {
            return Err(RejectReason::PoolFull);
        }
        let by_gapped = self.orders.by_gapped.iter().rev().map(|(_, other)| &self.queues[*other]);
        let others = by_gapped.filter(|other| other.sender() != queue.sender());
        let gapped = others.flat_map(Queue::gapped);
        if let Some(victims) = self.victims(gapped, len) {
            return Ok(victims);
        }
        let load = len + queue.bytes();
        let missing = (self.bytes() + len).saturating_sub(self.limits.bytes);
        let heaviest = self.orders.by_load.last().map(|(_, heaviest)| &self.queues[*heaviest]);
        match heaviest.filter(|heaviest| heaviest.sender() != queue.sender()) {
            Some(heaviest) if heaviest.bytes() > load + missing => {
                self.victims(heaviest.last_first(), len).ok_or(RejectReason::PoolFull)
            }
            _ => Err(RejectReason::PoolFull),
        }
    }

    /// Whether a transaction of this length fits without anybody making room.
    fn fits(&self, len: usize) -> bool {
        self.len() < self.limits.transactions && self.bytes() + len <= self.limits.bytes
    }

    /// As many of these transactions as must go before one of this length fits; `None` where all of
    /// them are too few.
    fn victims<'a>(
        &self,
        mut candidates: impl Iterator<Item = &'a Arc<VerifiedTransaction>>,
        len: usize,
    ) -> Option<Vec<Digest>> {
        let (mut count, mut bytes) = (self.len() + 1, self.bytes() + len);
        let mut victims = Vec::new();
        while count > self.limits.transactions || bytes > self.limits.bytes {
            let victim = candidates.next()?;
            count -= 1;
            bytes -= victim.encoded_len();
            victims.push(victim.hash());
        }
        Some(victims)
    }

    /// What a block on top of `state`, that of its parent, should try: at most `max`, round robin
    /// over the senders, the longest waiting first, each sender's in the order of their nonces. Who
    /// had a turn waits from then on, behind all others while that block is not committed: however
    /// much somebody hands in, others come as often.
    pub fn candidates(&self, state: &State, max: usize) -> Vec<Arc<VerifiedTransaction>> {
        let (mut cursors, mut served) = (Vec::new(), Vec::new());
        for queue in self.orders.ready.values() {
            if cursors.len() >= max {
                break;
            }
            let (had_a_turn, run) = self.queues[*queue].run_on(state);
            if had_a_turn { served.push(run) } else { cursors.push(run) }
        }
        cursors.append(&mut served);
        let mut chosen = Vec::with_capacity(max.min(self.executable_count()));
        while !cursors.is_empty() && chosen.len() < max {
            cursors.retain_mut(|run| {
                let next = if chosen.len() < max { run.next() } else { None };
                chosen.extend(next.cloned());
                next.is_some()
            });
        }
        chosen
    }

    /// Follows the chain: `state` is now the committed one, of the block at `height`, and `changes`
    /// are those of every block since the last call. Drops what was executed, what can no longer be
    /// and what expired.
    pub fn advance<'a>(
        &mut self,
        state: State,
        height: Height,
        changes: impl IntoIterator<Item = &'a Change>,
    ) {
        self.is_open = state.parameters().access == AccessMode::Open;
        self.state = state;
        self.height = height;
        let mut doubtful = BTreeSet::new();
        let mut all_doubtful = false;
        for (key, value) in changes {
            match (key, value) {
                (RecordKey::Account(sender), Some(RecordValue::Account(account))) => {
                    self.arrivals += 1;
                    let now = self.arrivals;
                    if let Some(queue) = self.senders.get(sender) {
                        self.with_queue(*queue, |queue, index| {
                            queue.advance(*account, now, |waiting| index.forget(waiting));
                        });
                    }
                    if account.key.is_some() {
                        doubtful.insert(*sender);
                    }
                }
                (RecordKey::Roles(address), _) => drop(doubtful.insert(*address)),
                (RecordKey::Parameters | RecordKey::Validators(_) | RecordKey::Proposal(_), _) => {
                    all_doubtful = true;
                }
                _ => {}
            }
        }
        if all_doubtful && !self.is_open {
            doubtful.extend(self.senders.keys());
        }
        for sender in doubtful {
            self.drop_inadmissible(&sender);
        }
        while let Some((expiry, place)) = self.index.first_to_expire()
            && expiry <= height
        {
            self.remove(place);
        }
    }

    /// Drops what a sender may not submit any more.
    fn drop_inadmissible(&mut self, sender: &Address) {
        let Some((id, queue)) = self.queue_of(sender) else { return };
        let inadmissible: Vec<u64> = queue
            .last_first()
            .map(|waiting| waiting.transaction())
            .filter(|transaction| self.check_standing(sender, queue, transaction).is_err())
            .map(|transaction| transaction.payload.nonce)
            .collect();
        for nonce in inadmissible {
            self.remove((id, nonce));
        }
    }

    fn remove(&mut self, (queue, nonce): Place) {
        self.with_queue(queue, |queue, index| {
            if let Some(waiting) = queue.remove(nonce) {
                index.forget(&waiting);
            }
        });
    }

    /// Changes a queue and keeps the orders in step.
    fn with_queue(&mut self, id: QueueId, change: impl FnOnce(&mut Queue, &mut Index)) {
        let queue = &mut self.queues[id];
        let before = queue.rank();
        change(queue, &mut self.index);
        let after = queue.rank();
        self.orders.update(id, before, after);
        if queue.is_empty() {
            self.senders.remove(&queue.sender());
            self.queues.remove(id);
        }
    }
}

#[cfg(test)]
mod tests;
