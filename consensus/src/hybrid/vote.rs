//! Blocks and votes of the normal case, and the voting rules.
//!
//! docs/protocol/hybrid.md, lines V1-V7. Nothing here reads the mode, except to whom a vote goes.

use chain::block::{BlockKind, Mode, SealedBlock};
use chain::certificate::{Ballot, Finality, VoteKind};
use chain::types::{Digest, Height, ValidatorIndex};

use super::message::{Append, Draft, Message, ReportAnchor, VotedProposal, Votes};
use super::propose::{commit_ballot, is_seal};
use super::rules::Rules;
use super::safety::LastVote;
use super::select_tip::Ancestry;
use super::{Deferred, Hybrid, Out};
use crate::application::{Executed, InvalidBlock};
use crate::engine::{Outgoing, Recipients, Request, Time};
use crate::tree::BlockRef;
use crate::votes::Added;

/// After this many blocks in a row without a fast quorum the commit phase starts at once.
const SLOW_STREAK: u32 = 4;
/// Every so many blocks the fast quorum gets a chance again.
const PROBE_EVERY: u64 = 64;

impl<R: Rules> Hybrid<R> {
    /// From the leader of a view: blocks, certificates, or a sign of life.
    pub(super) fn handle_append(&mut self, from: ValidatorIndex, append: Append, out: &mut Out) {
        if let Some(certificate) = append.view_certificate {
            self.handle_view_certificate(certificate, out);
        }
        if append.view == self.view() && from == self.leader() {
            self.timers.heard_leader(self.now);
        }
        let offers_nothing_new = append.blocks.is_empty();
        for block in append.blocks {
            self.handle_block(from, block, out);
        }
        for certificate in append.certificates {
            self.handle_certificate(from, certificate, out);
        }
        for vote in append.votes {
            self.handle_votes(from, Votes { votes: vec![vote], header: None, again: false }, out);
        }
        if Some(from) == self.me || append.epoch != self.epoch() {
            return;
        }
        if !self.tree.knows(&append.head.hash) {
            // Anyone can name a block; only the leader's word is worth asking for. Its blocks may be
            // behind its sign of life.
            if append.view == self.view() && from == self.leader() {
                self.want_later(append.head, from);
            }
        } else if offers_nothing_new
            && append.head.position.height > self.tree.root().position.height
        {
            // The leader still waits for this block: perhaps the vote was lost.
            self.offer_last_vote(&append.head.hash, out);
        }
    }

    /// Sends the last vote again if it is for this block.
    fn offer_last_vote(&mut self, block: &Digest, out: &mut Out) {
        let Some(vote) = self.safety.last_vote.as_ref().filter(|vote| vote.block.hash == *block)
        else {
            return;
        };
        let ballot = Ballot {
            kind: VoteKind::Prepare,
            position: vote.block.position,
            block: vote.block.hash,
        };
        self.send_vote(ballot, true, out);
    }

    /// A block whose header and justification were verified, from anyone.
    pub(super) fn handle_block(&mut self, from: ValidatorIndex, block: SealedBlock, out: &mut Out) {
        if block.header.epoch != self.epoch() {
            return;
        }
        self.note_header(&block.signed_header(), out);
        if let Some(certificate) = block.justification.view_certificate.clone() {
            self.handle_view_certificate(certificate, out);
        }
        let parent = block.header.parent;
        let height = block.header.height;
        let certificate = block.justification.certificate.clone();
        if self.tree.insert(block.clone(), self.now) {
            self.catch_up.arrived(&block.hash());
            if self.tree.is_valid(&parent) {
                out.requests.push(Request::Execute(block));
            } else if !self.tree.knows(&parent) {
                let position = chain::certificate::Position {
                    height: height.previous(),
                    ..block.header.position()
                };
                self.want(BlockRef { position, hash: parent }, from);
                self.fetch(out);
            }
        }
        if let Some(certificate) = certificate {
            self.handle_certificate(from, certificate, out);
        }
    }

    /// Execution judged a block.
    pub(super) fn handle_executed(
        &mut self,
        hash: Digest,
        verdict: Result<Executed, InvalidBlock>,
        out: &mut Out,
    ) {
        if !self.tree.judge(&hash, verdict, self.now, &mut out.events) {
            return;
        }
        if let Some(block) = self.tree.get(&hash).map(|node| node.block.clone()) {
            self.try_vote(&block, out);
        }
        for child in self.tree.waiting_children(&hash) {
            out.requests.push(Request::Execute(child));
        }
        self.try_commit_vote(&hash, out);
        self.try_finalize(out);
        self.try_new_view(out);
        self.try_ack(out);
    }

    /// V1-V5: votes for a block if every rule holds.
    pub(super) fn try_vote(&mut self, block: &SealedBlock, out: &mut Out) {
        let Some(proposal) = self.votable(block) else {
            return;
        };
        let reference = BlockRef::of(block);
        let ballot =
            Ballot { kind: VoteKind::Prepare, position: reference.position, block: reference.hash };
        self.safety.last_vote = Some(LastVote { block: reference, proposal });
        self.store_with_ancestors(&reference.hash, out);
        out.persist = true;
        if self.is_own_proposal(block) {
            self.announce(block, ballot, out);
        } else {
            self.send_vote(ballot, false, out);
        }
    }

    /// Blocks of this view that could not be voted for when they were executed.
    pub(super) fn vote_on_waiting(&mut self, out: &mut Out) {
        let voted = self.safety.last_vote.as_ref().map(|vote| vote.block.position);
        let mut waiting: Vec<SealedBlock> = self
            .tree
            .nodes()
            .filter(|node| node.block.header.view == self.view())
            .filter(|node| Some(node.block.header.position()) > voted)
            .map(|node| node.block.clone())
            .collect();
        waiting.sort_by_key(|block| block.header.height);
        for block in waiting {
            self.try_vote(&block, out);
        }
    }

    /// Blocks that were too early for this node's clock and no longer are.
    pub(super) fn take_up_early(&mut self, out: &mut Out) {
        let mut ripe = false;
        for node in self.tree.nodes_mut() {
            if node.early_until != Time::default() && node.early_until <= self.now {
                node.early_until = Time::default();
                ripe = true;
            }
        }
        if ripe {
            self.vote_on_waiting(out);
            self.try_new_view(out);
            self.try_ack(out);
        }
    }

    /// Remembers that the last vote's block is part of the final chain, before the tree forgets
    /// that height: whatever extends the root extends it too.
    pub(super) fn note_final_vote(&mut self, height: Height, hash: Option<Digest>) {
        let vote = self.safety.last_vote.as_ref().map(|vote| vote.block);
        if vote.is_some_and(|block| block.position.height == height && Some(block.hash) == hash) {
            self.final_vote = hash;
        }
    }

    /// After a start: asks the disk for the height of the last vote, where that is long ago.
    pub(super) fn find_last_vote(&self, out: &mut Out) {
        let root = self.tree.root().position.height;
        let height = self.safety.last_vote.as_ref().map(|vote| vote.block.position.height);
        let deep = height.filter(|height| *height < root && self.tree.final_at(*height).is_none());
        out.requests.extend(deep.map(Request::FinalHash));
    }

    /// The voting rules. Gives what a report of this vote will say.
    fn votable(&self, block: &SealedBlock) -> Option<VotedProposal> {
        let header = &block.header;
        let view = self.view();
        // V1: the leader of this view signed it (checked with its signature), and this node is in
        // the view with the view's certificate.
        if !self.may_promise() || !self.active || header.view != view {
            return None;
        }
        // V3: it and its ancestors are here and executed, and it is not from the future.
        if !self.tree.is_acceptable(&block.hash(), self.now) {
            return None;
        }
        let (tip_height, tip) = self.view_tip(view)?;
        let reference = BlockRef::of(block);
        // V2: the first vote of a view starts exactly on its tip; a later one strictly extends
        // the last.
        match self.safety.last_vote.as_ref().filter(|vote| vote.block.position.view == view) {
            None => {
                let mut cursor = header.parent;
                while let Some(node) = self.tree.get(&cursor) {
                    if node.block.header.view != view {
                        break;
                    }
                    cursor = node.block.header.parent;
                }
                let on_final_chain = self.tree.root();
                let starts_on_tip = cursor == tip
                    || (cursor == on_final_chain.hash
                        && on_final_chain.position.view == view
                        && on_final_chain.position.epoch == self.epoch());
                if !starts_on_tip {
                    return None;
                }
            }
            Some(last) => {
                let higher = reference.position.height > last.block.position.height;
                let extends = self.final_vote == Some(last.block.hash)
                    || self.tree.extends(&reference, &last.block);
                if !higher || !extends {
                    return None;
                }
            }
        }
        // The first block of a view carries the view's certificate.
        let carries = block.justification.view_certificate.is_some();
        if header.parent == tip && !carries && !self.is_first_view(view) {
            return None;
        }
        // V4: nothing above a barrier but a seal of a later view; a seal nowhere else.
        match self.tree.open_barrier(&header.parent) {
            Some(barrier) if !is_seal(block) || barrier.block.header.view >= view => return None,
            None if is_seal(block) => return None,
            _ => {}
        }
        // V5: close above a certificate of this view, or above the tip.
        let mut headers = vec![block.signed_header()];
        let mut cursor = header.parent;
        let anchor = loop {
            let at_tip = cursor == tip;
            let certificate = match self.tree.get(&cursor) {
                Some(node) if node.block.header.view == view => node.certificate.clone(),
                _ => self.root_certificate(&cursor, view),
            };
            if let (Some(certificate), false) = (certificate, at_tip) {
                break ReportAnchor::Certificate(certificate);
            }
            if at_tip {
                break match self.safety.view_certificate(view) {
                    Some(certificate) => ReportAnchor::View(certificate.clone()),
                    None => ReportAnchor::Opening,
                };
            }
            // A path through another view's blocks could never be reported: every such view change
            // would be void.
            let node = self.tree.get(&cursor).filter(|node| node.block.header.view == view)?;
            if headers.len() as u64 >= self.config.pipeline {
                return None;
            }
            headers.push(node.block.signed_header());
            cursor = node.block.header.parent;
        };
        debug_assert!(tip_height < header.height, "a view's blocks are above its tip");
        Some(VotedProposal { headers, anchor })
    }

    /// The certificate of a final block, if it is a prepare certificate of this view for it.
    fn root_certificate(
        &self,
        hash: &Digest,
        view: chain::types::View,
    ) -> Option<chain::certificate::Certificate> {
        self.final_certificate()
            .filter(|certificate| certificate.ballot.block == *hash)
            .filter(|certificate| certificate.ballot.position.view == view)
            .cloned()
    }

    /// The block and those of its ancestors that are not on disk go there with the next record.
    fn store_with_ancestors(&mut self, hash: &Digest, out: &mut Out) {
        let mut cursor = *hash;
        let mut blocks = Vec::new();
        while let Some(node) = self.tree.get_mut(&cursor) {
            if node.stored {
                break;
            }
            node.stored = true;
            blocks.push(node.block.clone());
            cursor = node.block.header.parent;
        }
        out.blocks.extend(blocks.into_iter().rev());
    }

    /// V6: to whom a vote goes is all that a mode decides.
    pub(super) fn send_vote(&mut self, ballot: Ballot, again: bool, out: &mut Out) {
        if !again {
            self.timers.voted(self.now);
        }
        let node = self.tree.get(&ballot.block);
        let mode = node.map_or(Mode::Pbft, |node| node.block.header.mode);
        let outgoing = match mode {
            Mode::Fast => {
                let draft = Draft::Vote { ballot, header: None, again };
                let leader = self.set.leader(ballot.position.view);
                if self.me == Some(leader) {
                    Outgoing::SignForSelf(draft)
                } else {
                    Outgoing::Sign(Recipients::One(leader), draft)
                }
            }
            Mode::Pbft => {
                let header = node
                    .filter(|_| ballot.kind == VoteKind::Prepare)
                    .map(|node| node.block.signed_header());
                Outgoing::Sign(Recipients::Others, Draft::Vote { ballot, header, again })
            }
        };
        out.send_after_persist.push(outgoing);
    }

    /// Votes of one validator, verified.
    pub(super) fn handle_votes(&mut self, from: ValidatorIndex, votes: Votes, out: &mut Out) {
        if let Some(header) = &votes.header {
            self.note_header(header, out);
        }
        for vote in votes.votes {
            if vote.ballot.position.epoch != self.epoch() {
                continue;
            }
            if Some(from) == self.me {
                self.own_vote_is_on_disk(vote.ballot.position.view);
            }
            if vote.ballot.position.height <= self.tree.root().position.height {
                self.answer_late_vote(from, &vote, votes.again, out);
                continue;
            }
            match self.book.add(vote, &self.config.chain_id) {
                Added::Known => {}
                Added::New => {
                    self.count(&vote.ballot, out);
                    let current = vote.ballot.position.view == self.view();
                    let unknown = !self.tree.knows(&vote.ballot.block);
                    if current && unknown && Some(from) != self.me {
                        let block =
                            BlockRef { position: vote.ballot.position, hash: vote.ballot.block };
                        self.want_later(block, from);
                    }
                }
                Added::Conflict(evidence) => self.handle_evidence(*evidence, out),
            }
        }
    }

    /// F7: a vote that came after the quorum enlarges the newest final certificate: the next block
    /// shows all who took part, not the quickest alone.
    fn widen_final_certificate(&mut self, vote: &chain::certificate::Vote) {
        let seats = self.set.seats();
        if let Some(proof) = &mut self.final_proof
            && proof.certificate.ballot == vote.ballot
        {
            let signatures = &mut proof.certificate.signatures;
            *signatures = signatures.with(seats, vote.voter, vote.signature);
        }
    }

    /// A vote on what is final here: whoever seems to lack the certificate gets it.
    fn answer_late_vote(
        &mut self,
        from: ValidatorIndex,
        vote: &chain::certificate::Vote,
        again: bool,
        out: &mut Out,
    ) {
        self.widen_final_certificate(vote);
        for (_, deferred) in &mut self.deferred {
            if let Deferred::Share { certificate, voters } = deferred
                && certificate.ballot.block == vote.ballot.block
            {
                voters.insert(vote.voter);
            }
        }
        let committed_here = self
            .safety
            .last_commit
            .is_some_and(|ballot| ballot.position.height >= vote.ballot.position.height);
        let lacks = again || (vote.ballot.kind == VoteKind::Commit && !committed_here);
        if let (true, Some(certificate)) =
            (lacks && Some(from) != self.me, self.final_certificate())
        {
            let message = Message::Decided(certificate.clone());
            out.send.push(Outgoing::Ready(Recipients::One(from), message));
        }
    }

    /// F1: a quorum of votes on one block is a certificate.
    fn count(&mut self, ballot: &Ballot, out: &mut Out) {
        let seats = self.set.seats();
        if let Some(certificate) = self.book.certificate(ballot, seats, self.quorums.quorum) {
            self.accept_certificate(certificate, out);
        }
    }

    /// V7: a commit vote for a block with a prepare certificate of this view, its data at hand.
    pub(super) fn try_commit_vote(&mut self, hash: &Digest, out: &mut Out) {
        let Some(node) = self.tree.get(hash) else {
            return;
        };
        let Some(certificate) = node.certificate.clone() else {
            return;
        };
        let position = certificate.ballot.position;
        if !self.may_promise()
            || !self.active
            || position.view != self.view()
            || certificate.finality(&self.set) == Finality::Final
            || !self.tree.is_valid(hash)
            || !self.grace_over(hash)
        {
            return;
        }
        let higher = self.safety.last_commit.is_none_or(|last| {
            (last.position.view, last.position.height) < (position.view, position.height)
        });
        if !higher {
            return;
        }
        let ballot = commit_ballot(&certificate);
        self.safety.last_commit = Some(ballot);
        self.store_with_ancestors(hash, out);
        out.persist = true;
        self.send_vote(ballot, false, out);
        if node_mode(self, hash) == Mode::Fast && self.is_leader() {
            // The followers' commit votes are asked for with the certificate.
            self.send_sign_of_life(vec![certificate], out);
        }
    }

    /// Whether the block no longer waits for its fast quorum.
    fn grace_over(&self, hash: &Digest) -> bool {
        !self
            .deferred
            .iter()
            .any(|(_, deferred)| matches!(deferred, Deferred::Commit(waiting) if waiting == hash))
    }

    /// A prepare certificate below the fast quorum: when the commit phase starts.
    pub(super) fn schedule_commit(&mut self, hash: Digest, height: Height, out: &mut Out) {
        let mode = node_mode(self, &hash);
        let follower_was_asked = mode == Mode::Fast && !self.is_leader();
        let probing = height.get().is_multiple_of(PROBE_EVERY);
        if follower_was_asked || (self.slow_streak >= SLOW_STREAK && !probing) {
            self.try_commit_vote(&hash, out);
        } else if self.grace_over(&hash) {
            self.deferred.push_back((self.now + self.config.grace, Deferred::Commit(hash)));
        }
    }

    /// Whether nothing but seals may follow the block.
    pub(super) fn is_barrier(block: &SealedBlock) -> bool {
        block.header.kind == BlockKind::Barrier
    }
}

fn node_mode<R: Rules>(hybrid: &Hybrid<R>, hash: &Digest) -> Mode {
    hybrid.tree.get(hash).map_or(Mode::Pbft, |node| node.block.header.mode)
}
