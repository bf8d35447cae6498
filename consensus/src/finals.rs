//! Catching up on the final chain: whom to ask, how often, how much to serve, and what to believe.

use std::collections::BTreeMap;
use std::time::Duration;

use chain::types::{Height, ValidatorIndex};

use crate::engine::Time;

/// Most runs of final blocks for one peer within a heartbeat. Each is read from the disk.
const MAX_RUNS: usize = 8;

/// One node's side of it, as asker and as server.
#[derive(Clone, Debug)]
pub(crate) struct FinalsSync {
    /// Whom to ask, one after the other: the validators.
    peers: Vec<ValidatorIndex>,
    /// The highest final height that somebody showed, and who.
    ahead: Option<(Height, ValidatorIndex)>,
    asked: Option<Time>,
    /// What each peer was served lately.
    served: BTreeMap<ValidatorIndex, Served>,
    /// Whom to ask next when the first choice does not answer.
    turn: usize,
}

/// Final blocks that a peer was sent within one heartbeat.
#[derive(Clone, Debug)]
struct Served {
    since: Time,
    /// From which heights on.
    from: Vec<Height>,
}

impl FinalsSync {
    pub(crate) fn new(peers: impl IntoIterator<Item = ValidatorIndex>) -> Self {
        Self {
            peers: peers.into_iter().collect(),
            ahead: None,
            asked: None,
            served: BTreeMap::new(),
            turn: 0,
        }
    }

    /// Somebody showed that a height is (about to be) final.
    pub(crate) fn is_ahead(&mut self, source: ValidatorIndex, height: Height) {
        if self.ahead.is_none_or(|(known, _)| known < height) {
            self.ahead = Some((height, source));
        }
    }

    /// Whom to ask for the final blocks above `root` now, if anyone. One who does not answer
    /// within two heartbeats is followed by the next validator.
    pub(crate) fn ask(
        &mut self,
        root: Height,
        now: Time,
        heartbeat: Duration,
    ) -> Option<ValidatorIndex> {
        let (height, source) = self.ahead?;
        if height <= root {
            self.ahead = None;
            self.asked = None;
            return None;
        }
        if self.asked.is_some_and(|asked| now < asked + heartbeat * 2) {
            return None;
        }
        let first = self.asked.replace(now).is_none();
        Some(if first { source } else { self.next_peer() })
    }

    /// Peers one after the other.
    pub(crate) fn next_peer(&mut self) -> ValidatorIndex {
        self.turn = (self.turn + 1) % self.peers.len();
        self.peers[self.turn]
    }

    /// How many validators there are to ask.
    pub(crate) fn peers(&self) -> usize {
        self.peers.len()
    }

    /// An answer came: more may follow, so the next question need not wait.
    pub(crate) fn answered(&mut self) {
        self.asked = None;
    }

    /// When [`ask`](Self::ask) has something to say again.
    pub(crate) fn next_due(&self, heartbeat: Duration) -> Option<Time> {
        self.ahead.map(|_| self.asked.map_or(Time::default(), |asked| asked + heartbeat * 2))
    }

    /// Whether to serve a peer final blocks from a height on: a few runs within a heartbeat, each
    /// once.
    pub(crate) fn may_serve(
        &mut self,
        to: ValidatorIndex,
        from: Height,
        now: Time,
        heartbeat: Duration,
    ) -> bool {
        let fresh = Served { since: now, from: Vec::new() };
        let served = self.served.entry(to).or_insert_with(|| fresh.clone());
        if now >= served.since + heartbeat {
            *served = fresh;
        }
        let may = served.from.len() < MAX_RUNS && !served.from.contains(&from);
        if may {
            served.from.push(from);
        }
        may
    }

    /// Who is asked from now on.
    pub(crate) fn set_peers(&mut self, peers: impl IntoIterator<Item = ValidatorIndex>) {
        self.peers = peers.into_iter().collect();
    }

    /// A new epoch: what was shown in the last one says nothing any more.
    pub(crate) fn enter_epoch(&mut self, peers: impl IntoIterator<Item = ValidatorIndex>) {
        self.set_peers(peers);
        self.ahead = None;
        self.asked = None;
    }
}
