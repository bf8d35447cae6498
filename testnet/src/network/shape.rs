//! Ways in which a network of four fails in part.

use std::fmt;
use std::str::FromStr;

use crate::byzantine::control::Link;

/// What the links are like for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Two and two.
    Halves,
    /// The leader by itself.
    Leader,
    /// Another one by itself.
    Follower,
    /// Everyone has two neighbours.
    Ring,
    /// All have one in the middle, who is not the leader, and nobody else.
    Star,
    /// The leader and one other do not hear each other; both hear the rest.
    Partial,
    /// The leader is heard and hears nobody.
    DeafLeader,
    /// The same for another.
    DeafFollower,
    /// Everything takes a tenth of a second.
    Slow,
    /// Of a hundred consensus messages five are lost.
    Lossy,
    /// Links carry 32 KiB of consensus messages a second.
    Narrow,
    /// One after the other is away for a moment.
    Flapping,
}

impl Shape {
    pub const ALL: [Self; 12] = [
        Self::Halves,
        Self::Leader,
        Self::Follower,
        Self::Ring,
        Self::Star,
        Self::Partial,
        Self::DeafLeader,
        Self::DeafFollower,
        Self::Slow,
        Self::Lossy,
        Self::Narrow,
        Self::Flapping,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Halves => "halves",
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Ring => "ring",
            Self::Star => "star",
            Self::Partial => "partial",
            Self::DeafLeader => "deaf-leader",
            Self::DeafFollower => "deaf-follower",
            Self::Slow => "slow",
            Self::Lossy => "lossy",
            Self::Narrow => "narrow",
            Self::Flapping => "flapping",
        }
    }

    /// Whether there is a quorum whose members all hear each other, so that it must go on. In a ring
    /// and a star there is none.
    pub const fn must_go_on(self) -> bool {
        !matches!(self, Self::Halves | Self::Ring | Self::Star)
    }

    /// How often the leader may be replaced meanwhile; `None`: as often as it takes.
    pub const fn most_leader_changes(self) -> Option<u64> {
        match self {
            // One that hears nobody complains again and again. Nobody else has a reason to.
            Self::DeafFollower | Self::Follower => Some(1),
            Self::DeafLeader | Self::Leader | Self::Partial => Some(3),
            _ => None,
        }
    }

    /// Whether two validators talk to each other; `order` begins with the leader.
    pub(super) fn links(self, order: &[usize], a: usize, b: usize) -> bool {
        let place = |id: usize| order.iter().position(|other| *other == id).unwrap_or_default();
        let (a, b) = (place(a), place(b));
        let (low, high) = (a.min(b), a.max(b));
        a == b
            || match self {
                Self::Halves => low / 2 == high / 2,
                Self::Leader => low != 0,
                Self::Follower => high != 3,
                Self::Ring => high - low != 2,
                Self::Star => low == 1 || high == 1,
                Self::Partial => (low, high) != (0, 2),
                _ => true,
            }
    }

    /// Who is without a quorum.
    pub(super) fn minority(self, order: &[usize]) -> Vec<usize> {
        match self {
            Self::Halves => order.to_vec(),
            Self::Leader => vec![order[0]],
            Self::Follower => vec![order[3]],
            _ => Vec::new(),
        }
    }

    /// What all links are like.
    pub(super) const fn link(self) -> Option<Link> {
        match self {
            Self::Slow => Some(Link { delay_ms: 100, ..Link::WHOLE }),
            Self::Lossy => Some(Link { lost_percent: 5, ..Link::WHOLE }),
            Self::Narrow => Some(Link { bytes_per_s: 32 * 1024, ..Link::WHOLE }),
            _ => None,
        }
    }

    /// Who is heard and hears nobody.
    pub(super) fn deaf(self, order: &[usize]) -> Option<(usize, Link)> {
        match self {
            Self::DeafLeader => Some((order[0], Link::CUT)),
            Self::DeafFollower => Some((order[3], Link::CUT)),
            _ => None,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|shape| shape.name() == text);
        found.ok_or_else(|| format!("expected some of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_go_both_ways_and_minorities_have_no_quorum() {
        let order = [2, 3, 0, 1];
        for shape in Shape::ALL {
            assert_eq!(shape.name().parse(), Ok(shape));
            for a in 0..4 {
                let heard = (0..4).filter(|b| shape.links(&order, a, *b)).count();
                assert!((0..4).all(|b| shape.links(&order, a, b) == shape.links(&order, b, a)));
                assert_eq!(
                    heard < 3,
                    shape.minority(&order).contains(&a) || lone(shape, a),
                    "{shape}"
                );
            }
        }
    }

    /// The ends of a star hear one other, who hears all.
    fn lone(shape: Shape, id: usize) -> bool {
        shape == Shape::Star && id != 3
    }
}
