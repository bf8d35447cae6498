//! From certificates to final blocks, and from a final barrier to the next epoch.
//!
//! docs/protocol/hybrid.md, lines F1-F6.

use std::collections::BTreeSet;
use std::time::Duration;

use chain::block::{Block, BlockKind, Mode, SealedBlock};
use chain::certificate::{Certificate, Finality, VoteKind};
use chain::finality::FinalityProof;
use chain::types::ValidatorIndex;
use chain::validator::ValidatorSet;

use super::message::Message;
use super::propose::is_seal;
use super::rules::Rules;
use super::safety::Safety;
use super::{Deferred, Hybrid, Out};
use crate::application::Commit;
use crate::engine::{Event, Outgoing, Reason, Recipients};
use crate::footprint::Footprint;
use crate::tree::{BlockRef, Node};

impl<R: Rules> Hybrid<R> {
    /// A certificate from a peer, verified.
    pub(super) fn handle_certificate(
        &mut self,
        from: ValidatorIndex,
        certificate: Certificate,
        out: &mut Out,
    ) {
        let position = certificate.ballot.position;
        if position.epoch != self.epoch() {
            return;
        }
        if position.height > self.tree.root().position.height {
            self.want_path(BlockRef { position, hash: certificate.ballot.block }, from);
        }
        self.accept_certificate(certificate, out);
        self.fetch(out);
    }

    /// F2: takes note of a certificate, from a peer or from votes counted here.
    pub(super) fn accept_certificate(&mut self, certificate: Certificate, out: &mut Out) {
        let ballot = certificate.ballot;
        self.safety.raise_high_qc(&certificate);
        if ballot.position.height <= self.tree.root().position.height {
            return;
        }
        let is_final = certificate.finality(&self.set) == Finality::Final;
        if let Some(node) = self.tree.get_mut(&ballot.block) {
            let first = node.certificate.is_none();
            let better = node
                .certificate
                .as_ref()
                .is_none_or(|held| held.signatures.count() < certificate.signatures.count());
            if better && ballot.kind == VoteKind::Prepare {
                node.certificate = Some(certificate.clone());
            }
            if first {
                let height = ballot.position.height;
                let block = node.block.clone();
                let round_trip = self.now.since(node.received);
                self.measure(&block, round_trip);
                // A seal is void: its height belongs to the next epoch's first block.
                if !is_seal(&block) {
                    out.events.push(Event::Ordered { height, block: ballot.block });
                }
                // V5 may have refused blocks above it.
                self.vote_on_waiting(out);
            }
        }
        if is_final {
            self.note_final(certificate, out);
        } else if ballot.position.view == self.view() {
            self.schedule_commit(ballot.block, ballot.position.height, out);
        }
    }

    /// A2: what an own proposal's certificate says of the network.
    fn measure(&mut self, block: &SealedBlock, round_trip: Duration) {
        if self.is_own_proposal(block) {
            self.pacing.certified(round_trip, block.transaction_bytes(), &self.config);
        }
    }

    /// F3: a final certificate. The block may still be on its way.
    fn note_final(&mut self, certificate: Certificate, out: &mut Out) {
        let target =
            BlockRef { position: certificate.ballot.position, hash: certificate.ballot.block };
        let proof = FinalityProof { certificate, headers: Vec::new() };
        self.note_final_proof(target, proof, out);
    }

    /// Keeps a final block until it is committed, and tries.
    pub(super) fn note_final_proof(
        &mut self,
        target: BlockRef,
        proof: FinalityProof,
        out: &mut Out,
    ) {
        if target.position.height > self.tree.root().position.height {
            self.pending_finals.note(target, proof);
        }
        self.try_finalize(out);
    }

    /// F4: commits the highest pending final block that is here and executed with its ancestors.
    pub(super) fn try_finalize(&mut self, out: &mut Out) {
        let Some((path, proof)) = self.pending_finals.ready(&self.tree) else {
            return;
        };
        self.finalize(path, proof, out);
        self.try_new_view(out);
        self.try_ack(out);
    }

    fn finalize(&mut self, path: Vec<Node>, mut proof: FinalityProof, out: &mut Out) {
        // F5: seals are void; they only prove the barrier below them.
        let (chain, seals): (Vec<Node>, Vec<Node>) =
            path.into_iter().partition(|node| !is_seal(&node.block));
        assert!(!chain.is_empty(), "seals stand above a barrier that is not final");
        if !seals.is_empty() {
            let headers = seals.iter().rev().map(|seal| seal.block.signed_header());
            proof.headers = proof.headers.into_iter().chain(headers).collect();
        }
        let last = chain.len() - 1;
        let mut barrier = None;
        for (place, node) in chain.iter().enumerate() {
            let header = &node.block.header;
            assert!(barrier.is_none(), "no block above a barrier of its epoch is ever final");
            if Self::is_barrier(&node.block) {
                barrier = Some(node.clone());
            }
            if let Some(from) = self.history.last_mode().filter(|mode| *mode != header.mode) {
                out.events.push(Event::ModeChanged {
                    height: header.height,
                    from,
                    to: header.mode,
                    reason: self.mode_reason(header.mode, header.view),
                });
            }
            self.history.push(&Footprint::of(&node.block));
            if node.block.encoded().len() < Block::MAX_TRANSACTION_BYTES / 2 {
                self.timers.block_had_room();
            }
            self.timers.finalized(header.view, self.now.since(node.received), self.now);
            out.commits.push(Commit {
                block: node.block.clone(),
                proof: (place == last).then(|| proof.clone()),
            });
        }
        for node in &chain {
            self.note_final_vote(node.block.header.height, Some(node.block.hash()));
        }
        let newest = chain[last].clone();
        self.after_final(&newest, &proof.certificate);
        self.final_proof = Some(proof);
        self.tree.set_root(&newest.block.hash());
        self.book.prune(newest.block.header.height);
        self.headers.forget_up_to(newest.block.header.height);
        self.pending_finals.forget_up_to(newest.block.header.height);
        match barrier {
            Some(barrier) => {
                self.announce_barrier(out);
                self.start_epoch(&barrier, out);
            }
            None => self.announce_final(out),
        }
    }

    /// Nobody hears of a barrier's certificate from the next block: that is of another epoch.
    fn announce_barrier(&self, out: &mut Out) {
        if let (true, Some(certificate)) = (self.is_leader(), self.final_certificate()) {
            let message = Message::Decided(certificate.clone());
            out.send.push(Outgoing::Ready(Recipients::Others, message));
        }
    }

    fn mode_reason(&self, to: Mode, view: chain::types::View) -> Reason {
        match to {
            Mode::Fast => Reason::Calm,
            Mode::Pbft => self.reasons.get(&view).copied().unwrap_or(Reason::Timeout),
        }
    }

    /// What a final block says of the network, and who may still lack its certificate.
    fn after_final(&mut self, newest: &Node, certificate: &Certificate) {
        let one_round = certificate.ballot.kind == VoteKind::Prepare;
        self.slow_streak = if one_round { 0 } else { self.slow_streak.saturating_add(1) };
        let height = newest.block.header.height;
        let tree = &self.tree;
        self.deferred.retain(|(_, deferred)| match deferred {
            Deferred::Commit(block) => {
                tree.reference(block).is_some_and(|block| block.position.height > height)
            }
            Deferred::Share { .. } => true,
        });
        if newest.block.header.mode == Mode::Pbft && self.me.is_some() {
            let voters: BTreeSet<ValidatorIndex> = certificate.signatures.signers().collect();
            let certificate = certificate.clone();
            self.deferred
                .push_back((self.now + self.config.grace, Deferred::Share { certificate, voters }));
        }
    }

    /// F6: epoch e+1 starts on the barrier itself, in the view after the barrier's, in the
    /// barrier's mode, without a view certificate: a function of the barrier alone.
    fn start_epoch(&mut self, barrier: &Node, out: &mut Out) {
        let set = barrier
            .next_validators
            .clone()
            .expect("an executed barrier names the next validator set");
        let header = &barrier.block.header;
        assert_eq!(header.kind, BlockKind::Barrier);
        assert_eq!(set.epoch, header.epoch.next(), "epochs follow one another");
        assert_eq!(set.first_view, header.view.next(), "the epoch starts above its barrier");
        self.opening = barrier.reference();
        self.opening_mode = header.mode;
        self.enter_epoch(set);
        out.persist = true;
        out.events.push(Event::EpochStarted { epoch: self.epoch(), validators: self.set.clone() });
        if self.active {
            out.events.push(Event::ViewStarted {
                epoch: self.epoch(),
                view: self.view(),
                leader: self.leader(),
            });
        }
    }

    /// Everything that belongs to an epoch starts afresh.
    pub(super) fn enter_epoch(&mut self, set: ValidatorSet) {
        self.quorums = set.quorums();
        self.final_vote = None;
        self.safety = match self.ahead.take_if(|record| record.epoch <= set.epoch) {
            Some(record) if record.epoch == set.epoch => record,
            _ => Safety::new(set.epoch, set.first_view),
        };
        self.led_before = self.safety.led;
        self.me = set.index_of(&self.config.me).filter(|_| self.ahead.is_none());
        self.evidence.enter_epoch(&set);
        self.set = set;
        self.active = self.view_tip(self.view()).is_some();
        self.tree.clear();
        self.book.clear();
        self.headers.clear();
        self.pending_finals.clear();
        self.suspects.clear();
        self.changes.clear();
        self.pending_new_view = None;
        self.acks.clear();
        self.deep_finals.clear();
        self.reasons.clear();
        self.slow_streak = 0;
        self.deferred.clear();
        self.catch_up.enter_epoch(&self.set);
        self.reads.enter_epoch();
        self.reset_proposing();
        self.timers.enter_view(self.now);
    }
}
