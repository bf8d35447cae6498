//! The members of the network: who may talk to this node, where they are, how they behave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId};
use serde::Serialize;
use tokio::sync::{Notify, watch};

use super::handshake::Mismatch;
use super::queue::OutQueue;
use super::score::{self, Misbehaviour, Score};

/// How long a member of another chain or version is not talked to.
const MISMATCH_PAUSE: Duration = Duration::from_secs(60);

/// One member, as everybody who deals with it shares it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) queue: OutQueue,
    /// Whether a connection to it is up.
    pub(super) connected: watch::Sender<bool>,
    /// Streams from it that passed the handshake.
    pub(super) inbound_streams: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    address: Option<Multiaddr>,
    version: Option<String>,
    round_trip: Option<Duration>,
    score: Score,
    ban: Option<Ban>,
    /// The mismatch last written to the log: one line, not one per attempt.
    reported: Option<Mismatch>,
}

#[derive(Clone, Debug)]
struct Ban {
    until: Instant,
    reason: String,
}

/// What is known of a member, for people and for metrics.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeerInfo {
    /// The peer id, like `12D3KooW…`.
    pub id: String,
    /// Where it is connected from or to.
    pub address: Option<String>,
    /// Whether messages can be sent to it: a stream to it is up, and it is on the same chain.
    pub connected: bool,
    /// The filter of this node shuts it out.
    pub blocked: bool,
    /// Why this node does not talk to it for the moment.
    pub banned: Option<String>,
    /// Its software.
    pub version: Option<String>,
    /// Newest round trip, in microseconds.
    pub round_trip_us: Option<u64>,
    /// 100: nothing to complain about; 0: about to be shut out.
    pub score: u32,
    /// Bytes of consensus messages from it.
    pub bytes_in: u64,
    /// Bytes of consensus messages to it.
    pub bytes_out: u64,
    /// Messages to it that found no room in its queue.
    pub dropped: u64,
}

impl Peer {
    fn new(id: PeerId, queue_bytes: usize) -> Self {
        Self {
            id,
            queue: OutQueue::new(queue_bytes),
            connected: watch::Sender::new(false),
            inbound_streams: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            state: Mutex::new(State {
                address: None,
                version: None,
                round_trip: None,
                score: Score::new(Instant::now()),
                ban: None,
                reported: None,
            }),
        }
    }

    pub(super) fn set_address(&self, address: Option<Multiaddr>) {
        self.state().address = address;
    }

    pub(super) fn set_version(&self, version: String) {
        self.state().version = Some(version);
    }

    pub(super) fn set_round_trip(&self, round_trip: Duration) {
        self.state().round_trip = Some(round_trip);
    }

    fn is_banned(&self, now: Instant) -> bool {
        self.state().ban.as_ref().is_some_and(|ban| now < ban.until)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn info(&self, blocked: bool, now: Instant) -> PeerInfo {
        let state = self.state();
        PeerInfo {
            id: self.id.to_string(),
            address: state.address.as_ref().map(ToString::to_string),
            connected: self.queue.is_connected(),
            blocked,
            banned: state.ban.as_ref().filter(|ban| now < ban.until).map(|ban| ban.reason.clone()),
            version: state.version.clone(),
            round_trip_us: state
                .round_trip
                .map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
            score: (score::LIMIT - state.score.at(now)).max(0.0) as u32,
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            dropped: self.queue.dropped(),
        }
    }
}

/// All members, and the filter of the operator. Whoever changes who may connect wakes the swarm
/// through [`Book::changed`]; the swarm compares and acts.
#[derive(Debug)]
pub(super) struct Book {
    me: PeerId,
    queue_bytes: usize,
    inner: Mutex<Inner>,
    pub(super) changed: Notify,
    pub(super) refused_connections: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    members: BTreeMap<PeerId, Arc<Peer>>,
    blocked: BTreeSet<PeerId>,
}

impl Book {
    /// An empty book of the node `me`, with room for so many bytes of messages to each peer.
    pub(super) fn new(me: PeerId, queue_bytes: usize) -> Self {
        Self {
            me,
            queue_bytes,
            inner: Mutex::default(),
            changed: Notify::new(),
            refused_connections: AtomicU64::new(0),
        }
    }

    /// Replaces the members; those who stay keep their queue and their record.
    pub(super) fn set_members(&self, members: impl IntoIterator<Item = PeerId>) {
        let mut inner = self.lock();
        let mut old = std::mem::take(&mut inner.members);
        for id in members {
            // One may be named twice: as a member of an epoch and of the one before.
            if id != self.me && !inner.members.contains_key(&id) {
                let peer = old.remove(&id);
                let peer = peer.unwrap_or_else(|| Arc::new(Peer::new(id, self.queue_bytes)));
                inner.members.insert(id, peer);
            }
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Replaces the filter: nothing goes to these peers or comes from them.
    pub(super) fn set_blocked(&self, blocked: impl IntoIterator<Item = PeerId>) {
        let mut inner = self.lock();
        inner.blocked = blocked.into_iter().collect();
        for id in &inner.blocked {
            if let Some(peer) = inner.members.get(id) {
                peer.queue.clear();
            }
        }
        drop(inner);
        self.changed.notify_one();
    }

    pub(super) fn blocked(&self) -> BTreeSet<PeerId> {
        self.lock().blocked.clone()
    }

    pub(super) fn members(&self) -> Vec<Arc<Peer>> {
        self.lock().members.values().cloned().collect()
    }

    /// A member, whatever is held against it.
    pub(super) fn get(&self, id: &PeerId) -> Option<Arc<Peer>> {
        self.lock().members.get(id).cloned()
    }

    /// A member that this node talks to now.
    pub(super) fn get_allowed(&self, id: &PeerId) -> Option<Arc<Peer>> {
        let inner = self.lock();
        let peer = inner.members.get(id)?;
        (!inner.blocked.contains(id) && !peer.is_banned(Instant::now())).then(|| peer.clone())
    }

    /// Everybody this node talks to now.
    pub(super) fn allowed(&self) -> BTreeSet<PeerId> {
        let now = Instant::now();
        let inner = self.lock();
        let allowed = inner
            .members
            .values()
            .filter(|peer| !inner.blocked.contains(&peer.id) && !peer.is_banned(now));
        allowed.map(|peer| peer.id).collect()
    }

    /// Notes a fault of a peer; shuts it out for a while after too many.
    pub(super) fn fault(&self, id: &PeerId, fault: Misbehaviour, detail: &str) {
        let Some(peer) = self.get(id) else {
            return;
        };
        let now = Instant::now();
        let mut state = peer.state();
        tracing::debug!(peer = %id, ?fault, detail, "peer misbehaved");
        if !state.score.add(fault.points(), now) {
            return;
        }
        let reason = format!("misbehaved repeatedly, at last: {detail}");
        tracing::warn!(peer = %id, reason, seconds = score::BAN.as_secs(), "peer shut out");
        state.ban = Some(Ban { until: now + score::BAN, reason });
        drop(state);
        self.changed.notify_one();
    }

    /// Remembers a member that is on another chain or speaks another version.
    pub(super) fn refuse(&self, id: &PeerId, mismatch: Mismatch) {
        let Some(peer) = self.get(id) else {
            return;
        };
        let mut state = peer.state();
        if state.reported != Some(mismatch) {
            tracing::warn!(peer = %id, "not talking to peer: {mismatch}");
            state.reported = Some(mismatch);
        }
        let until = Instant::now() + MISMATCH_PAUSE;
        state.ban = Some(Ban { until, reason: mismatch.to_string() });
        drop(state);
        self.changed.notify_one();
    }

    /// What is known of every member, in the order of their ids.
    pub(super) fn infos(&self) -> Vec<PeerInfo> {
        let now = Instant::now();
        let inner = self.lock();
        let members = inner.members.values();
        members.map(|peer| peer.info(inner.blocked.contains(&peer.id), now)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_may_connect_unless_blocked_banned_or_gone() {
        let [me, a, b, c, stranger] = std::array::from_fn(|_| PeerId::random());
        let book = Book::new(me, 100);
        book.set_members([me, a, b, c]);
        assert_eq!(book.allowed(), BTreeSet::from([a, b, c]));
        assert!(book.get(&me).is_none() && book.get(&stranger).is_none());

        book.set_blocked([a]);
        book.refuse(&b, Mismatch::OtherVersion(9));
        assert_eq!(book.allowed(), BTreeSet::from([c]));
        assert!(book.get_allowed(&a).is_none() && book.get(&a).is_some());

        for _ in 0..2 {
            book.fault(&c, Misbehaviour::Oversized, "too long");
        }
        assert!(book.allowed().is_empty());
        let infos = book.infos();
        assert_eq!(infos.iter().filter(|info| info.banned.is_some()).count(), 2);
        assert_eq!(infos.iter().filter(|info| info.blocked).count(), 1);

        book.set_blocked([]);
        let record = book.get(&a).expect("a member");
        // In the new epoch and in the one before: one peer, with the record and the queue it had.
        book.set_members([me, a, a]);
        assert!(Arc::ptr_eq(&record, &book.get(&a).expect("still a member")));
        assert_eq!(book.allowed(), BTreeSet::from([a]));
    }
}
