//! What waits to be sent to one peer.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use consensus::message::Lane;
use tokio::sync::Notify;

use super::message::Frame;

/// Most messages that wait for one peer.
pub(super) const MAX_FRAMES: usize = 4096;

/// A bounded queue with three lanes. Putting never blocks: when the queue is full the oldest
/// message of the least important lane gives way.
///
/// Invariants: `bytes` is the sum over all lanes; at most [`MAX_FRAMES`] messages and `max_bytes`
/// bytes wait.
#[derive(Debug)]
pub(super) struct OutQueue {
    inner: Mutex<Inner>,
    ready: Notify,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    lanes: [VecDeque<Frame>; Lane::COUNT],
    bytes: usize,
    /// Whether a stream to the peer is up. Without one only votes wait: blocks would be stale.
    connected: bool,
    dropped: u64,
}

impl Inner {
    fn len(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    /// Drops the oldest message of the least important lane, no more important than `limit`.
    fn evict(&mut self, limit: Lane) -> bool {
        let victim = Lane::ALL
            .into_iter()
            .rev()
            .take_while(|lane| *lane >= limit)
            .find_map(|lane| self.lanes[lane.index()].pop_front());
        let Some(frame) = victim else {
            return false;
        };
        self.bytes -= frame.bytes.len();
        self.dropped += 1;
        true
    }
}

impl OutQueue {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { inner: Mutex::default(), ready: Notify::new(), max_bytes }
    }

    /// Adds a message, at the cost of others that matter less or as much and are older. A message
    /// for which there is no room even then is dropped.
    pub(super) fn push(&self, frame: Frame) {
        let mut inner = self.lock();
        if frame.bytes.len() > self.max_bytes || (!inner.connected && frame.lane != Lane::Votes) {
            inner.dropped += 1;
            return;
        }
        while inner.len() >= MAX_FRAMES || inner.bytes + frame.bytes.len() > self.max_bytes {
            if !inner.evict(frame.lane) {
                inner.dropped += 1;
                return;
            }
        }
        inner.bytes += frame.bytes.len();
        inner.lanes[frame.lane.index()].push_back(frame);
        drop(inner);
        self.ready.notify_one();
    }

    /// The next message to send, most important first. Cancelling loses nothing.
    pub(super) async fn pop(&self) -> Frame {
        loop {
            if let Some(frame) = self.try_pop() {
                return frame;
            }
            self.ready.notified().await;
        }
    }

    /// The next message to send, if one waits.
    pub(super) fn try_pop(&self) -> Option<Frame> {
        let mut inner = self.lock();
        let frame = inner.lanes.iter_mut().find_map(VecDeque::pop_front)?;
        inner.bytes -= frame.bytes.len();
        Some(frame)
    }

    /// A stream is up: everything may wait.
    pub(super) fn connect(&self) {
        self.lock().connected = true;
    }

    /// The stream is gone: only votes stay. Says whether one was up.
    pub(super) fn disconnect(&self) -> bool {
        let mut inner = self.lock();
        let was_connected = std::mem::replace(&mut inner.connected, false);
        for lane in [Lane::Blocks, Lane::Sync] {
            let dropped = std::mem::take(&mut inner.lanes[lane.index()]);
            inner.bytes -= dropped.iter().map(|frame| frame.bytes.len()).sum::<usize>();
            inner.dropped += dropped.len() as u64;
        }
        was_connected
    }

    /// Drops everything that waits.
    pub(super) fn clear(&self) {
        let mut inner = self.lock();
        inner.dropped += inner.len() as u64;
        inner.bytes = 0;
        inner.lanes = Default::default();
    }

    pub(super) fn is_connected(&self) -> bool {
        self.lock().connected
    }

    /// Messages that gave way or found no room, since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code that holds the lock leaves the queue half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
