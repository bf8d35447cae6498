//! What waits for the consensus thread.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use consensus::message::{EngineMessage, Lane};
use libp2p::PeerId;
use tokio::sync::Semaphore;

/// Most messages of one peer in one turn of the consensus thread.
const MAX_PER_PEER_AND_TURN: usize = 64;

/// The bytes that one permit stands for: no message is cheaper, so permits bound the number of
/// messages too.
const BYTES_PER_PERMIT: usize = 1024;

/// Messages of all peers on their way to the consensus thread.
///
/// Each peer has a place of its own, bounded in bytes and messages. A peer whose place is full is
/// not read from any more until the consensus thread has taken something: it feels the
/// back-pressure, the others do not. Votes come out before blocks, blocks before catching up.
#[derive(Debug)]
pub struct Inbox<M> {
    inner: Mutex<Inner<M>>,
    arrived: Condvar,
    permits_per_peer: u32,
}

#[derive(Debug)]
struct Inner<M> {
    peers: BTreeMap<PeerId, Place<M>>,
    /// Somebody called [`Inbox::wake`].
    woken: bool,
    stopped: bool,
}

/// The messages of one peer.
#[derive(Debug)]
struct Place<M> {
    lanes: [VecDeque<(M, u32)>; Lane::COUNT],
    room: Arc<Semaphore>,
}

/// What ended a wait.
#[derive(Debug)]
pub enum Waited<M> {
    /// Messages, a wake-up call or the deadline; the messages may be none.
    Turn(Vec<(PeerId, M)>),
    /// [`Inbox::stop`] was called: no turn any more.
    Stopped,
}

impl<M: EngineMessage> Default for Inbox<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: EngineMessage> Inbox<M> {
    /// An inbox that holds at most two of the largest messages of each peer.
    pub fn new() -> Self {
        let permits = (2 * M::MAX_BYTES).div_ceil(BYTES_PER_PERMIT);
        Self {
            inner: Mutex::new(Inner { peers: BTreeMap::new(), woken: false, stopped: false }),
            arrived: Condvar::new(),
            permits_per_peer: u32::try_from(permits).unwrap_or(u32::MAX),
        }
    }

    /// Adds a message of `len` encoded bytes; waits while the peer's place is full. Cancelling
    /// drops the message.
    pub async fn put(&self, from: PeerId, message: M, len: usize) {
        let permits = self.permits(len);
        let room = self.room(from);
        let permit = room.acquire_many(permits).await;
        permit.expect("nobody closes the semaphore of a place").forget();
        self.store(from, message, permits);
    }

    /// Adds a message of `len` encoded bytes, unless the peer's place is full.
    pub fn try_put(&self, from: PeerId, message: M, len: usize) {
        let permits = self.permits(len);
        if let Ok(permit) = self.room(from).try_acquire_many(permits) {
            permit.forget();
            self.store(from, message, permits);
        }
    }

    fn permits(&self, len: usize) -> u32 {
        let permits = u32::try_from(len.div_ceil(BYTES_PER_PERMIT)).unwrap_or(u32::MAX);
        permits.clamp(1, self.permits_per_peer)
    }

    fn room(&self, from: PeerId) -> Arc<Semaphore> {
        let mut inner = self.lock();
        let place = inner.peers.entry(from).or_insert_with(|| Place {
            lanes: Default::default(),
            room: Arc::new(Semaphore::new(self.permits_per_peer as usize)),
        });
        place.room.clone()
    }

    fn store(&self, from: PeerId, message: M, permits: u32) {
        let mut inner = self.lock();
        let place = inner.peers.get_mut(&from).expect("a place with a permit taken stays");
        place.lanes[message.lane().index()].push_back((message, permits));
        self.arrived.notify_one();
    }

    /// Calls for a turn without a message: there is new work.
    pub fn wake(&self) {
        let mut inner = self.lock();
        if !inner.woken {
            inner.woken = true;
            self.arrived.notify_one();
        }
    }

    /// Waits for messages, a wake-up call or the deadline (`None`: for ever), and takes what is
    /// there: votes first, one message of each peer after the other, a bounded number of each.
    pub fn wait(&self, deadline: Option<Instant>) -> Waited<M> {
        let mut inner = self.lock();
        loop {
            if inner.stopped {
                return Waited::Stopped;
            }
            let messages = inner.take();
            if !messages.is_empty() || std::mem::take(&mut inner.woken) {
                inner.woken = false;
                return Waited::Turn(messages);
            }
            let Some(deadline) = deadline else {
                inner = self.arrived.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Waited::Turn(Vec::new());
            }
            inner =
                self.arrived.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<M> Inbox<M> {
    /// Ends every present and later wait.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.arrived.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner<M>> {
        // No code that holds the lock leaves the inbox half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Inner<M> {
    fn take(&mut self) -> Vec<(PeerId, M)> {
        let mut taken = Vec::new();
        let mut counts: BTreeMap<PeerId, usize> = BTreeMap::new();
        for lane in Lane::ALL {
            loop {
                let before = taken.len();
                for (peer, place) in &mut self.peers {
                    let count = counts.entry(*peer).or_default();
                    if *count == MAX_PER_PEER_AND_TURN {
                        continue;
                    }
                    if let Some((message, permits)) = place.lanes[lane.index()].pop_front() {
                        place.room.add_permits(permits as usize);
                        *count += 1;
                        taken.push((*peer, message));
                    }
                }
                if taken.len() == before {
                    break;
                }
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests;
