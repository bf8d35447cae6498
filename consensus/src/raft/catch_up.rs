//! The final chain in place of snapshots: who lacks entries that are compacted away gets them as
//! final blocks. docs/protocol/raft.md, lines R60-R63.

use chain::types::{Height, ValidatorIndex};

use super::follow::Incoming;
use super::message::Message;
use super::rules::Rules;
use super::{Out, Raft};
use crate::application::Finals;
use crate::engine::{Outgoing, Recipients, Request};
use crate::tree::BlockRef;

impl<R: Rules> Raft<R> {
    /// R60: asks whoever showed that more is final.
    pub(super) fn fetch_finals(&mut self, out: &mut Out) {
        let root = self.root().position.height;
        let to = self.finals.ask(root, self.now, self.config.heartbeat);
        if let Some(to) = to {
            self.ask_for_finals(to, out);
        }
    }

    /// R63: one who hears nobody asks one after the other.
    pub(super) fn ask_around(&mut self, out: &mut Out) {
        let to = self.finals.next_peer();
        self.ask_for_finals(to, out);
    }

    fn ask_for_finals(&self, to: ValidatorIndex, out: &mut Out) {
        if Some(to) != self.me {
            let message = Message::FetchFinals { from: self.root().position.height.next() };
            out.send.push(Outgoing::Ready(Recipients::One(to), message));
        }
    }

    /// R61
    pub(super) fn handle_fetch_finals(&mut self, to: ValidatorIndex, from: Height, out: &mut Out) {
        let has = from <= self.root().position.height;
        if has && self.finals.may_serve(to, from, self.now, self.config.heartbeat) {
            out.requests.push(Request::ServeFinals { to, from });
        }
    }

    /// R62: takes final blocks, from anybody and of any term.
    pub(super) fn handle_finals(&mut self, finals: Finals, out: &mut Out) {
        let root = self.root();
        let Some(last) = finals.blocks.last() else { return };
        let (end, term) = (BlockRef::of(last), last.header.view);
        let above = finals.blocks.iter().find(|block| block.header.height > root.position.height);
        if above.is_none_or(|block| block.header.parent != root.hash) {
            return;
        }
        if self.is_leader() && term <= self.term() {
            // What is final is in its log; it will commit that itself.
            return;
        }
        self.become_follower(term.max(self.term()), out);
        for block in finals.blocks {
            self.take_block(block, out);
        }
        self.incoming =
            Some(Incoming { end, commit: end.position.height, round: None, is_final: true });
        self.try_adopt(out);
    }

    /// Everything of a run is in the log: it is final, and the leader may go on from there.
    pub(super) fn commit_finals(&mut self, height: Height, out: &mut Out) {
        self.commit_to(height, out);
        self.finals.answered();
        self.fetch_finals(out);
        if let Some(leader) = self.leader {
            self.reply(leader, 0, None, out);
        }
    }
}
