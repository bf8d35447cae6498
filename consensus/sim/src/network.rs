//! Links between nodes: delay, loss, duplication, reordering, and who cannot reach whom.

use std::time::Duration;

use consensus::engine::Time;
use serde::{Deserialize, Serialize};

use crate::dice::{Dice, MILLION};

/// How one directed link treats messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Shortest one-way delay.
    pub delay_min: Duration,
    /// Longest one-way delay without the tail.
    pub delay_max: Duration,
    /// Share of messages, in parts of a million, that get the tail on top.
    pub tail: u32,
    /// Longest extra delay of the tail.
    pub tail_max: Duration,
    /// Share lost, in parts of a million.
    pub loss: u32,
    /// Share that arrives twice, in parts of a million.
    pub duplication: u32,
    /// Whether a message may overtake an earlier one; without it a link is a TCP stream.
    pub reorder: bool,
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
        }
    }
}

/// Every directed link between `nodes` nodes.
#[derive(Clone, Debug)]
pub struct Network {
    nodes: usize,
    link: Link,
    /// `blocked[from * nodes + to]`: nothing passes.
    blocked: Vec<bool>,
    /// When the latest message of a link arrives: later ones come no earlier, unless it reorders.
    latest: Vec<Time>,
    dice: Dice,
}

impl Network {
    pub fn new(nodes: usize, link: Link, dice: Dice) -> Self {
        Self {
            nodes,
            link,
            blocked: vec![false; nodes * nodes],
            latest: vec![Time::default(); nodes * nodes],
            dice,
        }
    }

    /// The weather of every link from now on.
    pub fn set_link(&mut self, link: Link) {
        self.link = link;
    }

    /// Cuts or restores one direction between two nodes.
    pub fn set_blocked(&mut self, from: usize, to: usize, blocked: bool) {
        self.blocked[from * self.nodes + to] = blocked;
    }

    pub fn is_blocked(&self, from: usize, to: usize) -> bool {
        self.blocked[from * self.nodes + to]
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

    /// Restores every link.
    pub fn heal(&mut self) {
        self.blocked.fill(false);
    }

    /// When a message sent now arrives: never, once or twice.
    pub fn arrivals(&mut self, from: usize, to: usize, now: Time) -> Arrivals {
        if self.is_blocked(from, to) || self.dice.chance(self.link.loss) {
            return Arrivals::default();
        }
        let first = self.arrival(from, to, now);
        let second = self.dice.chance(self.link.duplication).then(|| self.arrival(from, to, now));
        Arrivals { first: Some(first), second }
    }

    fn arrival(&mut self, from: usize, to: usize, now: Time) -> Time {
        let mut delay = self.dice.duration(self.link.delay_min, self.link.delay_max);
        if self.link.tail > 0 && self.dice.chance(self.link.tail.min(MILLION)) {
            delay += self.dice.duration(Duration::ZERO, self.link.tail_max);
        }
        let place = from * self.nodes + to;
        let mut arrival = now + delay;
        if !self.link.reorder {
            arrival = arrival.max(self.latest[place]);
            self.latest[place] = arrival;
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
mod tests {
    use super::*;
    use crate::dice::Purpose;

    fn network(link: Link) -> Network {
        Network::new(3, link, Dice::new(1, Purpose::Network))
    }

    #[test]
    fn an_ordered_link_never_lets_a_message_overtake() {
        let mut net = network(Link {
            delay_max: Duration::from_millis(50),
            ..Link::exact(Duration::from_millis(1))
        });
        let mut last = Time::default();
        for sent in 0..200 {
            let arrival = net.arrivals(0, 1, Time::from_nanos(sent)).first.unwrap();
            assert!(arrival >= last, "message {sent}");
            last = arrival;
        }
    }

    #[test]
    fn a_partition_cuts_both_ways_between_groups_and_heals() {
        let mut net = network(Link::exact(Duration::from_millis(1)));
        net.partition(&[vec![0, 1], vec![2]]);
        assert!(net.arrivals(0, 1, Time::default()).first.is_some());
        assert_eq!(net.arrivals(0, 2, Time::default()), Arrivals::default());
        assert_eq!(net.arrivals(2, 1, Time::default()), Arrivals::default());
        net.heal();
        assert!(net.arrivals(2, 1, Time::default()).first.is_some());
    }
}
