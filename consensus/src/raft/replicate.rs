//! The leader's side of replication: what each follower has, and what to send next.
//!
//! docs/protocol/raft.md, lines R20-R29.

use std::collections::BTreeSet;

use chain::types::{Height, ValidatorIndex};

use super::message::{Append, AppendReply, Conflict, Message};
use super::rules::Rules;
use super::verify::MAX_BLOCKS;
use super::{Out, Raft};
use crate::engine::{Outgoing, Recipients, Time};
use crate::tree::BlockRef;

/// Most bytes of blocks in one append, first block not counted.
const APPEND_BYTES: usize = 1024 * 1024;

/// What the leader knows of a follower.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// The next entry to send.
    pub(super) next: Height,
    /// The follower's log equals the leader's up to here, on disk.
    pub(super) matched: Height,
    /// Whether entries are sent ahead of replies (10.2.1), or one append at a time to find where
    /// the logs agree.
    pipelining: bool,
    /// An append went out and was not answered; only where there is no pipelining.
    probing: bool,
    /// The newest round of heartbeats that it answered.
    pub(super) round: u64,
    pub(super) heard: Time,
    /// When `matched` grew last, or something was sent that should make it grow.
    moved: Time,
}

impl Progress {
    pub(super) fn new(next: Height, now: Time) -> Self {
        Self {
            next,
            matched: Height::default(),
            pipelining: false,
            probing: false,
            round: 0,
            heard: now,
            moved: now,
        }
    }

    fn may_send(&self) -> bool {
        self.pipelining || !self.probing
    }

    fn sent(&mut self, blocks: usize, now: Time) {
        if self.pipelining {
            self.next = Height::new(self.next.get() + blocks as u64);
        } else {
            self.probing = true;
        }
        self.moved = now;
    }

    /// Looks for where the logs agree, from here on down.
    fn probe(&mut self, next: Height) {
        self.next = next.max(self.matched.next());
        self.pipelining = false;
        self.probing = false;
    }

    /// No answer came: what was sent since the last one is sent again.
    fn retry(&mut self) {
        self.probe(if self.pipelining { self.matched.next() } else { self.next });
    }
}

impl<R: Rules> Raft<R> {
    /// R22: new entries go to everybody at once; where all need the same, as one message.
    pub(super) fn replicate(&mut self, out: &mut Out) {
        let next: BTreeSet<Height> = self.peers.values().map(|peer| peer.next).collect();
        let alike = next.len() <= 1 && self.peers.values().all(Progress::may_send);
        let common = next.first().filter(|_| alike).and_then(|next| self.append_from(*next));
        // New members have nothing in common with the log yet: they are asked where they are.
        let Some(append) = common.filter(|append| !append.blocks.is_empty()) else {
            for peer in self.other_members() {
                self.send_entries(peer, out);
            }
            return;
        };
        let (count, now) = (append.blocks.len(), self.now);
        self.peers.values_mut().for_each(|peer| peer.sent(count, now));
        out.send.push(Outgoing::Ready(Recipients::Others, Message::Append(append)));
        self.timers.spoke(self.now);
    }

    /// Sends what a follower lacks, or asks where its log agrees.
    fn send_entries(&mut self, to: ValidatorIndex, out: &mut Out) {
        let tip = self.tip().position.height;
        while let Some(progress) = self.peers.get(&to) {
            let idle = progress.pipelining && progress.next > tip;
            if idle || !progress.may_send() {
                return;
            }
            // R27: compacted away: the follower learns of the commit and asks for final blocks.
            let Some(append) = self.append_from(progress.next) else { return };
            let (count, now) = (append.blocks.len(), self.now);
            if let Some(progress) = self.peers.get_mut(&to) {
                progress.sent(count, now);
            }
            out.send.push(Outgoing::Ready(Recipients::One(to), Message::Append(append)));
        }
    }

    /// Entries from a height on; `None` where the log starts above it.
    fn append_from(&self, next: Height) -> Option<Append> {
        if next <= self.root().position.height {
            return None;
        }
        let previous = self.entry(next.previous())?;
        let blocks = self.blocks_from(next, MAX_BLOCKS, APPEND_BYTES);
        Some(self.append(previous, blocks, Some(self.round)))
    }

    fn append(
        &self,
        previous: BlockRef,
        blocks: Vec<chain::block::SealedBlock>,
        round: Option<u64>,
    ) -> Append {
        Append { term: self.term(), previous, blocks, commit: self.root().position.height, round }
    }

    /// R24: a sign of life for everybody. Whoever lacks what is committed says so.
    pub(super) fn heartbeat(&mut self, out: &mut Out) {
        self.round += 1;
        let message = Message::Append(self.append(self.root(), Vec::new(), Some(self.round)));
        self.broadcast(message, out);
    }

    /// R29: what no answer came for is sent again.
    pub(super) fn send_again(&mut self, out: &mut Out) {
        let (tip, patience, now) =
            (self.tip().position.height, self.config.heartbeat * 2, self.now);
        for to in self.other_members() {
            if let Some(progress) = self.peers.get_mut(&to)
                && progress.matched < tip
                && now.since(progress.moved) >= patience
            {
                progress.retry();
            }
            self.send_entries(to, out);
        }
    }

    /// R42: nothing is in flight: followers learn of the newest commit at once.
    pub(super) fn notify_commit(&mut self, out: &mut Out) {
        let message = Message::Append(self.append(self.root(), Vec::new(), None));
        self.broadcast(message, out);
    }

    fn broadcast(&mut self, message: Message, out: &mut Out) {
        out.send.push(Outgoing::Ready(Recipients::Others, message));
        self.timers.spoke(self.now);
    }

    /// R25-R28: what a follower has, or where its log differs.
    pub(super) fn handle_append_reply(
        &mut self,
        from: ValidatorIndex,
        reply: &AppendReply,
        out: &mut Out,
    ) {
        if reply.term > self.term() {
            return self.become_follower(reply.term, out);
        }
        if !self.is_leader() || reply.term < self.term() {
            return;
        }
        if Some(from) == self.me {
            self.durable = self.durable.max(reply.matched);
            return self.try_commit(out);
        }
        let (now, tip) = (self.now, self.tip().position.height);
        let Some(progress) = self.peers.get_mut(&from) else { return };
        progress.heard = now;
        progress.round = progress.round.max(reply.round);
        let matched = reply.matched.min(tip);
        if matched > progress.matched {
            progress.matched = matched;
            progress.moved = now;
        }
        match reply.conflict {
            None => {
                progress.next = progress.next.max(progress.matched.next());
                if progress.matched.next() >= progress.next {
                    progress.pipelining = true;
                    progress.probing = false;
                }
            }
            Some(conflict) => self.back_up(from, &conflict),
        }
        self.try_commit(out);
        if self.is_leader() {
            self.send_entries(from, out);
            self.try_hand_over(out);
        }
    }

    /// R26 (3.5): goes back by a term at a time.
    fn back_up(&mut self, follower: ValidatorIndex, conflict: &Conflict) {
        let Some(progress) = self.peers.get(&follower) else { return };
        let stale = conflict.at <= progress.matched
            || (!progress.pipelining && conflict.at != progress.next.previous());
        if stale {
            return;
        }
        // The last own entry of the follower's term may be shared; else all of that term goes.
        let log = self.log();
        let shared = log
            .iter()
            .map(|node| &node.block.header)
            .rfind(|header| Some(header.view) == conflict.term && header.height < conflict.at);
        let next = shared.map_or(conflict.first, |header| header.height.next());
        let next = next.min(conflict.at);
        if let Some(progress) = self.peers.get_mut(&follower) {
            progress.probe(next);
        }
    }
}
