//! Commitment, and what a committed change of members does.
//!
//! docs/protocol/raft.md, lines R40-R42 and R53-R55.

use std::collections::BTreeSet;

use chain::types::{Height, ValidatorIndex};

use super::rules::Rules;
use super::{Out, Raft};
use crate::application::Commit;
use crate::engine::Event;
use crate::tree::Node;

impl<R: Rules> Raft<R> {
    /// R40 (3.6.2): the highest entry of the own term that a majority has on disk, and with it
    /// everything below.
    pub(super) fn try_commit(&mut self, out: &mut Out) {
        if !self.is_leader() {
            return;
        }
        let committed = self
            .log()
            .iter()
            .map(|node| &node.block.header)
            .rev()
            .find(|header| {
                R::may_count(header.view, self.term())
                    && self.is_quorum(&self.replicas(header.height))
            })
            .map(|header| header.height);
        let Some(height) = committed else { return };
        self.commit_to(height, out);
        // R42
        if self.is_leader() {
            self.try_propose(out);
            if !self.pace.is_building() && self.tip() == self.root() {
                self.notify_commit(out);
            }
        }
    }

    /// Who has the entry on disk: the leader counts itself like everybody else (10.2.1).
    pub(super) fn replicas(&self, height: Height) -> BTreeSet<ValidatorIndex> {
        let others = self.peers.iter().filter(|(_, peer)| peer.matched >= height);
        let own = self.me.filter(|_| self.durable >= height);
        others.map(|(peer, _)| *peer).chain(own).collect()
    }

    /// R41: makes the log's entries up to a height final.
    pub(super) fn commit_to(&mut self, height: Height, out: &mut Out) {
        let due: Vec<Node> = self
            .log()
            .into_iter()
            .take_while(|node| node.block.header.height <= height)
            .cloned()
            .collect();
        let Some(last) = due.last() else { return };
        for node in &due {
            let block = node.block.clone();
            assert!(self.tree.is_valid(&block.hash()), "only executed entries are committed");
            let (height, hash) = (block.header.height, block.hash());
            out.events.push(Event::Ordered { height, block: hash });
            out.commits.push(Commit { block, proof: None });
        }
        self.tree.set_root(&last.block.hash());
        self.matched = self.matched.max(self.root().position.height);
        let barriers: Vec<&Node> =
            due.iter().filter(|node| node.next_validators.is_some()).collect();
        if barriers.is_empty() {
            return;
        }
        barriers.into_iter().for_each(|barrier| self.start_epoch(barrier, out));
        self.refresh_configuration(out);
    }

    /// R53: a committed barrier opens the next epoch: its set alone has a say.
    fn start_epoch(&mut self, barrier: &Node, out: &mut Out) {
        let set = barrier.next_validators.clone().expect("a barrier names the next set");
        assert_eq!(set.epoch, barrier.block.header.epoch.next(), "epochs follow one another");
        self.set = set;
        self.promises.epoch = self.set.epoch;
        out.persist = true;
        out.events
            .push(Event::EpochStarted { epoch: self.set.epoch, validators: self.set.clone() });
    }

    /// Whether an entry of the own term is committed (6.4).
    pub(super) fn own_term_committed(&self) -> bool {
        self.root().position.view == self.term()
    }
}
