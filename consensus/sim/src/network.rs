//! Links between nodes: delay, loss, duplication, reordering, bandwidth, and who cannot reach whom.

use std::time::Duration;

use consensus::engine::Time;
use serde::{Deserialize, Serialize};

use crate::dice::{Dice, MILLION};
use crate::span;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// How one directed link treats messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Link {
    /// Shortest one-way delay.
    #[serde(with = "span")]
    pub delay_min: Duration,
    /// Longest one-way delay without the tail.
    #[serde(with = "span")]
    pub delay_max: Duration,
    /// Share of messages, in parts of a million, that get the tail on top.
    pub tail: u32,
    /// Longest extra delay of the tail.
    #[serde(with = "span")]
    pub tail_max: Duration,
    /// Share lost, in parts of a million.
    pub loss: u32,
    /// Share that arrives twice, in parts of a million.
    pub duplication: u32,
    /// Whether a message may overtake an earlier one; without it a link is a TCP stream.
    pub reorder: bool,
    /// How much passes at most, if there is a limit.
    pub bandwidth: Option<Bandwidth>,
}

/// A link that takes time per byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// More than 0.
    pub bytes_per_second: u64,
    /// Most bytes that wait to be sent; a message that would make it more is dropped, unless
    /// nothing waits.
    pub queue_bytes: u64,
}

impl Default for Link {
    fn default() -> Self {
        Self::exact(Duration::from_millis(1))
    }
}

impl Link {
    /// Every message arrives once, in order, after exactly `delay`.
    pub const fn exact(delay: Duration) -> Self {
        Self {
            delay_min: delay,
            delay_max: delay,
            tail: 0,
            tail_max: Duration::ZERO,
            loss: 0,
            duplication: 0,
            reorder: false,
            bandwidth: None,
        }
    }
}

/// Where nodes are, and how long light takes between the places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regions {
    /// `round_trip[a][b]`: between regions a and b, on top of the weather. Node i is in region i
    /// modulo their number.
    #[serde(with = "span::matrix")]
    pub round_trip: Vec<Vec<Duration>>,
}

impl Regions {
    /// Half the round trip between two nodes.
    pub fn one_way(&self, from: usize, to: usize) -> Duration {
        let regions = self.round_trip.len();
        self.round_trip[from % regions][to % regions] / 2
    }

    /// Whether every region knows the way to every other.
    pub fn is_square(&self) -> bool {
        let regions = self.round_trip.len();
        regions > 0 && self.round_trip.iter().all(|row| row.len() == regions)
    }
}

/// One directed link as it is now.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    /// Nothing passes.
    blocked: bool,
    /// What is sent waits for the release.
    clogged: bool,
    /// Extra delay: distance.
    distance: Duration,
    /// Extra delay: slowness that a fault brought.
    lag: Duration,
    /// Weather of its own.
    weather: Option<Link>,
    /// When the latest message arrives: later ones come no earlier, unless the link reorders.
    latest: Time,
    /// When everything that waits for bandwidth is sent.
    sent: Time,
}

/// Every directed link between `nodes` nodes.
#[derive(Clone, Debug)]
pub struct Network {
    nodes: usize,
    link: Link,
    /// `ways[from * nodes + to]`.
    ways: Vec<Way>,
    /// How many messages found a full queue.
    overflowed: u64,
    dice: Dice,
}

impl Network {
    pub fn new(nodes: usize, link: Link, dice: Dice) -> Self {
        Self { nodes, link, ways: vec![Way::default(); nodes * nodes], overflowed: 0, dice }
    }

    fn way(&mut self, from: usize, to: usize) -> &mut Way {
        &mut self.ways[from * self.nodes + to]
    }

    /// The weather of every link from now on that has none of its own.
    pub fn set_link(&mut self, link: Link) {
        self.link = link;
    }

    /// Gives one directed link its own weather, or that of all others again.
    pub fn set_link_between(&mut self, from: usize, to: usize, link: Option<Link>) {
        self.way(from, to).weather = link;
    }

    /// Puts the nodes where they are.
    pub fn set_regions(&mut self, regions: &Regions) {
        for from in 0..self.nodes {
            for to in 0..self.nodes {
                self.way(from, to).distance = regions.one_way(from, to);
            }
        }
    }

    /// Slows down whatever a node sends by so much.
    pub fn set_lag(&mut self, from: usize, lag: Duration) {
        for to in 0..self.nodes {
            self.way(from, to).lag = lag;
        }
    }

    /// Cuts or restores one direction between two nodes.
    pub fn set_blocked(&mut self, from: usize, to: usize, blocked: bool) {
        self.way(from, to).blocked = blocked;
    }

    pub fn is_blocked(&self, from: usize, to: usize) -> bool {
        self.ways[from * self.nodes + to].blocked
    }

    /// Holds back what one direction carries from now on, or stops to do so. Whoever releases a
    /// link sends what was held.
    pub fn set_clogged(&mut self, from: usize, to: usize, clogged: bool) {
        self.way(from, to).clogged = clogged;
    }

    pub fn is_clogged(&self, from: usize, to: usize) -> bool {
        self.ways[from * self.nodes + to].clogged
    }

    /// How many messages found the queue of a slow link full.
    pub fn overflowed(&self) -> u64 {
        self.overflowed
    }

    /// Only nodes of one group reach each other; a node in no group reaches nobody.
    pub fn partition(&mut self, groups: &[Vec<usize>]) {
        for from in 0..self.nodes {
            for to in 0..self.nodes {
                let together = groups.iter().any(|g| g.contains(&from) && g.contains(&to));
                self.set_blocked(from, to, !together);
            }
        }
    }

    /// Restores every link; the weather stays, and so does the distance.
    pub fn heal(&mut self) {
        for way in &mut self.ways {
            *way = Way { distance: way.distance, latest: way.latest, ..Way::default() };
        }
    }

    /// Restores the links between these nodes, in this weather. Every other link stays as it is,
    /// whatever becomes of the common weather later.
    pub fn heal_among(&mut self, core: &[usize], link: Link) {
        let common = self.link;
        for from in 0..self.nodes {
            for to in 0..self.nodes {
                let inside = core.contains(&from) && core.contains(&to);
                let way = self.way(from, to);
                if inside {
                    let (distance, latest) = (way.distance, way.latest);
                    *way = Way { distance, latest, weather: Some(link), ..Way::default() };
                } else {
                    way.weather.get_or_insert(common);
                }
            }
        }
    }

    /// When a message of so many bytes that is sent now arrives: never, once or twice.
    pub fn arrivals(&mut self, from: usize, to: usize, now: Time, bytes: usize) -> Arrivals {
        let way = &self.ways[from * self.nodes + to];
        let link = way.weather.unwrap_or(self.link);
        if way.blocked || (link.loss > 0 && self.dice.chance(link.loss)) {
            return Arrivals::default();
        }
        let Some(sent) = self.sent(from, to, now, bytes as u64, link.bandwidth) else {
            self.overflowed += 1;
            return Arrivals::default();
        };
        let first = self.arrival(from, to, sent, &link);
        let twice = link.duplication > 0 && self.dice.chance(link.duplication);
        let second = twice.then(|| self.arrival(from, to, sent, &link));
        Arrivals { first: Some(first), second }
    }

    /// When the last byte has left; `None` where the queue has no room.
    fn sent(
        &mut self,
        from: usize,
        to: usize,
        now: Time,
        bytes: u64,
        bandwidth: Option<Bandwidth>,
    ) -> Option<Time> {
        let Some(Bandwidth { bytes_per_second, queue_bytes }) = bandwidth else {
            return Some(now);
        };
        let rate = u128::from(bytes_per_second.max(1));
        let way = self.way(from, to);
        let waiting = way.sent.since(now).as_nanos() * rate / NANOS_PER_SECOND;
        if waiting > 0 && waiting + u128::from(bytes) > u128::from(queue_bytes) {
            return None;
        }
        let nanos = u64::try_from(u128::from(bytes) * NANOS_PER_SECOND / rate).unwrap_or(u64::MAX);
        way.sent = way.sent.max(now) + Duration::from_nanos(nanos);
        Some(way.sent)
    }

    fn arrival(&mut self, from: usize, to: usize, sent: Time, link: &Link) -> Time {
        let mut delay = self.dice.duration(link.delay_min, link.delay_max);
        if link.tail > 0 && self.dice.chance(link.tail.min(MILLION)) {
            delay += self.dice.duration(Duration::ZERO, link.tail_max);
        }
        let way = self.way(from, to);
        let mut arrival = sent + delay + way.distance + way.lag;
        if !link.reorder {
            arrival = arrival.max(way.latest);
            way.latest = arrival;
        }
        arrival
    }
}

/// Moments at which copies of a message arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    pub first: Option<Time>,
    pub second: Option<Time>,
}

impl Arrivals {
    pub fn iter(self) -> impl Iterator<Item = Time> {
        self.first.into_iter().chain(self.second)
    }
}

#[cfg(test)]
mod tests;
