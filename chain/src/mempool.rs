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

mod limits;
mod queue;
mod reject;
mod verified;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use limits::MempoolLimits;
pub use reject::RejectReason;
pub use verified::{HashedTransaction, VerifiedTransaction};

use crate::access::AccessMode;
use crate::codec::{self, Bounded};
use crate::state::{Account, Change, RecordKey, RecordValue, State};
use crate::transaction::{Body, SignedTransaction};
use crate::types::{Address, Digest, Height};
use queue::{Queue, Waiting};

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
    /// One queue per sender with waiting transactions; none is empty.
    queues: BTreeMap<Address, Queue>,
    /// Where each waiting transaction is.
    by_hash: BTreeMap<Digest, (Address, u64)>,
    by_expiry: BTreeSet<(Height, Digest)>,
    /// Senders whose first transaction could execute now, by their [turns](Queue::turn).
    ready: BTreeMap<u64, Address>,
    /// Bytes of each sender, for the search for whoever fills most of the pool.
    by_load: BTreeSet<(usize, Address)>,
    /// How many transactions of a sender wait behind a nonce that is missing, where any do.
    by_gapped: BTreeSet<(usize, Address)>,
    bytes: usize,
    executable: usize,
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
            queues: BTreeMap::new(),
            by_hash: BTreeMap::new(),
            by_expiry: BTreeSet::new(),
            ready: BTreeMap::new(),
            by_load: BTreeSet::new(),
            by_gapped: BTreeSet::new(),
            bytes: 0,
            executable: 0,
            arrivals: 0,
        }
    }

    /// How many transactions wait.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// How many bytes wait, as encoded.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn contains(&self, hash: &Digest) -> bool {
        self.by_hash.contains_key(hash)
    }

    /// A waiting transaction.
    pub fn get(&self, hash: &Digest) -> Option<&Arc<VerifiedTransaction>> {
        let (sender, nonce) = self.by_hash.get(hash)?;
        self.queues.get(sender)?.get(*nonce)
    }

    /// How many transactions would execute on the last committed state, one after the other.
    pub fn executable_count(&self) -> usize {
        self.executable
    }

    /// Of the transactions that would execute first of their sender, that of the one who waits
    /// longest for a turn.
    pub fn oldest_executable(&self) -> Option<Digest> {
        let (_, sender) = self.ready.first_key_value()?;
        self.queues.get(sender)?.first().map(|transaction| transaction.hash())
    }

    /// The nonce that the sender's next transaction should have: behind the last committed and
    /// whatever waits without a gap.
    pub fn next_nonce(&self, sender: &Address) -> u64 {
        match self.queues.get(sender) {
            Some(queue) => queue.next_nonce(),
            None => self.state.account(sender).nonce,
        }
    }

    /// All checks but the signature, cheapest first. What passes is worth verifying.
    ///
    /// # Errors
    /// [`RejectReason`].
    pub fn precheck(
        &self,
        transaction: &SignedTransaction,
        hash: &Digest,
    ) -> Result<(), RejectReason> {
        self.check(transaction, hash, &transaction.sender())
    }

    /// [`precheck`](Self::precheck) of a transaction whose sender is computed already.
    fn check(
        &self,
        transaction: &SignedTransaction,
        hash: &Digest,
        sender: &Address,
    ) -> Result<(), RejectReason> {
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
        if self.contains(hash) {
            return Err(RejectReason::Duplicate);
        }
        let queue = self.queues.get(sender);
        let account = match queue {
            Some(queue) => *queue.account(),
            None => self.state.account(sender),
        };
        self.check_standing(sender, &account, transaction)?;
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
        if queue.is_some_and(|queue| queue.get(payload.nonce).is_some()) {
            return Err(RejectReason::NonceWaiting { nonce: payload.nonce });
        }
        if queue.is_some_and(|queue| queue.len() >= self.limits.per_sender) {
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
        self.room_for(sender, transaction).map(|_| ())
    }

    /// What the state may take back at any time: that the key signs for the account, and that the
    /// account may submit.
    fn check_standing(
        &self,
        sender: &Address,
        account: &Account,
        transaction: &SignedTransaction,
    ) -> Result<(), RejectReason> {
        let payload = &transaction.payload;
        if !account.is_signed_by(payload) {
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
        self.check(transaction.transaction(), &transaction.hash(), &transaction.sender())?;
        let len = transaction.encoded_len();
        let evicted = self.room_for(&transaction.sender(), transaction.transaction())?;
        for hash in &evicted {
            self.remove(hash);
        }
        let (sender, nonce) = (transaction.sender(), transaction.transaction().payload.nonce);
        self.by_hash.insert(transaction.hash(), (sender, nonce));
        self.by_expiry.insert((transaction.transaction().payload.expiry, transaction.hash()));
        self.bytes += len;
        self.arrivals += 1;
        let arrival = self.arrivals;
        self.with_queue(sender, |queue| queue.insert(Waiting { transaction, arrival }));
        Ok(evicted)
    }

    /// What has to make room for a newcomer: nothing where it fits. Else, if it could execute, the
    /// transactions of others that could not; where these are too few, the last ones of the sender
    /// that fills most of the pool, if that one fills more than the newcomer's would even after
    /// giving up that much.
    fn room_for(
        &self,
        sender: &Address,
        newcomer: &SignedTransaction,
    ) -> Result<Vec<Digest>, RejectReason> {
        if self.fits(SignedTransaction::MAX_BYTES) {
            return Ok(Vec::new());
        }
        let len = codec::encode(newcomer).len();
        if self.fits(len) {
            return Ok(Vec::new());
        }
        if newcomer.payload.nonce != self.next_nonce(sender) {
            return Err(RejectReason::PoolFull);
        }
        let others = self.by_gapped.iter().rev().filter(|(_, other)| other != sender);
        let gapped = others.flat_map(|(_, other)| self.queues[other].gapped());
        if let Some(victims) = self.victims(gapped, len) {
            return Ok(victims);
        }
        let load = len + self.queues.get(sender).map_or(0, Queue::bytes);
        let missing = (self.bytes + len).saturating_sub(self.limits.bytes);
        match self.by_load.last() {
            Some((most, heaviest)) if heaviest != sender && *most > load + missing => {
                self.victims(self.queues[heaviest].last_first(), len).ok_or(RejectReason::PoolFull)
            }
            _ => Err(RejectReason::PoolFull),
        }
    }

    /// Whether a transaction of this length fits without anybody making room.
    fn fits(&self, len: usize) -> bool {
        self.len() < self.limits.transactions && self.bytes + len <= self.limits.bytes
    }

    /// As many of these transactions as must go before one of this length fits; `None` where all of
    /// them are too few.
    fn victims<'a>(
        &self,
        mut candidates: impl Iterator<Item = &'a Arc<VerifiedTransaction>>,
        len: usize,
    ) -> Option<Vec<Digest>> {
        let (mut count, mut bytes) = (self.len() + 1, self.bytes + len);
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
        for sender in self.ready.values() {
            if cursors.len() >= max {
                break;
            }
            let (had_a_turn, run) = self.queues[sender].run_on(state);
            if had_a_turn { served.push(run) } else { cursors.push(run) }
        }
        cursors.append(&mut served);
        let mut chosen = Vec::with_capacity(max.min(self.executable));
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
                (RecordKey::Account(sender), Some(RecordValue::Account(account)))
                    if self.queues.contains_key(sender) =>
                {
                    self.arrivals += 1;
                    let now = self.arrivals;
                    let gone = self.with_queue(*sender, |queue| queue.advance(*account, now));
                    for waiting in gone {
                        self.forget(&waiting.transaction);
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
            doubtful.extend(self.queues.keys());
        }
        for sender in doubtful {
            self.drop_inadmissible(&sender);
        }
        while let Some((expiry, hash)) = self.by_expiry.first().copied()
            && expiry <= height
        {
            self.remove(&hash);
        }
    }

    /// Drops what a sender may not submit any more.
    fn drop_inadmissible(&mut self, sender: &Address) {
        let Some(queue) = self.queues.get(sender) else { return };
        let account = queue.account();
        let inadmissible: Vec<Digest> = queue
            .last_first()
            .filter(|waiting| self.check_standing(sender, account, waiting.transaction()).is_err())
            .map(|waiting| waiting.hash())
            .collect();
        for hash in inadmissible {
            self.remove(&hash);
        }
    }

    fn remove(&mut self, hash: &Digest) {
        if let Some((sender, nonce)) = self.by_hash.get(hash).copied()
            && let Some(waiting) = self.with_queue(sender, |queue| queue.remove(nonce))
        {
            self.forget(&waiting.transaction);
        }
    }

    /// Takes a transaction that left its queue out of the books.
    fn forget(&mut self, transaction: &VerifiedTransaction) {
        self.by_hash.remove(&transaction.hash());
        self.by_expiry.remove(&(transaction.transaction().payload.expiry, transaction.hash()));
        self.bytes -= transaction.encoded_len();
    }

    /// Changes the queue of a sender and keeps everything that is sorted by queues in step.
    fn with_queue<R>(&mut self, sender: Address, change: impl FnOnce(&mut Queue) -> R) -> R {
        let new = || Queue::new(&self.state, sender);
        let queue = self.queues.entry(sender).or_insert_with(new);
        self.by_load.remove(&(queue.bytes(), sender));
        self.by_gapped.remove(&(queue.gapped_len(), sender));
        self.executable -= queue.run_len();
        if let Some(turn) = queue.turn() {
            self.ready.remove(&turn);
        }
        let result = change(queue);
        if queue.len() > 0 {
            self.by_load.insert((queue.bytes(), sender));
            if queue.gapped_len() > 0 {
                self.by_gapped.insert((queue.gapped_len(), sender));
            }
            self.executable += queue.run_len();
            if let Some(turn) = queue.turn() {
                self.ready.insert(turn, sender);
            }
        } else {
            self.queues.remove(&sender);
        }
        result
    }
}

#[cfg(test)]
mod tests;
