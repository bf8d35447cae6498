//! Counting prepares and commits.
//!
//! docs/protocol/pbft.md, lines B5 to B7.

use chain::certificate::{Ballot, Certificate, Signatures, Vote, VoteKind};
use chain::types::{Digest, Height, ValidatorIndex};

use super::message::{Draft, Prepared};
use super::rules::Rules;
use super::{Out, Pbft};
use crate::engine::{Event, Outgoing, Recipients};
use crate::tree::BlockRef;
use crate::votes::Added;

impl<R: Rules> Pbft<R> {
    /// Votes of one replica, verified. Own ones come back once they are on disk, and count then.
    pub(super) fn handle_votes(&mut self, from: ValidatorIndex, votes: Vec<Vote>, out: &mut Out) {
        for vote in votes {
            let ballot = vote.ballot;
            if ballot.position.epoch != self.epoch() {
                continue;
            }
            if ballot.position.height <= self.root() {
                self.take_turn(&vote);
                continue;
            }
            match self.book.add(vote, &self.config.chain_id) {
                Added::Known => {}
                Added::New => {
                    let current = ballot.position.view == self.view();
                    if current && !self.tree.knows(&ballot.block) && Some(from) != self.me {
                        let block = BlockRef { position: ballot.position, hash: ballot.block };
                        self.want_later(block, from);
                    }
                    self.count(&ballot, out);
                }
                Added::Conflict(evidence) => self.handle_evidence(*evidence, out),
            }
        }
    }

    /// B7: a commit that came after the quorum takes the place of another one in the newest final
    /// certificate, by turns. The next block shows who takes part, and not the quickest alone, though
    /// a certificate has a quorum and no more.
    fn take_turn(&mut self, vote: &Vote) {
        let seats = self.set.seats();
        let Some(certificate) = &mut self.promises.final_certificate else { return };
        let signatures = &mut certificate.signatures;
        if certificate.ballot != vote.ballot || signatures.signers().any(|s| s == vote.voter) {
            return;
        }
        let turn = vote.ballot.position.height.get() % signatures.count() as u64;
        let kept = signatures.iter().zip(0u64..).filter(|(_, place)| *place != turn);
        let mut some: Vec<_> = kept.map(|((index, held), _)| (index, *held)).collect();
        some.push((vote.voter, vote.signature));
        *signatures = Signatures::new(seats, &some);
    }

    /// Votes on one block, counted plainly each time one arrives.
    fn count(&mut self, ballot: &Ballot, out: &mut Out) {
        match ballot.kind {
            VoteKind::PbftPrepare if ballot.position.view == self.view() => self.try_commit(out),
            VoteKind::Commit => {
                self.note_ordered(ballot, out);
                // B7: of whatever view.
                if let Some(certificate) = self.certificate(ballot) {
                    self.note_final(certificate, out);
                }
            }
            _ => {}
        }
    }

    /// A weak certificate: f+1 replicas hold the prepare certificate on their disks. Every set of
    /// n-f reports has one of them, so as long as nobody lies the block stays. Prepared at one
    /// replica alone it would not.
    fn note_ordered(&mut self, ballot: &Ballot, out: &mut Out) {
        let (height, block) = (ballot.position.height, ballot.block);
        let weak = self.book.certificate(ballot, self.set.seats(), self.quorums.f + 1);
        if weak.is_some() && self.ordered.insert(height, block) != Some(block) {
            out.events.push(Event::Ordered { height, block });
        }
    }

    /// A quorum of votes, and no more: what view changes carry has a bound.
    fn certificate(&self, ballot: &Ballot) -> Option<Certificate> {
        let (seats, quorum) = (self.set.seats(), R::quorum(&self.quorums));
        let all = self.book.certificate(ballot, seats, quorum)?;
        let some: Vec<_> = all.signatures.iter().take(quorum).map(|(i, s)| (i, *s)).collect();
        Some(Certificate { ballot: *ballot, signatures: Signatures::new(seats, &some) })
    }

    /// B5, B6: what is prepared, and commits from the last final block up as far as all is.
    pub(super) fn try_commit(&mut self, out: &mut Out) {
        if !self.may_promise() || !self.active() || self.root() < self.low() {
            return;
        }
        let mut all_below = true;
        for (height, hash) in self.accepted.clone() {
            let prepared = self.try_prepared(height, hash);
            if R::may_commit(prepared, all_below)
                && self.promises.vote(VoteKind::Commit, height).is_none()
            {
                let ballot = self.ballot(VoteKind::Commit, height, hash);
                self.promise_vote(ballot, out);
                let draft = Draft::Votes(vec![ballot]);
                out.send_after_persist.push(Outgoing::Sign(Recipients::Others, draft));
            }
            all_below &= prepared;
        }
    }

    /// B5: whether an accepted block is prepared in this view.
    fn try_prepared(&mut self, height: Height, hash: Digest) -> bool {
        let view = self.view();
        if self.promises.prepared_at(height).is_some_and(|held| held.view() == view) {
            return true;
        }
        let ballot = self.ballot(VoteKind::PbftPrepare, height, hash);
        let certificate = self.certificate(&ballot);
        let (Some(certificate), Some(node)) = (certificate, self.tree.get_mut(&hash)) else {
            return false;
        };
        node.certificate = Some(certificate.clone());
        let header = node.block.header.clone();
        self.promises.prepare(Prepared { header, certificate });
        self.timers.progressed(self.now);
        true
    }
}
