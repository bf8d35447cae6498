//! The follower's side of replication: checks, execution, the log, the reply.
//!
//! docs/protocol/raft.md, lines R30-R36.

use chain::block::SealedBlock;
use chain::types::{Digest, Height, ValidatorIndex};

use super::message::{Append, AppendReply, Conflict, Message};
use super::rules::Rules;
use super::{Out, Raft, Stance};
use crate::application::{Executed, InvalidBlock};
use crate::engine::{Outgoing, Recipients, Request, Time};
use crate::tree::{BlockRef, Verdict, WINDOW};

/// Entries that are here and on their way into the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming {
    /// The last of them.
    pub(super) end: BlockRef,
    /// Up to here a majority has them.
    pub(super) commit: Height,
    /// The round to answer; none where no answer is needed.
    pub(super) round: Option<u64>,
    /// Final blocks, no matter from whom and in which term.
    pub(super) is_final: bool,
}

impl<R: Rules> Raft<R> {
    /// R30-R32: AppendEntries.
    pub(super) fn handle_append(&mut self, from: ValidatorIndex, append: Append, out: &mut Out) {
        if append.term < self.term() {
            // The sender learns of the higher term and steps down.
            return self.reply(from, 0, None, out);
        }
        let rival = append.term == self.term() && self.leader.is_some_and(|leader| leader != from);
        if rival || (append.term == self.term() && self.is_leader()) {
            return;
        }
        if append.term > self.term() || self.stance != Stance::Follower {
            self.become_follower(append.term, out);
        }
        if self.leader != Some(from) {
            self.leader = Some(from);
            self.announce_leader(out);
        }
        self.heard_leader();
        let previous = append.previous;
        let root = self.root();
        let compacted = previous.position.height < root.position.height;
        if !compacted && !self.holds(&previous) {
            return self.refuse(from, &append, out);
        }
        let end = append.blocks.last().map_or(previous, BlockRef::of);
        for block in append.blocks {
            self.take_block(block, out);
        }
        self.incoming =
            Some(Incoming { end, commit: append.commit, round: append.round, is_final: false });
        self.try_adopt(out);
    }

    /// R31: the entry before is not in the log: where to go on from.
    fn refuse(&mut self, from: ValidatorIndex, append: &Append, out: &mut Out) {
        let tip = self.tip().position;
        let at = append.previous.position.height;
        let conflict = match self.first_of_term(at) {
            Some((term, first)) => Conflict { at, term: Some(term), first },
            None => Conflict { at, term: None, first: tip.height.next() },
        };
        if append.commit > self.root().position.height {
            self.finals.is_ahead(from, append.commit);
            self.fetch_finals(out);
        }
        self.reply(from, append.round.unwrap_or(0), Some(conflict), out);
    }

    /// A reply leaves once the log it speaks of is on disk.
    pub(super) fn reply(
        &mut self,
        to: ValidatorIndex,
        round: u64,
        conflict: Option<Conflict>,
        out: &mut Out,
    ) {
        let matched = self.matched;
        let reply = AppendReply { term: self.term(), matched, round, conflict };
        let message = Message::AppendReply(reply);
        out.send_after_persist.push(Outgoing::Ready(Recipients::One(to), message));
    }

    /// A block goes into the tree and is executed once its parent is.
    pub(super) fn take_block(&mut self, block: SealedBlock, out: &mut Out) {
        let (height, root) = (block.header.height.get(), self.root().position.height.get());
        if height <= root || height > root + WINDOW {
            return;
        }
        if self.tree.get(&block.hash()).is_none() {
            self.tree.insert_final(block.clone(), self.now);
            if self.tree.is_valid(&block.header.parent) {
                out.requests.push(Request::Execute(block));
            }
        }
    }

    pub(super) fn handle_executed(
        &mut self,
        hash: Digest,
        verdict: Result<Executed, InvalidBlock>,
        out: &mut Out,
    ) {
        if self.tree.get(&hash).is_none() {
            return;
        }
        if self.tree.judge(&hash, verdict, self.now, &mut out.events) {
            let children = self.tree.waiting_children(&hash);
            out.requests.extend(children.into_iter().map(Request::Execute));
        }
        self.refresh_configuration(out);
        self.try_append_own(&hash, out);
        self.try_adopt(out);
    }

    /// R33-R36: takes incoming entries into the log as far as they are executed.
    pub(super) fn try_adopt(&mut self, out: &mut Out) {
        let Some(incoming) = self.incoming else { return };
        let Some(reach) = self.executed_part(&incoming) else { return };
        if reach.hash == incoming.end.hash || reach.position.height >= incoming.end.position.height
        {
            self.incoming = None;
        }
        // R33: entries that are there already stay; a conflict truncates.
        if reach.position.height > self.root().position.height && !self.holds(&reach) {
            self.move_tip(reach, out);
        }
        if incoming.is_final {
            let height = reach.position.height;
            self.matched = self.matched.max(height);
            return self.commit_finals(height, out);
        }
        self.matched = self.matched.max(reach.position.height);
        // R35: what is committed and known to be the same here.
        self.commit_to(incoming.commit.min(self.matched), out);
        if let (Some(leader), Some(round)) = (self.leader, incoming.round) {
            self.reply(leader, round, None, out);
        }
    }

    /// The last incoming entry below which all are executed and due; `None` while execution works.
    fn executed_part(&self, incoming: &Incoming) -> Option<BlockRef> {
        let root = self.root();
        if incoming.end.position.height <= root.position.height {
            return Some(incoming.end);
        }
        let mut reach = root;
        for node in self.tree.path(&incoming.end.hash)? {
            let block = node.reference();
            let sure = incoming.is_final || block.position.height <= incoming.commit || node.stored;
            match node.verdict {
                Verdict::Unknown => return None,
                Verdict::Valid if sure || self.now >= node.early_until => reach = block,
                _ => break,
            }
        }
        Some(reach)
    }

    /// When an incoming entry is due whose time is ahead of the clock.
    pub(super) fn early_due(&self) -> Option<Time> {
        let incoming = self.incoming?;
        let path = self.tree.path(&incoming.end.hash)?;
        path.iter().map(|node| node.early_until).filter(|due| *due > self.now).min()
    }
}
