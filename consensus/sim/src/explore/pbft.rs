//! PBFT with four replicas, of which the primary of the first view lies, over two views.
//!
//! The liar proposes one or two blocks at height 1 to whom it likes, votes for both, leaves its view
//! when it likes, and reports to the next primary whatever it can prove, and what it cannot.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::marker::PhantomData;

use chain::block::{Mode, SealedBlock};
use chain::certificate::{Ballot, Certificate, Signatures, VoteKind};
use chain::crypto::{Domain, Hasher};
use chain::types::{Digest, Height, ValidatorIndex, View};
use consensus::engine::Engine;
use consensus::pbft::{Message, NewView, PrePrepare, Prepared, Promises, Report, ViewChange};

use super::liar::{LIAR, Liar, SUCCESSOR, ballot, votes};
use super::scope::{Case, Scope};
use super::soup::{Letter, Said};

/// How far a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Until the new-view message of view 1: what it starts from is judged by that.
    ViewChange,
    /// Through the prepares and commits of view 1.
    SecondView,
}

/// The case for production PBFT, or for one like it with a planted bug.
pub struct LyingPrimary<E> {
    reach: Reach,
    max_states: usize,
    liar: Liar,
    engine: PhantomData<E>,
}

impl<E> Debug for LyingPrimary<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LyingPrimary").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl<E: Engine<Message = Message>> LyingPrimary<E> {
    /// With one block the liar only withholds it and its votes; with two it equivocates.
    pub fn new(reach: Reach, blocks: u64, max_states: usize) -> Self {
        let liar = Liar::new::<E>(&scope(max_states), blocks);
        Self { reach, max_states, liar, engine: PhantomData }
    }

    /// What it proposes and votes in view 0.
    fn first_view(&self) -> Vec<Message> {
        let vote = |kind, block: &SealedBlock| self.liar.vote(ballot(kind, block));
        let say = |block: &SealedBlock| {
            let prepare = Some(vote(VoteKind::PbftPrepare, block));
            let commit = vote(VoteKind::Commit, block);
            let pre_prepare = PrePrepare { block: block.clone(), prepare };
            [Message::PrePrepare(pre_prepare), Message::Votes(vec![commit])]
        };
        self.liar.blocks.iter().flat_map(say).collect()
    }

    /// Its votes in view 1: for whatever any other votes for.
    fn second_view(said: &Said<'_, Message>) -> BTreeSet<(VoteKind, Digest, Height)> {
        let of_second = votes(said).filter(|vote| vote.ballot.position.view == View::new(1));
        let place = |ballot: Ballot| (ballot.kind, ballot.block, ballot.position.height);
        of_second.map(|vote| place(vote.ballot)).collect()
    }

    fn certificate(
        &self,
        said: &Said<'_, Message>,
        kind: VoteKind,
        block: &SealedBlock,
    ) -> Option<Certificate> {
        let quorum = self.liar.set.quorums().quorum;
        self.liar.certificate(said, ballot(kind, block), quorum)
    }

    /// Every report for view 1 that it can prove, and for each block one that it cannot.
    fn reports(&self, said: &Said<'_, Message>) -> Vec<Message> {
        let mut reports = vec![self.report(None, None)];
        for block in &self.liar.blocks {
            let own = self.liar.vote(ballot(VoteKind::PbftPrepare, block));
            let lonely = Signatures::new(self.liar.set.seats(), &[(LIAR, own.signature)]);
            let forged = Certificate { ballot: own.ballot, signatures: lonely };
            let proven = self.certificate(said, VoteKind::PbftPrepare, block);
            for certificate in proven.into_iter().chain([forged]) {
                let prepared = Prepared { header: block.header.clone(), certificate };
                reports.push(self.report(None, Some(prepared)));
            }
            if let Some(proof) = self.certificate(said, VoteKind::Commit, block) {
                reports.push(self.report(Some(proof), None));
            }
        }
        reports
    }

    fn report(
        &self,
        final_certificate: Option<Certificate>,
        prepared: Option<Prepared>,
    ) -> Message {
        let epoch = self.liar.set.epoch;
        let prepared = prepared.into_iter().collect();
        let report = Report { epoch, view: View::new(1), final_certificate, prepared };
        let hasher = Hasher::on_chain(Domain::ViewChange, &self.liar.chain_id);
        let signature = self.liar.sign(&hasher.value(&report).finish());
        Message::ViewChange(ViewChange { report, sender: LIAR, signature })
    }

    /// The blocks that a quorum of commits of view 0 exists for, or can exist.
    fn decided(&self, said: &Said<'_, Message>) -> Vec<Digest> {
        let blocks = self.liar.blocks.iter();
        let decided =
            blocks.filter(|block| self.certificate(said, VoteKind::Commit, block).is_some());
        decided.map(SealedBlock::hash).collect()
    }
}

/// What a new view has at height 1: a final block, the one it chooses, or none.
fn first_of(new_view: &NewView) -> Option<Digest> {
    let start = &new_view.start;
    let proofs = start.changes.iter().filter_map(|change| change.report.final_certificate.as_ref());
    let proven = proofs.map(|certificate| certificate.ballot.block).next();
    proven.or_else(|| start.chosen.first().copied())
}

impl<E: Engine<Message = Message, Record = Promises> + Clone + Debug> Case for LyingPrimary<E> {
    type Engine = E;

    fn scope(&self) -> Scope {
        scope(self.max_states)
    }

    fn liars(&self) -> &[ValidatorIndex] {
        &[LIAR]
    }

    /// Left out: fetching and what answers it, since whatever is missing the liar has and may have
    /// sent; status, which promises nothing; evidence, which ends no view; and views above 1.
    fn keeps(&self, letter: &Letter<Message>) -> bool {
        let last = match self.reach {
            Reach::ViewChange => View::default(),
            Reach::SecondView => View::new(1),
        };
        match &letter.message {
            Message::PrePrepare(pre_prepare) => pre_prepare.block.header.view <= last,
            Message::Votes(votes) => votes.iter().all(|vote| vote.ballot.position.view <= last),
            Message::ViewChange(change) => change.report.view == View::new(1),
            Message::NewView(new_view) => new_view.start.view == View::new(1),
            _ => false,
        }
    }

    /// A vote on a block that is not accepted waits for that, so it may as well come then. Of two
    /// blocks a replica sees one in view 0, and the other where view 1 may have chosen it. Followers
    /// leave view 0 on the liar's word and enter view 1 on its primary's; other reports matter to the
    /// primary of view 1 alone. Where the search ends with the new-view message, nobody needs it.
    fn delivers(&self, letter: &Letter<Message>, to: ValidatorIndex, promises: &Promises) -> bool {
        let first = promises.view == View::default();
        let entered = promises.new_view.is_some();
        let nothing_yet = promises.votes.is_empty() && promises.final_certificate.is_none();
        match &letter.message {
            Message::PrePrepare(pre_prepare)
                if pre_prepare.block.header.view == View::default() =>
            {
                nothing_yet && (first || entered)
            }
            Message::PrePrepare(_) => entered,
            Message::Votes(votes) => votes.iter().all(|vote| {
                let Ballot { position, block, .. } = vote.ballot;
                let accepted = promises.votes.iter().any(|own| own.block == block);
                position.view == promises.view && accepted
            }),
            Message::ViewChange(change) if to == SUCCESSOR => {
                !entered && change.report.view == View::new(1)
            }
            Message::ViewChange(change) => {
                let empty =
                    change.report.prepared.is_empty() && change.report.final_certificate.is_none();
                first && letter.from == LIAR && empty
            }
            Message::NewView(_) => self.reach == Reach::SecondView && !entered,
            _ => true,
        }
    }

    /// Whom to ask for which block, and when: it decides nothing but the questions, which are left
    /// out.
    fn ignores(&self) -> &[&str] {
        &["catch_up"]
    }

    fn lies(&self, said: &Said<'_, Message>) -> Vec<Letter<Message>> {
        let mut messages = self.first_view();
        messages.extend(self.reports(said));
        for (kind, block, height) in Self::second_view(said) {
            let mut ballot = ballot(kind, &self.liar.blocks[0]);
            ballot.position.view = View::new(1);
            ballot.position.height = height;
            ballot.block = block;
            messages.push(Message::Votes(vec![self.liar.vote(ballot)]));
        }
        let to_all = |message: Message| {
            self.liar.honest().map(move |to| Liar::tell(to, message.clone())).collect::<Vec<_>>()
        };
        messages.into_iter().flat_map(to_all).collect()
    }

    /// What can be final in view 0, view 1 starts from.
    fn judge(&self, said: &Said<'_, Message>) -> Result<(), String> {
        let decided = self.decided(said);
        if decided.len() > 1 {
            return Err(format!("{decided:?} are decided in view 0"));
        }
        let Some(block) = decided.first() else { return Ok(()) };
        for letter in said.letters() {
            let Message::NewView(new_view) = &letter.message else { continue };
            let first = first_of(new_view);
            if first != Some(*block) {
                return Err(format!(
                    "{block:?} is decided in view 0 and view 1 starts from {first:?}"
                ));
            }
        }
        Ok(())
    }
}

fn scope(max_states: usize) -> Scope {
    Scope {
        validators: 4,
        max_faulty: 1,
        mode: Mode::Pbft,
        transactions: 0,
        timeouts: vec![0; 4],
        crashes: 0,
        max_states,
        options: Scope::OPTIONS,
    }
}
