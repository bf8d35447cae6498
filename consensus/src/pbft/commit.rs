//! From commit certificates to final blocks, and from a final barrier to the next epoch.
//!
//! docs/protocol/pbft.md, lines B7 and B19.

use chain::block::BlockKind;
use chain::certificate::Certificate;
use chain::finality::FinalityProof;
use chain::validator::ValidatorSet;

use super::promises::Promises;
use super::rules::Rules;
use super::select::Selection;
use super::{Out, Pbft};
use crate::application::Commit;
use crate::engine::Event;
use crate::tree::{BlockRef, Node};

impl<R: Rules> Pbft<R> {
    /// B7: a commit certificate, counted here or verified. The block may still be on its way.
    pub(super) fn note_final(&mut self, certificate: Certificate, out: &mut Out) {
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
        let height = target.position.height;
        if target.position.epoch != self.epoch() || height <= self.root() {
            return;
        }
        let voter = proof.certificate.signatures.signers().find(|voter| Some(*voter) != self.me);
        self.pending_finals.note(target, proof);
        self.try_finalize(out);
        if let Some(voter) = voter.filter(|_| self.root() < height) {
            self.want_path(target, voter);
            self.fetch(out);
        }
    }

    /// Commits the highest pending final block that is here and executed with its ancestors.
    pub(super) fn try_finalize(&mut self, out: &mut Out) {
        let Some((chain, proof)) = self.pending_finals.ready(&self.tree) else {
            return;
        };
        self.finalize(&chain, proof, out);
        self.try_accept(out);
        self.try_new_view(out);
    }

    fn finalize(&mut self, chain: &[Node], proof: FinalityProof, out: &mut Out) {
        let last = chain.last().expect("a final block above the root");
        for node in chain {
            let height = node.block.header.height;
            let is_last = height == last.block.header.height;
            assert!(
                is_last || node.block.header.kind != BlockKind::Barrier,
                "no block above a barrier of its epoch is ever final"
            );
            self.timers.finalized(self.now.since(node.received), self.now);
            let proof = is_last.then(|| proof.clone());
            out.commits.push(Commit { block: node.block.clone(), proof });
        }
        let height = last.block.header.height;
        let certificate = proof.certificate.clone();
        self.promises.finalize(&certificate);
        self.final_proof = Some(proof);
        self.tree.set_root(&last.block.hash());
        self.book.prune(height);
        self.accepted.retain(|accepted, _| *accepted > height);
        self.ordered.retain(|ordered, _| *ordered > height);
        self.headers.forget_up_to(height);
        self.pending_finals.forget_up_to(height);
        self.log_finals(chain, certificate, out);
        if last.block.header.kind == BlockKind::Barrier {
            self.start_epoch(last, out);
        }
    }

    /// B19: epoch e+1 starts on the barrier itself, in the view after the barrier's: a function of
    /// the barrier alone, whatever view made it final.
    fn start_epoch(&mut self, barrier: &Node, out: &mut Out) {
        let set = barrier
            .next_validators
            .clone()
            .expect("an executed barrier names the next validator set");
        let header = &barrier.block.header;
        assert_eq!(set.epoch, header.epoch.next(), "epochs follow one another");
        assert_eq!(set.first_view, header.view.next(), "the epoch starts above its barrier");
        self.opening = barrier.reference();
        self.enter_epoch(set);
        out.persist = true;
        out.events.push(Event::EpochStarted { epoch: self.epoch(), validators: self.set.clone() });
        if self.active() {
            self.announce_view(out);
        }
    }

    /// Everything that belongs to an epoch starts afresh.
    fn enter_epoch(&mut self, set: ValidatorSet) {
        self.quorums = set.quorums();
        self.promises = match self.ahead.take_if(|record| record.epoch <= set.epoch) {
            Some(record) if record.epoch == set.epoch => record,
            _ => Promises::new(set.epoch, set.first_view),
        };
        self.led_before = self.promises.led;
        self.me = set.index_of(&self.config.me).filter(|_| self.ahead.is_none());
        self.evidence.enter_epoch(&set);
        self.set = set;
        self.tree.clear();
        self.book.clear();
        self.headers.clear();
        self.pending_finals.clear();
        self.changes.clear();
        self.ordered.clear();
        self.checkpoints.clear();
        self.catch_up.enter_epoch(&self.set);
        self.reads.enter_epoch();
        self.timers.enter_epoch(self.now);
        self.restore_view();
    }

    /// What follows from the record for the view that it is in.
    pub(super) fn restore_view(&mut self) {
        self.starting = None;
        self.pace = crate::propose::Pace::default();
        let opening = (self.opening.position.height, self.opening.hash);
        self.selection = match &self.promises.new_view {
            Some(new_view) => super::select::select::<R>(opening, &new_view.start.changes),
            None => Selection::opening(opening.0, opening.1),
        };
        self.accepted = self
            .promises
            .votes
            .iter()
            .filter(|vote| vote.kind == chain::certificate::VoteKind::PbftPrepare)
            .map(|vote| (vote.position.height, vote.block))
            .collect();
        self.timers.enter_view(self.now);
    }
}
