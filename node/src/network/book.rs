//! Who may talk to this node: the validators, the peers of the configuration, and a bounded number
//! of guests, who are neither.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use libp2p::PeerId;
use tokio::sync::Notify;

use super::access::{AccessPolicy, Refusal};
use super::handshake::Mismatch;
use super::identity;
use super::peer::{Peer, PeerInfo};
use super::score::Misbehaviour;
use crate::bucket::Bucket;

/// Most guests at one time.
pub(super) const MAX_GUESTS: usize = 32;
/// Most peers that are connected only to be told why they are refused.
pub(super) const MAX_PARTING: usize = 8;
/// How long such a peer has to ask.
const PARTING_TIME: Duration = Duration::from_secs(5);
/// How long it stays once it was told, so that its handshake ends.
const TOLD_TIME: Duration = Duration::from_millis(250);
/// Most guests that are remembered as shut out while they are gone.
const MAX_SHUT_OUT: usize = 1024;
/// Refusals in the log per second, and how many at once.
const REFUSALS_IN_LOG: (f64, f64) = (0.2, 10.0);

/// What becomes of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Welcome,
    /// Only to be told why it is refused.
    ToBeTold,
    Closed,
}

/// All peers, and the filter of the operator. Whoever changes who may connect wakes the swarm
/// through [`Book::changed`]; the swarm compares and acts.
pub(super) struct Book {
    me: PeerId,
    queue_bytes: usize,
    access: Arc<dyn AccessPolicy>,
    inner: Mutex<Inner>,
    pub(super) changed: Notify,
    pub(super) refused_connections: AtomicU64,
}

struct Inner {
    /// Everyone there is a record of: members, configured peers, guests.
    peers: BTreeMap<PeerId, Arc<Peer>>,
    members: BTreeSet<PeerId>,
    /// Named by the operator: may connect whatever the chain says.
    configured: BTreeSet<PeerId>,
    blocked: BTreeSet<PeerId>,
    /// Connected to be told why they are refused, and until when.
    parting: BTreeMap<PeerId, (Refusal, Instant)>,
    /// Guests that left while they were banned, and until when.
    shut_out: BTreeMap<PeerId, Instant>,
    log: Bucket,
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Book").field("me", &self.me).finish_non_exhaustive()
    }
}

impl Inner {
    fn is_guest(&self, id: &PeerId) -> bool {
        !self.members.contains(id) && !self.configured.contains(id)
    }

    fn guests(&self) -> usize {
        self.peers.keys().filter(|id| self.is_guest(id)).count()
    }

    fn is_shut_out(&mut self, id: &PeerId, now: Instant) -> bool {
        self.shut_out.retain(|_, until| now < *until);
        let banned = self.peers.get(id).is_some_and(|peer| peer.banned_until(now).is_some());
        banned || self.shut_out.contains_key(id)
    }

    /// Keeps in mind what a guest did, for when it comes back.
    fn forget(&mut self, id: &PeerId, now: Instant) {
        let Some(until) = self.peers.remove(id).and_then(|peer| peer.banned_until(now)) else {
            return;
        };
        if self.shut_out.len() == MAX_SHUT_OUT {
            let soonest = self.shut_out.iter().min_by_key(|(_, until)| **until);
            if let Some(soonest) = soonest.map(|(id, _)| *id) {
                self.shut_out.remove(&soonest);
            }
        }
        self.shut_out.insert(*id, until);
    }
}

impl Book {
    /// An empty book of the node `me`, with room for so many bytes of messages to each peer.
    pub(super) fn new(me: PeerId, queue_bytes: usize, access: Arc<dyn AccessPolicy>) -> Self {
        let (rate, burst) = REFUSALS_IN_LOG;
        Self {
            me,
            queue_bytes,
            access,
            inner: Mutex::new(Inner {
                peers: BTreeMap::new(),
                members: BTreeSet::new(),
                configured: BTreeSet::new(),
                blocked: BTreeSet::new(),
                parting: BTreeMap::new(),
                shut_out: BTreeMap::new(),
                log: Bucket::new(rate, burst, Instant::now()),
            }),
            changed: Notify::new(),
            refused_connections: AtomicU64::new(0),
        }
    }

    /// Names the peers that the operator wants.
    pub(super) fn set_configured(&self, configured: impl IntoIterator<Item = PeerId>) {
        let mut inner = self.lock();
        inner.configured = configured.into_iter().filter(|id| *id != self.me).collect();
        self.settle(inner);
    }

    /// Replaces the members; those who stay keep their queue and their record, those who go become
    /// guests if they may.
    pub(super) fn set_members(&self, members: impl IntoIterator<Item = PeerId>) {
        let mut inner = self.lock();
        inner.members = members.into_iter().filter(|id| *id != self.me).collect();
        self.settle(inner);
    }

    /// Looks again who of the guests may stay, after the chain's word on it changed.
    pub(super) fn recheck(&self) {
        self.settle(self.lock());
    }

    /// Makes the records agree with who may have one, and wakes the swarm.
    fn settle(&self, mut inner: MutexGuard<'_, Inner>) {
        let now = Instant::now();
        let named: Vec<PeerId> = inner.members.union(&inner.configured).copied().collect();
        for id in named {
            let fresh = || Arc::new(Peer::new(id, self.queue_bytes));
            inner.peers.entry(id).or_insert_with(fresh);
        }
        let guests: Vec<Arc<Peer>> =
            inner.peers.values().filter(|peer| inner.is_guest(&peer.id)).cloned().collect();
        let mut room = MAX_GUESTS;
        for peer in guests {
            let stays = room > 0 && *peer.connected.borrow() && self.admits(&peer.id);
            if stays {
                room -= 1;
            } else {
                inner.forget(&peer.id, now);
            }
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Decides on a new connection. A guest has a record from now on, until it [leaves](Self::leave).
    pub(super) fn admit(&self, id: &PeerId) -> Admission {
        let now = Instant::now();
        let mut inner = self.lock();
        let here_already = inner.parting.contains_key(id);
        if inner.blocked.contains(id) || inner.is_shut_out(id, now) || here_already {
            return Admission::Closed;
        }
        if inner.peers.contains_key(id) {
            return Admission::Welcome;
        }
        let refusal = if !self.admits(id) {
            Refusal::NotAdmitted
        } else if inner.guests() >= MAX_GUESTS {
            Refusal::Full
        } else {
            let peer = Peer::new(*id, self.queue_bytes);
            // It counts as connected from here on: a guest that is not has no record.
            peer.connected.send_replace(true);
            inner.peers.insert(*id, Arc::new(peer));
            drop(inner);
            self.changed.notify_one();
            return Admission::Welcome;
        };
        if inner.log.take(1.0, now) {
            tracing::warn!(peer = %id, "refused a peer: {refusal}");
        }
        if inner.parting.len() >= MAX_PARTING {
            return Admission::Closed;
        }
        inner.parting.insert(*id, (refusal, now + PARTING_TIME));
        Admission::ToBeTold
    }

    /// The last connection with a peer is gone.
    pub(super) fn leave(&self, id: &PeerId) {
        let mut inner = self.lock();
        inner.parting.remove(id);
        if inner.is_guest(id) {
            inner.forget(id, Instant::now());
            drop(inner);
            self.changed.notify_one();
        }
    }

    /// Why a connected peer is about to be sent away.
    pub(super) fn refusal(&self, id: &PeerId) -> Option<Refusal> {
        self.lock().parting.get(id).map(|(refusal, _)| *refusal)
    }

    /// It was told, and may go.
    pub(super) fn told(&self, id: &PeerId) {
        if let Some((_, until)) = self.lock().parting.get_mut(id) {
            *until = Instant::now() + TOLD_TIME;
        }
    }

    /// Those whose time to ask is over.
    pub(super) fn overdue(&self, now: Instant) -> Vec<PeerId> {
        let inner = self.lock();
        let overdue = inner.parting.iter().filter(|(_, (_, until))| now >= *until);
        overdue.map(|(id, _)| *id).collect()
    }

    /// Replaces the filter: nothing goes to these peers or comes from them.
    pub(super) fn set_blocked(&self, blocked: impl IntoIterator<Item = PeerId>) {
        let mut inner = self.lock();
        inner.blocked = blocked.into_iter().collect();
        for id in &inner.blocked {
            if let Some(peer) = inner.peers.get(id) {
                peer.queue.clear();
            }
        }
        drop(inner);
        self.changed.notify_one();
    }

    pub(super) fn blocked(&self) -> BTreeSet<PeerId> {
        self.lock().blocked.clone()
    }

    pub(super) fn peers(&self) -> Vec<Arc<Peer>> {
        self.lock().peers.values().cloned().collect()
    }

    /// A peer, whatever is held against it.
    pub(super) fn get(&self, id: &PeerId) -> Option<Arc<Peer>> {
        self.lock().peers.get(id).cloned()
    }

    /// A peer that this node talks to now.
    pub(super) fn get_allowed(&self, id: &PeerId) -> Option<Arc<Peer>> {
        let inner = self.lock();
        let peer = inner.peers.get(id)?;
        let banned = peer.banned_until(Instant::now()).is_some();
        (!inner.blocked.contains(id) && !banned).then(|| peer.clone())
    }

    /// Whether a peer is a validator, or was in the epoch before.
    pub(super) fn is_member(&self, id: &PeerId) -> bool {
        self.lock().members.contains(id)
    }

    /// Whether the operator named a peer.
    pub(super) fn is_configured(&self, id: &PeerId) -> bool {
        self.lock().configured.contains(id)
    }

    /// Whether what somebody wrote may be taken, whoever brings it: its author need not be
    /// connected.
    pub(super) fn may_write(&self, author: &PeerId) -> bool {
        let mut inner = self.lock();
        if inner.blocked.contains(author) || inner.is_shut_out(author, Instant::now()) {
            return false;
        }
        inner.peers.contains_key(author) || self.admits(author)
    }

    /// Everybody this node talks to now.
    pub(super) fn allowed(&self) -> BTreeSet<PeerId> {
        let now = Instant::now();
        let inner = self.lock();
        let allowed = inner
            .peers
            .values()
            .filter(|peer| !inner.blocked.contains(&peer.id) && peer.banned_until(now).is_none());
        allowed.map(|peer| peer.id).collect()
    }

    /// Notes a fault of a peer; shuts it out for a while after too many.
    pub(super) fn fault(&self, id: &PeerId, fault: Misbehaviour, detail: &str) {
        if self.get(id).is_some_and(|peer| peer.fault(fault, detail)) {
            self.changed.notify_one();
        }
    }

    /// Remembers a peer that this node cannot talk to, or that does not want to talk to it.
    pub(super) fn refuse(&self, id: &PeerId, mismatch: Mismatch) {
        if let Some(peer) = self.get(id) {
            peer.refuse(mismatch);
            self.changed.notify_one();
        }
    }

    /// What is known of every peer, in the order of their ids.
    pub(super) fn infos(&self) -> Vec<PeerInfo> {
        let now = Instant::now();
        let inner = self.lock();
        let info = |peer: &Arc<Peer>| {
            let id = &peer.id;
            peer.info(inner.members.contains(id), inner.blocked.contains(id), now)
        };
        inner.peers.values().map(info).collect()
    }

    fn admits(&self, id: &PeerId) -> bool {
        identity::public_key(id).is_some_and(|key| self.access.admits(&key.address()))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
