//! Whom to ask: what peers have, how quick they are, and who is not worth asking for a while.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chain::types::Height;

use super::protocol::Status;
use crate::network::{PeerId, Reachable};

/// Runs that one peer is asked for at one time, at most.
const MAX_OPEN: usize = 3;
/// How long one that lied is not asked.
const BAN: Duration = Duration::from_secs(300);
/// Most peers that are remembered as liars.
const MAX_BANNED: usize = 256;
/// How long one that was late or had nothing is not asked, the first time and at most.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What is known of one peer.
#[derive(Debug)]
struct Record {
    peer: Reachable,
    status: Option<Status>,
    /// Since when the newest question for its status waits, or when the answer came.
    status_at: Option<Instant>,
    status_open: bool,
    /// Runs it is asked for now.
    open: usize,
    /// Runs it may be asked for at one time.
    limit: usize,
    /// Seconds for a run, lately.
    pace: f64,
    rest: Duration,
    rests_until: Option<Instant>,
}

/// Everyone who can be asked.
#[derive(Debug, Default)]
pub(super) struct Peers {
    records: BTreeMap<PeerId, Record>,
    banned: BTreeMap<PeerId, Instant>,
}

impl Record {
    const fn new(peer: Reachable) -> Self {
        Self {
            peer,
            status: None,
            status_at: None,
            status_open: false,
            open: 0,
            limit: 1,
            pace: 0.0,
            rest: REST.0,
            rests_until: None,
        }
    }

    /// Whether it says that it has the block at a height.
    fn has(&self, height: Height) -> bool {
        let status = self.status.as_ref();
        status.is_some_and(|status| status.lowest <= height && height <= status.height)
    }

    fn rests(&self, now: Instant) -> bool {
        self.rests_until.is_some_and(|until| now < until)
    }

    fn send_to_rest(&mut self, now: Instant) {
        self.rests_until = Some(now + self.rest);
        self.rest = (self.rest * 2).min(REST.1);
    }
}

impl Peers {
    /// Replaces who can be asked; those who stay keep their record.
    pub(super) fn set(&mut self, reachable: Vec<Reachable>) {
        let mut old = std::mem::take(&mut self.records);
        for peer in reachable {
            let record = old.remove(&peer.id).map(|record| Record { peer, ..record });
            self.records.insert(peer.id, record.unwrap_or_else(|| Record::new(peer)));
        }
    }

    /// Whose status to ask for now: once every `pause`.
    pub(super) fn due_status(&mut self, pause: Duration, now: Instant) -> Vec<PeerId> {
        let due = |record: &Record| {
            let old = record.status_at.is_none_or(|at| now.saturating_duration_since(at) >= pause);
            !record.status_open && old
        };
        let mut asked = Vec::new();
        for (id, record) in self.records.iter_mut().filter(|(_, record)| due(record)) {
            (record.status_open, record.status_at) = (true, Some(now));
            asked.push(*id);
        }
        asked
    }

    pub(super) fn note_status(&mut self, id: &PeerId, status: Option<Status>, now: Instant) {
        if let Some(record) = self.records.get_mut(id) {
            (record.status_open, record.status_at) = (false, Some(now));
            record.status = status.or_else(|| record.status.take());
        }
    }

    /// Whom to ask for a run, apart from some: one that says it has it, the least busy and then the
    /// quickest. `trusted`: only those whose word is enough.
    pub(super) fn choose(
        &self,
        from: Height,
        apart_from: &[PeerId],
        trusted: bool,
        now: Instant,
    ) -> Option<PeerId> {
        let able = self.records.values().filter(|record| {
            record.has(from)
                && record.open < record.limit
                && !record.rests(now)
                && (!trusted || record.peer.member || record.peer.configured)
                && !apart_from.contains(&record.peer.id)
                && !self.is_banned(&record.peer.id, now)
        });
        able.min_by(|a, b| (a.open, a.pace).partial_cmp(&(b.open, b.pace)).expect("no pace is NaN"))
            .map(|record| record.peer.id)
    }

    pub(super) fn asked(&mut self, id: &PeerId) {
        if let Some(record) = self.records.get_mut(id) {
            record.open += 1;
        }
    }

    /// A question for a run came to an end.
    pub(super) fn answered(&mut self, id: &PeerId) {
        if let Some(record) = self.records.get_mut(id) {
            record.open = record.open.saturating_sub(1);
        }
    }

    /// It gave a good run: it may be asked for more at one time.
    pub(super) fn served(&mut self, id: &PeerId, took: Duration) {
        if let Some(record) = self.records.get_mut(id) {
            record.limit = (record.limit + 1).min(MAX_OPEN);
            record.pace = 0.7 * record.pace + 0.3 * took.as_secs_f64();
            (record.rest, record.rests_until) = (REST.0, None);
        }
    }

    /// It had nothing: it is asked again later.
    pub(super) fn empty_handed(&mut self, id: &PeerId, now: Instant) {
        if let Some(record) = self.records.get_mut(id) {
            record.send_to_rest(now);
        }
    }

    /// It did not answer in time, or not at all: it is asked less.
    pub(super) fn late(&mut self, id: &PeerId, took: Duration, now: Instant) {
        if let Some(record) = self.records.get_mut(id) {
            record.limit = 1;
            record.pace = 0.7 * record.pace + 0.3 * took.as_secs_f64();
            record.send_to_rest(now);
        }
    }

    /// It lied: it is not asked for long.
    pub(super) fn ban(&mut self, id: &PeerId, now: Instant) {
        self.banned.retain(|_, until| now < *until);
        if self.banned.len() < MAX_BANNED {
            self.banned.insert(*id, now + BAN);
        }
    }

    fn is_banned(&self, id: &PeerId, now: Instant) -> bool {
        self.banned.get(id).is_some_and(|until| now < *until)
    }

    /// Validators whose status is known.
    pub(super) fn members_heard(&self) -> usize {
        self.records.values().filter(|it| it.peer.member && it.status.is_some()).count()
    }

    /// A height that the chain surely has, where so many validators may lie.
    pub(super) fn credible(&self, liars: usize) -> Height {
        let members = self.records.values().filter(|record| record.peer.member);
        highest_but(members, liars).unwrap_or_default()
    }

    /// A height that is worth asking for: as above, of everyone; of few peers, what the most modest
    /// says. Somebody who claims too much costs questions in vain, no more.
    pub(super) fn promising(&self, liars: usize) -> Height {
        let everyone = || self.records.values();
        highest_but(everyone(), liars).or_else(|| heights(everyone()).min()).unwrap_or_default()
    }

    /// Those that have a height and may be asked.
    pub(super) fn able(&self, from: Height, now: Instant) -> usize {
        let records = self.records.values().filter(|record| record.has(from));
        records.filter(|record| !self.is_banned(&record.peer.id, now)).count()
    }

    /// Whether somebody is above a height, and nobody keeps the block there any more.
    pub(super) fn have_pruned(&self, height: Height) -> bool {
        let mut above = self.records.values().filter_map(|record| record.status.as_ref());
        let some = above.clone().any(|status| status.height >= height);
        some && above.all(|status| status.height < height || status.lowest > height)
    }
}

/// The highest height that is left when so many of the highest are struck out.
fn highest_but<'a>(records: impl Iterator<Item = &'a Record>, struck: usize) -> Option<Height> {
    let mut heights: Vec<Height> = heights(records).collect();
    heights.sort_unstable();
    heights.iter().rev().nth(struck).copied()
}

fn heights<'a>(records: impl Iterator<Item = &'a Record>) -> impl Iterator<Item = Height> {
    records.filter_map(|record| record.status.as_ref()).map(|status| status.height)
}
