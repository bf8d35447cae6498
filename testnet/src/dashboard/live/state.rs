//! What a page that comes now must know: the last of everything.

use std::collections::{BTreeMap, VecDeque};

use chain::types::{Digest, Height, ValidatorIndex};
use serde::Serialize;

use crate::dashboard::event::{Block, Event, Load, NodeStatus};

/// Blocks that a page begins with.
const BLOCKS: usize = 40;
/// Evidence whose second report is recognized.
const EVIDENCE: usize = 256;

/// The state behind the stream.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) statuses: BTreeMap<usize, NodeStatus>,
    pub(crate) blocks: VecDeque<Block>,
    pub(crate) load: Option<Load>,
    pub(crate) partition: Option<Vec<Vec<usize>>>,
    /// As the first node that answered says.
    pub(crate) network: Option<Network>,
    /// Which node sits where, as it said itself last.
    seats: BTreeMap<usize, ValidatorIndex>,
    evidence: VecDeque<Digest>,
}

/// Which network it is.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) engine: String,
    pub(crate) chain_id: Digest,
}

/// A part of the answer to `/api/state`.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    pub(crate) blocks: Vec<Block>,
    pub(crate) load: Option<Load>,
    pub(crate) partition: Option<Vec<Vec<usize>>>,
}

impl State {
    /// Keeps what later pages must know of an event.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Status(status) => {
                if let Some(seat) = status.validator {
                    self.seats.retain(|_, taken| *taken != seat);
                    self.seats.insert(status.node, seat);
                } else if status.answers {
                    self.seats.remove(&status.node);
                }
                self.statuses.insert(status.node, (**status).clone());
            }
            Event::Block(block) => {
                // The news that a block is final replaces that it is ordered.
                let at = self.blocks.iter().position(|known| known.height >= block.height);
                match at {
                    Some(at) if self.blocks[at].height == block.height => {
                        self.blocks[at] = (**block).clone();
                    }
                    Some(at) => self.blocks.insert(at, (**block).clone()),
                    None => self.blocks.push_back((**block).clone()),
                }
                while self.blocks.len() > BLOCKS {
                    self.blocks.pop_front();
                }
            }
            Event::Load(load) => self.load = (load.rate > 0.0).then_some(*load),
            _ => {}
        }
    }

    pub(crate) fn shown(&self) -> Shown {
        Shown {
            blocks: self.blocks.iter().cloned().collect(),
            load: self.load,
            partition: self.partition.clone(),
        }
    }

    /// The node that sits in a seat. Where none ever said so: the one of that number, as genesis has
    /// it, unless that one sits elsewhere.
    pub(crate) fn node_of(&self, seat: ValidatorIndex) -> Option<usize> {
        let said = self.seats.iter().find(|(_, taken)| **taken == seat).map(|(node, _)| *node);
        let number = seat.as_usize();
        let free = !self.seats.contains_key(&number) && self.statuses.contains_key(&number);
        said.or(free.then_some(number))
    }

    /// Every node that is a validator, as far as known.
    pub(crate) fn seated(&self) -> Vec<usize> {
        let known = self.statuses.keys().copied();
        known.filter(|node| self.seats.contains_key(node)).collect()
    }

    /// Whether two nodes are in different groups.
    pub(crate) fn are_apart(&self, one: usize, other: usize) -> bool {
        let group = |node| self.group(node);
        self.partition.is_some() && group(one) != group(other)
    }

    /// Which side of the partition a node is on.
    pub(crate) fn group(&self, node: usize) -> Option<usize> {
        self.partition.as_ref()?.iter().position(|group| group.contains(&node))
    }

    /// Whether what is sent to a node now arrives nowhere.
    pub(crate) fn is_deaf(&self, node: usize) -> bool {
        self.statuses.get(&node).is_none_or(|status| !status.alive || status.paused)
    }

    /// The highest final block that a node that answers has, and who has it.
    pub(crate) fn furthest(&self) -> Option<(Height, usize)> {
        let answers = self.statuses.values().filter(|status| status.answers);
        answers.filter_map(|status| Some((status.height_final?, status.node))).max_by(
            // Of equals the first: the witness does not change for nothing.
            |(one, first), (other, second)| (one, second).cmp(&(other, first)),
        )
    }

    /// Notes evidence; whether it is new.
    pub(crate) fn is_new_evidence(&mut self, hash: Digest) -> bool {
        if self.evidence.contains(&hash) {
            return false;
        }
        self.evidence.push_back(hash);
        if self.evidence.len() > EVIDENCE {
            self.evidence.pop_front();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use chain::block::Mode;
    use chain::types::{Epoch, View};
    use node_api::block::BlockStatus;

    use super::*;

    fn status(node: usize, seat: Option<u16>, height: u64) -> Event {
        Event::Status(Box::new(NodeStatus {
            node,
            alive: true,
            answers: true,
            validator: seat.map(ValidatorIndex::new),
            height_final: Some(Height::new(height)),
            ..NodeStatus::default()
        }))
    }

    fn block(height: u64, status: BlockStatus) -> Event {
        Event::Block(Box::new(Block {
            height: Height::new(height),
            hash: Digest([1; 32]),
            epoch: Epoch::new(0),
            view: View::new(0),
            mode: Mode::Fast,
            proposer: ValidatorIndex::new(0),
            node: None,
            transactions: 1,
            status,
            certificate: None,
            signers: Vec::new(),
            validators: None,
            timestamp_ms: 0,
            skipped: 0,
        }))
    }

    #[test]
    fn the_last_blocks_are_kept_in_order_and_once() {
        let mut state = State::default();
        for height in 1..=60 {
            state.apply(&block(height, BlockStatus::Ordered));
        }
        state.apply(&block(59, BlockStatus::Final));
        let shown = state.shown().blocks;
        assert_eq!((shown.len(), shown[0].height), (BLOCKS, Height::new(21)));
        assert!(shown.windows(2).all(|pair| pair[0].height < pair[1].height));
        assert_eq!(shown[38].status, BlockStatus::Final);
    }

    #[test]
    fn seats_follow_what_nodes_say() {
        let mut state = State::default();
        for node in 0..4 {
            state.apply(&status(node, Some(node as u16), 1));
        }
        state.apply(&status(1, None, 1));
        state.apply(&status(4, Some(1), 1));
        let node_of = |state: &State, seat| state.node_of(ValidatorIndex::new(seat));
        assert_eq!(node_of(&state, 1), Some(4), "node 1 observes, node 4 took its seat");
        assert_eq!(node_of(&state, 2), Some(2));
        assert_eq!(state.seated(), [0, 2, 3, 4]);
        assert_eq!(node_of(&state, 9), None);
    }

    #[test]
    fn the_witness_stays_while_others_are_only_as_far() {
        let mut state = State::default();
        assert_eq!(state.furthest(), None);
        for node in 0..3 {
            state.apply(&status(node, None, 7));
        }
        assert_eq!(state.furthest(), Some((Height::new(7), 0)));
        state.apply(&status(2, None, 8));
        assert_eq!(state.furthest(), Some((Height::new(8), 2)));
    }

    #[test]
    fn evidence_is_new_once() {
        let mut state = State::default();
        assert!(state.is_new_evidence(Digest([1; 32])));
        assert!(!state.is_new_evidence(Digest([1; 32])));
        for number in 0..=255 {
            state.is_new_evidence(Digest([number; 32]));
        }
        assert!(state.evidence.len() <= EVIDENCE);
    }
}
