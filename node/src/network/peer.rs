//! What is known of one peer: how it behaves, and what waits for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chain::types::{Epoch, Height, View};
use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::handshake::Mismatch;
use super::queue::OutQueue;
use super::score::{self, Misbehaviour, Score};
use crate::bucket::Bucket;

/// How long a peer of another chain or version is not talked to.
const MISMATCH_PAUSE: Duration = Duration::from_secs(60);
/// How long one that refuses this node is left alone: a later block may change its mind.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);
/// Bytes of consensus messages per second that one who is no member may say in vain, and how many
/// at once: one that was removed just now does not know it yet.
const IN_VAIN: (f64, f64) = (1024.0 * 1024.0, 16.0 * 1024.0 * 1024.0);

/// One peer, as everybody who deals with it shares it.
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
    word: Option<(Word, Instant)>,
    score: Score,
    ban: Option<Ban>,
    /// The mismatch last written to the log: one line, not one per attempt.
    reported: Option<Mismatch>,
    in_vain: Bucket,
}

#[derive(Clone, Debug)]
struct Ban {
    until: Instant,
    cause: BanCause,
    reason: String,
}

/// Why this node does not talk to a peer for the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BanCause {
    Misbehaved,
    OtherChain,
    /// Another protocol, or another version of it.
    OtherVersion,
    /// The peer does not want this node.
    RefusesUs,
}

/// What a peer said of itself when it was asked last. Its own word: for people, not for decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Its last final block.
    pub height: Height,
    /// Where its engine is.
    pub epoch: Epoch,
    pub view: View,
    /// How far its clock is ahead of this node's, give or take a round trip.
    pub clock_ahead_ms: i64,
}

/// What is known of a peer, for people and for metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerInfo {
    /// The peer id, like `12D3KooW…`.
    pub id: String,
    /// Whether it is a validator, or was in the epoch before.
    pub member: bool,
    /// Where it is connected from or to.
    pub address: Option<String>,
    /// Whether messages can be sent to it: a stream to it is up, and it is on the same chain.
    pub connected: bool,
    /// The filter of this node shuts it out.
    pub blocked: bool,
    /// Why this node does not talk to it for the moment.
    pub banned: Option<String>,
    /// The same for programs.
    pub banned_for: Option<BanCause>,
    /// What it said of itself last, and how long ago.
    pub word: Option<Word>,
    pub word_ms_ago: Option<u64>,
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
    pub(super) fn new(id: PeerId, queue_bytes: usize) -> Self {
        let now = Instant::now();
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
                word: None,
                score: Score::new(now),
                ban: None,
                reported: None,
                in_vain: Bucket::new(IN_VAIN.0, IN_VAIN.1, now),
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

    pub(super) fn set_word(&self, word: Word) {
        self.state().word = Some((word, Instant::now()));
    }

    /// Until when this node does not talk to it.
    pub(super) fn banned_until(&self, now: Instant) -> Option<Instant> {
        self.state().ban.as_ref().map(|ban| ban.until).filter(|until| now < *until)
    }

    /// Whether one who is no member may say so many bytes more that nobody reads.
    pub(super) fn may_say_in_vain(&self, bytes: usize) -> bool {
        self.state().in_vain.take(bytes as f64, Instant::now())
    }

    /// Notes a fault. Says whether it is shut out for that.
    pub(super) fn fault(&self, fault: Misbehaviour, detail: &str) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        tracing::debug!(peer = %self.id, ?fault, detail, "peer misbehaved");
        if !state.score.add(fault.points(), now) {
            return false;
        }
        let reason = format!("misbehaved repeatedly, at last: {detail}");
        tracing::warn!(peer = %self.id, reason, seconds = score::BAN.as_secs(), "peer shut out");
        state.ban = Some(Ban { until: now + score::BAN, cause: BanCause::Misbehaved, reason });
        true
    }

    /// Remembers that this node and the peer cannot talk to each other.
    pub(super) fn refuse(&self, mismatch: Mismatch) {
        let mut state = self.state();
        if state.reported != Some(mismatch) {
            tracing::warn!(peer = %self.id, "not talking to peer: {mismatch}");
            state.reported = Some(mismatch);
        }
        let (pause, cause) = match mismatch {
            Mismatch::Refused(_) => (REFUSED_PAUSE, BanCause::RefusesUs),
            Mismatch::Stranger | Mismatch::OtherVersion(_) => {
                (MISMATCH_PAUSE, BanCause::OtherVersion)
            }
            Mismatch::OtherChain(_) => (MISMATCH_PAUSE, BanCause::OtherChain),
        };
        state.ban =
            Some(Ban { until: Instant::now() + pause, cause, reason: mismatch.to_string() });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn info(&self, member: bool, blocked: bool, now: Instant) -> PeerInfo {
        let state = self.state();
        let ban = state.ban.as_ref().filter(|ban| now < ban.until);
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        PeerInfo {
            id: self.id.to_string(),
            member,
            address: state.address.as_ref().map(ToString::to_string),
            connected: self.queue.is_connected(),
            blocked,
            banned: ban.map(|ban| ban.reason.clone()),
            banned_for: ban.map(|ban| ban.cause),
            word: state.word.map(|(word, _)| word),
            word_ms_ago: state.word.map(|(_, at)| millis(now.saturating_duration_since(at))),
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
