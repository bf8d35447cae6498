//! Judges what gossip brings: nothing is passed on to others before.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use chain::certificate::{Certificate, Finality};
use chain::codec;
use chain::crypto::Verifier;
use chain::mempool::HashedTransaction;
use chain::types::{Digest, Height};
use chain::validator::ValidatorSet;
use consensus::engine::FaultModel;
use consensus::message::EngineMessage;
use libp2p::PeerId;
use libp2p::gossipsub::{MessageAcceptance, MessageId};
use tokio::sync::{mpsc, watch};

use super::addresses::Announcement;
use super::book::Book;
use super::claims::{Claim, Claims};
use super::gossip::Topic;
use super::inbox::Inbox;
use super::message;
use super::score::Misbehaviour;
use super::service::Command;
use super::transactions::read_batch;
use crate::bucket::Bucket;

/// Transactions per second that one peer may bring, and how many at once.
const TRANSACTIONS: (f64, f64) = (20_000.0, 40_000.0);
/// Bytes of gossip per second that one peer may bring, and how many at once.
const BYTES: (f64, f64) = (8.0 * 1024.0 * 1024.0, 16.0 * 1024.0 * 1024.0);
/// Other messages of gossip per second that one peer may bring, and how many at once.
const MESSAGES: (f64, f64) = (100.0, 500.0);

/// A message of gossip, as it arrived.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) topic: Topic,
    pub(super) id: MessageId,
    /// The neighbour that passed it on.
    pub(super) relay: PeerId,
    /// Who signed it.
    pub(super) author: PeerId,
    pub(super) data: Vec<u8>,
}

/// Transactions that a peer spread, for the pool. Exactly one verdict is to be given; dropping
/// this without one keeps the batch from being passed on.
#[derive(Debug)]
pub struct PeerTransactions {
    /// The node that put the batch together.
    pub author: PeerId,
    pub transactions: Vec<HashedTransaction>,
    verdict: Verdict,
}

impl PeerTransactions {
    /// Pass the batch on: at least some of it was new and good.
    pub fn accept(mut self) {
        self.verdict.accept_later();
    }

    /// No correct peer passes this on: a transaction with a forged signature, or of another
    /// chain.
    pub fn reject(mut self) {
        self.verdict.give(MessageAcceptance::Reject);
    }

    /// Useless here, and nobody's fault: known already, too early, too late, no room.
    pub fn ignore(mut self) {
        self.verdict.give(MessageAcceptance::Ignore);
    }
}

/// The judgement that gossipsub waits for.
#[derive(Debug)]
struct Verdict {
    id: MessageId,
    relay: PeerId,
    commands: mpsc::Sender<Command>,
    book: Arc<Book>,
    given: bool,
}

impl Verdict {
    fn give(&mut self, acceptance: MessageAcceptance) {
        self.given = true;
        if matches!(acceptance, MessageAcceptance::Reject) {
            self.book.fault(&self.relay, Misbehaviour::InvalidGossip, "invalid gossip");
        }
        // Where the swarm is too busy to hear, the message expires unjudged: it is not passed on.
        let _ = self.commands.try_send(Command::Report {
            id: self.id.clone(),
            relay: self.relay,
            acceptance,
        });
    }

    fn accept_later(&mut self) {
        self.given = true;
        let (id, relay) = (self.id.clone(), self.relay);
        // As above.
        let _ = self.commands.try_send(Command::AcceptLater { id, relay });
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        if !self.given {
            self.give(MessageAcceptance::Ignore);
        }
    }
}

/// The rates at which one peer has brought gossip.
struct Rates {
    transactions: Bucket,
    bytes: Bucket,
    messages: Bucket,
}

impl Rates {
    fn new(now: Instant) -> Self {
        let bucket = |(rate, burst)| Bucket::new(rate, burst, now);
        Self {
            transactions: bucket(TRANSACTIONS),
            bytes: bucket(BYTES),
            messages: bucket(MESSAGES),
        }
    }
}

/// Everything the judge needs to know.
pub(super) struct Judge<M> {
    pub(super) chain_id: Digest,
    pub(super) validators: Arc<RwLock<ValidatorSet>>,
    pub(super) fault_model: FaultModel,
    pub(super) verifier: Arc<dyn Verifier>,
    pub(super) book: Arc<Book>,
    pub(super) inbox: Arc<Inbox<M>>,
    pub(super) transactions: mpsc::Sender<PeerTransactions>,
    pub(super) best_final: watch::Sender<Height>,
    pub(super) commands: mpsc::Sender<Command>,
}

impl<M: EngineMessage> Judge<M> {
    pub(super) async fn run(self, mut deliveries: mpsc::Receiver<Delivery>) {
        let mut rates: BTreeMap<PeerId, Rates> = BTreeMap::new();
        let mut claims = Claims::default();
        while let Some(delivery) = deliveries.recv().await {
            rates.retain(|id, _| self.book.get(id).is_some());
            claims.retain(|id| self.book.is_member(id));
            self.judge(delivery, &mut rates, &mut claims);
        }
    }

    fn judge(&self, delivery: Delivery, rates: &mut BTreeMap<PeerId, Rates>, claims: &mut Claims) {
        let Delivery { topic, id, relay, author, data } = delivery;
        let mut verdict = Verdict {
            id,
            relay,
            commands: self.commands.clone(),
            book: self.book.clone(),
            given: false,
        };
        if self.book.get_allowed(&relay).is_none() || !self.book.may_write(&author) {
            return verdict.give(MessageAcceptance::Ignore);
        }
        let now = Instant::now();
        let rates = rates.entry(relay).or_insert_with(|| Rates::new(now));
        let in_time = rates.bytes.take(data.len() as f64, now)
            && (topic == Topic::Transactions || rates.messages.take(1.0, now));
        if !in_time {
            self.book.fault(&relay, Misbehaviour::Flood, "too much gossip");
            return verdict.give(MessageAcceptance::Ignore);
        }
        match topic {
            Topic::Transactions => self.judge_transactions(author, &data, rates, verdict),
            Topic::Finals => verdict.give(match self.fault_model {
                FaultModel::Crash => self.judge_claim(author, &data, claims),
                FaultModel::Byzantine => self.judge_final(author, &data, claims),
            }),
            Topic::Evidence | Topic::ViewChanges => {
                verdict.give(self.judge_consensus(topic, author, &data));
            }
            Topic::Addresses => verdict.give(self.judge_addresses(author, &data)),
        }
    }

    fn judge_transactions(
        &self,
        author: PeerId,
        data: &[u8],
        rates: &mut Rates,
        mut verdict: Verdict,
    ) {
        let Ok(transactions) = read_batch(data) else {
            return verdict.give(MessageAcceptance::Reject);
        };
        if !rates.transactions.take(transactions.len() as f64, Instant::now()) {
            self.book.fault(&verdict.relay, Misbehaviour::Flood, "too many transactions");
            return verdict.give(MessageAcceptance::Ignore);
        }
        // A pool that lags behind refuses what it cannot take: dropping the batch says "ignore".
        let _ = self.transactions.try_send(PeerTransactions { author, transactions, verdict });
    }

    /// Nobody lies about it where validators only crash.
    fn judge_claim(&self, author: PeerId, data: &[u8], claims: &mut Claims) -> MessageAcceptance {
        let Ok(Claim(height)) = codec::decode(data) else {
            return MessageAcceptance::Reject;
        };
        // Of those who are no validators anybody may lie.
        if self.book.is_member(&author) {
            claims.note(author, height);
            self.raise_best_final(claims.credible(0));
        }
        MessageAcceptance::Accept
    }

    fn judge_final(&self, author: PeerId, data: &[u8], claims: &mut Claims) -> MessageAcceptance {
        let Ok(certificate) = codec::decode::<Certificate>(data) else {
            return MessageAcceptance::Reject;
        };
        let height = certificate.ballot.position.height;
        let set = self.validators.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        // Of another epoch it may well be true, but cannot be checked here.
        if certificate.ballot.position.epoch != set.epoch {
            if self.book.is_member(&author) {
                claims.note(author, height);
                self.raise_best_final(claims.credible(usize::from(set.max_faulty)));
            }
            return MessageAcceptance::Ignore;
        }
        if height <= *self.best_final.borrow() {
            return MessageAcceptance::Ignore;
        }
        if certificate.finality(&set) != Finality::Final
            || !certificate.verify(&self.chain_id, &set, self.verifier.as_ref())
        {
            return MessageAcceptance::Reject;
        }
        self.raise_best_final(height);
        MessageAcceptance::Accept
    }

    fn raise_best_final(&self, height: Height) {
        self.best_final.send_if_modified(|best| {
            let higher = height > *best;
            *best = height.max(*best);
            higher
        });
    }

    /// Nobody can be made to dial for others: only members are dialled, and only they say where.
    fn judge_addresses(&self, author: PeerId, data: &[u8]) -> MessageAcceptance {
        let Ok(announcement) = codec::decode::<Announcement>(data) else {
            return MessageAcceptance::Reject;
        };
        if !self.book.is_member(&author) {
            return MessageAcceptance::Ignore;
        }
        // It is told again.
        let _ = self.commands.try_send(Command::Announced { author, announcement });
        MessageAcceptance::Accept
    }

    fn judge_consensus(&self, topic: Topic, author: PeerId, data: &[u8]) -> MessageAcceptance {
        let Ok(message) = codec::decode::<M>(data) else {
            return MessageAcceptance::Reject;
        };
        if message::topic(&message) != Some(topic) {
            return MessageAcceptance::Reject;
        }
        // Only validators speak of these, and who is none cannot be answered.
        if !self.book.is_member(&author) {
            return MessageAcceptance::Ignore;
        }
        // Who has a stream to this node sends the same on it: gossip is for the others.
        let direct = self.book.get(&author).is_some_and(|peer| {
            peer.inbound_streams.load(std::sync::atomic::Ordering::Relaxed) > 0
        });
        if !direct {
            self.inbox.try_put(author, message, data.len());
        }
        MessageAcceptance::Accept
    }
}
