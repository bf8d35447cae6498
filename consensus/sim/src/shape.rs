//! Partial failures of a network by name. Nodes that a shape does not cut reach each other.

use serde::{Deserialize, Serialize};

/// A broken network in which some links still work. The first three are those of OmniPaxos (EuroSys
/// 2023, §2): each leaves one node that could lead, and a protocol must find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    /// Everybody reaches the hub and nobody else: a leader that is not the hub is alive and has no
    /// quorum.
    QuorumLoss { hub: usize },
    /// As before, and the leader reaches nobody at all: only the hub can be elected, whose log may
    /// be behind.
    ConstrainedElection { hub: usize },
    /// A line: everybody reaches the next and the one before.
    Chained,
    /// One switch loses what `from` sends to `to` and nothing else: others hear both, so each of
    /// the two is accused and defended at once. Cloudflare, 2 November 2020.
    Switch { from: usize, to: usize },
    /// Nobody hears the node, which hears everybody.
    Mute { node: usize },
    /// The node hears nobody, and everybody hears it.
    Deaf { node: usize },
    /// Nothing passes from the left to the right.
    OneWay { left: Vec<usize>, right: Vec<usize> },
    /// Nothing passes between the left and the right; whoever is in neither reaches both.
    Between { left: Vec<usize>, right: Vec<usize> },
    /// The lower half and the upper half.
    Halves,
    /// The last nodes, as many as may be faulty, and the others.
    Minority,
}

impl Shape {
    /// Every direction that is cut among `n` nodes; `leader` is whoever leads now.
    pub fn cuts(&self, n: usize, leader: usize) -> Vec<(usize, usize)> {
        let pairs = || (0..n).flat_map(move |from| (0..n).map(move |to| (from, to)));
        let distinct = pairs().filter(|(from, to)| from != to);
        let star = |hub: usize| move |(from, to): &(usize, usize)| *from != hub && *to != hub;
        match self {
            Self::QuorumLoss { hub } => distinct.filter(star(*hub)).collect(),
            Self::ConstrainedElection { hub } => {
                // A hub that leads already is not cut off: it is the only one who can.
                let gone = if leader == *hub { n } else { leader };
                distinct
                    .filter(|pair| star(*hub)(pair) || pair.0 == gone || pair.1 == gone)
                    .collect()
            }
            Self::Chained => distinct.filter(|(from, to)| from.abs_diff(*to) > 1).collect(),
            Self::Switch { from, to } => vec![(*from, *to)],
            Self::Mute { node } => distinct.filter(|(from, _)| from == node).collect(),
            Self::Deaf { node } => distinct.filter(|(_, to)| to == node).collect(),
            Self::OneWay { left, right } => {
                distinct.filter(|(from, to)| left.contains(from) && right.contains(to)).collect()
            }
            Self::Between { left, right } => distinct
                .filter(|(from, to)| {
                    left.contains(from) && right.contains(to)
                        || right.contains(from) && left.contains(to)
                })
                .collect(),
            Self::Halves => {
                distinct.filter(|(from, to)| (*from < n / 2) != (*to < n / 2)).collect()
            }
            Self::Minority => {
                let few = n - (n.saturating_sub(1) / 3).max(1);
                distinct.filter(|(from, to)| (*from < few) != (*to < few)).collect()
            }
        }
    }

    /// The highest node that it names.
    pub fn highest(&self) -> usize {
        match self {
            Self::QuorumLoss { hub: node }
            | Self::ConstrainedElection { hub: node }
            | Self::Mute { node }
            | Self::Deaf { node } => *node,
            Self::Switch { from, to } => *from.max(to),
            Self::OneWay { left, right } | Self::Between { left, right } => {
                left.iter().chain(right).copied().max().unwrap_or(0)
            }
            Self::Chained | Self::Halves | Self::Minority => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who still reaches whom, as a picture: a line per sender.
    fn picture(shape: &Shape, n: usize, leader: usize) -> Vec<String> {
        let cuts = shape.cuts(n, leader);
        let mark = |from, to| if cuts.contains(&(from, to)) { '.' } else { 'x' };
        (0..n).map(|from| (0..n).map(|to| mark(from, to)).collect()).collect()
    }

    #[test]
    fn the_shapes_of_five_nodes_that_node_2_leads() {
        let cases: [(Shape, [&str; 5]); 10] = [
            (Shape::Mute { node: 1 }, ["xxxxx", ".x...", "xxxxx", "xxxxx", "xxxxx"]),
            (Shape::Deaf { node: 1 }, ["x.xxx", "xxxxx", "x.xxx", "x.xxx", "x.xxx"]),
            (Shape::QuorumLoss { hub: 0 }, ["xxxxx", "xx...", "x.x..", "x..x.", "x...x"]),
            (Shape::ConstrainedElection { hub: 0 }, ["xx.xx", "xx...", "..x..", "x..x.", "x...x"]),
            (Shape::Chained, ["xx...", "xxx..", ".xxx.", "..xxx", "...xx"]),
            (Shape::Switch { from: 2, to: 3 }, ["xxxxx", "xxxxx", "xxx.x", "xxxxx", "xxxxx"]),
            (
                Shape::OneWay { left: vec![0, 1], right: vec![4] },
                ["xxxx.", "xxxx.", "xxxxx", "xxxxx", "xxxxx"],
            ),
            (
                Shape::Between { left: vec![0, 1], right: vec![3, 4] },
                ["xxx..", "xxx..", "xxxxx", "..xxx", "..xxx"],
            ),
            (Shape::Halves, ["xx...", "xx...", "..xxx", "..xxx", "..xxx"]),
            (Shape::Minority, ["xxxx.", "xxxx.", "xxxx.", "xxxx.", "....x"]),
        ];
        for (shape, expected) in cases {
            assert_eq!(picture(&shape, 5, 2), expected, "{shape:?}");
        }
    }

    #[test]
    fn one_of_four_is_a_minority_and_a_hub_that_leads_is_not_cut_off() {
        assert_eq!(picture(&Shape::Minority, 4, 0), ["xxx.", "xxx.", "xxx.", "...x"]);
        let shape = Shape::ConstrainedElection { hub: 1 };
        assert_eq!(shape.cuts(4, 1), Shape::QuorumLoss { hub: 1 }.cuts(4, 1));
    }
}
