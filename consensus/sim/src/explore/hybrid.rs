//! The hybrid with four validators, of which the leader of the first view lies, over two views.
//!
//! The liar proposes one or two blocks at height 1 to whom it likes, makes every certificate that the
//! votes it got allow, makes everyone leave its view at any time, reports any vote and certificate to
//! the next leader and acknowledges any tip.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::marker::PhantomData;

use chain::block::{Mode, SealedBlock};
use chain::certificate::{Certificate, Finality, ViewStart, Vote, VoteKind};
use chain::crypto::{Domain, Hasher};
use chain::types::{Digest, Height, ValidatorIndex, View};
use consensus::engine::Engine;
use consensus::hybrid::{
    Append, LeaveReason, Message, ReportAnchor, Safety, Suspect, ViewAck, ViewChange, ViewReport,
    VotedProposal, Votes,
};
use consensus::tree::BlockRef;

use super::liar::{LIAR, Liar, SUCCESSOR, ballot, votes};
use super::scope::{Case, Scope};
use super::soup::{Letter, Said};

/// How far a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nobody leaves view 0: every vote of every validator reaches every other, the liar's too.
    FirstView,
    /// Until view 1 has its certificate: what it may start on is judged by the acknowledgements.
    ViewChange,
    /// Through the votes of view 1.
    SecondView,
}

/// The case for the production engine, or for one like it with a planted bug.
pub struct LyingLeader<E> {
    mode: Mode,
    reach: Reach,
    max_states: usize,
    liar: Liar,
    engine: PhantomData<E>,
}

impl<E> Debug for LyingLeader<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LyingLeader")
            .field("mode", &self.mode)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

impl<E: Engine<Message = Message>> LyingLeader<E> {
    /// With one block the liar only withholds it, its certificates and its votes; with two it
    /// equivocates.
    pub fn new(mode: Mode, reach: Reach, blocks: u64, max_states: usize) -> Self {
        let liar = Liar::new::<E>(&scope(mode, max_states), blocks);
        Self { mode, reach, max_states, liar, engine: PhantomData }
    }

    /// What it can say without having heard anything.
    fn opening_lies(&self) -> Vec<Message> {
        let digest = Hasher::on_chain(Domain::Suspect, &self.liar.chain_id)
            .value(&(self.liar.set.epoch, View::default()))
            .finish();
        let suspect = Suspect {
            epoch: self.liar.set.epoch,
            view: View::default(),
            sender: LIAR,
            signature: self.liar.sign(&digest),
        };
        let leaves = self.reach != Reach::FirstView;
        let mut lies: Vec<_> = leaves.then_some(Message::Suspect(suspect)).into_iter().collect();
        for block in &self.liar.blocks {
            lies.push(Message::Append(Append {
                epoch: self.liar.set.epoch,
                view: View::default(),
                head: BlockRef::of(block),
                view_certificate: None,
                certificates: Vec::new(),
                blocks: vec![block.clone()],
                votes: Vec::new(),
            }));
            // In fast mode nobody but the liar itself counts them.
            if self.mode == Mode::Pbft && !leaves {
                for kind in [VoteKind::Prepare, VoteKind::Commit] {
                    let vote = self.liar.vote(ballot(kind, block));
                    lies.push(Message::Votes(Votes {
                        votes: vec![vote],
                        header: None,
                        again: false,
                    }));
                }
            }
        }
        lies
    }

    /// Every certificate of view 0 that it can make, with a quorum and with all four.
    fn certificates(&self, said: &Said<'_, Message>) -> Vec<Certificate> {
        let quorums = self.liar.set.quorums();
        let kinds = [
            (VoteKind::Prepare, quorums.quorum),
            (VoteKind::Prepare, quorums.fast_quorum),
            (VoteKind::Commit, quorums.quorum),
        ];
        let make = |block| {
            kinds.map(|(kind, size)| self.liar.certificate(said, ballot(kind, block), size))
        };
        self.liar.blocks.iter().flat_map(make).flatten().collect()
    }

    /// Every report for view 1 that the edge lets pass.
    fn reports(&self, certificates: &[Certificate]) -> Vec<Message> {
        let voted = |block: &SealedBlock| VotedProposal {
            headers: vec![block.signed_header()],
            anchor: ReportAnchor::Opening,
        };
        let votes =
            std::iter::once(None).chain(self.liar.blocks.iter().map(|block| Some(voted(block))));
        // A final one it could show as well without a report.
        let prepared =
            certificates.iter().filter(|held| held.finality(&self.liar.set) == Finality::Ordered);
        let high: Vec<Option<Certificate>> =
            std::iter::once(None).chain(prepared.cloned().map(Some)).collect();
        let mut reports = Vec::new();
        for last_vote in votes {
            for high_qc in &high {
                let report = ViewReport {
                    epoch: self.liar.set.epoch,
                    view: View::new(1),
                    high_qc: high_qc.clone(),
                    last_vote: last_vote.clone(),
                    final_certificate: None,
                    reason: LeaveReason::Timeout,
                };
                let hasher = Hasher::on_chain(Domain::ViewChange, &self.liar.chain_id);
                let signature = self.liar.sign(&hasher.value(&report).finish());
                reports.push(Message::ViewChange(ViewChange { report, sender: LIAR, signature }));
            }
        }
        reports
    }

    /// Acknowledgements of every tip that view 1 could start on.
    fn acks(&self) -> Vec<Message> {
        let genesis = (Height::default(), self.liar.chain_id);
        let tips = self.liar.blocks.iter().map(|block| (block.header.height, block.hash()));
        let ack = |(tip_height, tip)| {
            let start =
                ViewStart { epoch: self.liar.set.epoch, view: View::new(1), tip_height, tip };
            let signature = self.liar.sign(&start.digest(&self.liar.chain_id));
            Message::ViewAck(ViewAck { start, sender: LIAR, signature })
        };
        std::iter::once(genesis).chain(tips).map(ack).collect()
    }

    /// The ballots of view 0 that a final certificate exists for or can exist, and what they name.
    fn decided(&self, said: &Said<'_, Message>) -> BTreeSet<Digest> {
        let mut voters: BTreeMap<(VoteKind, Digest), BTreeSet<ValidatorIndex>> = BTreeMap::new();
        for vote in votes(said).filter(|vote| vote.ballot.position.view == View::default()) {
            let ballot = vote.ballot;
            voters.entry((ballot.kind, ballot.block)).or_default().insert(vote.voter);
        }
        let quorums = self.liar.set.quorums();
        let enough = |kind: VoteKind| match kind {
            VoteKind::Prepare => quorums.fast_quorum,
            VoteKind::Commit => quorums.quorum,
            VoteKind::PbftPrepare => usize::MAX,
        };
        voters
            .into_iter()
            .filter(|((kind, _), honest)| honest.len() + 1 >= enough(*kind))
            .map(|((_, block), _)| block)
            .collect()
    }

    /// The tips that view 1 starts on, or can start on.
    fn starts(&self, said: &Said<'_, Message>) -> BTreeSet<Digest> {
        let mut senders: BTreeMap<Digest, BTreeSet<ValidatorIndex>> = BTreeMap::new();
        for letter in said.letters() {
            if let Message::ViewAck(ack) = &letter.message {
                senders.entry(ack.start.tip).or_default().insert(ack.sender);
            }
        }
        let quorum = self.liar.set.quorums().quorum;
        let enough = senders.into_iter().filter(|(_, honest)| honest.len() + 1 >= quorum);
        enough.map(|(tip, _)| tip).collect()
    }
}

impl<E: Engine<Message = Message, Record = Safety> + Clone + Debug> Case for LyingLeader<E> {
    type Engine = E;

    fn scope(&self) -> Scope {
        scope(self.mode, self.max_states)
    }

    fn liars(&self) -> &[ValidatorIndex] {
        &[LIAR]
    }

    /// Left out: fetching and what answers it, since whatever is missing the liar has and may have
    /// sent; signs of life without a certificate, and status, which promise nothing; what others than
    /// the two leaders send after, which anyone may lack; suspicions and evidence of others, since
    /// the liar's own suspicion makes any validator leave at any time; and what belongs to no view of
    /// the scope.
    fn keeps(&self, letter: &Letter<Message>) -> bool {
        let second = self.reach == Reach::SecondView;
        match &letter.message {
            Message::Append(append) => {
                let of_leader = letter.from == LIAR || letter.from == SUCCESSOR;
                let says_something = !append.blocks.is_empty() || !append.certificates.is_empty();
                second && of_leader && append.view <= View::new(1) && says_something
            }
            Message::Votes(votes) => {
                let of_first = |vote: &Vote| vote.ballot.position.view == View::default();
                second || votes.votes.iter().all(of_first)
            }
            _ if self.reach == Reach::FirstView => false,
            Message::ViewChange(change) => change.report.view == View::new(1),
            Message::NewView(_) => true,
            Message::ViewAck(_) => true,
            _ => false,
        }
    }

    /// View changes matter to the next leader alone, until it has chosen: others would only follow
    /// them out of view 0, which they leave at any time. Where the search ends with the
    /// acknowledgements, nobody needs to get them. Within view 0 a node sees one block at most, later
    /// both; certificates of view 0 reach it there. Votes of view 0 are counted in the search that
    /// stays there, each once its block was voted for, since it waits for that anyway. In the others
    /// the liar's certificates stand for them: it can make each that an honest validator could.
    fn delivers(&self, letter: &Letter<Message>, to: ValidatorIndex, promises: &Safety) -> bool {
        let first = promises.view == View::default();
        match &letter.message {
            Message::Votes(votes) => {
                let of_first = |vote: &Vote| vote.ballot.position.view == View::default();
                let voted = promises.last_vote.as_ref().map(|vote| vote.block.hash);
                let on_voted = |vote: &Vote| Some(vote.ballot.block) == voted;
                match self.reach {
                    Reach::FirstView => votes.votes.iter().all(on_voted),
                    _ => !votes.votes.iter().all(of_first),
                }
            }
            Message::ViewChange(_) => to == SUCCESSOR && !first && promises.new_view.is_none(),
            Message::NewView(_) => !first,
            Message::ViewAck(_) => self.reach == Reach::SecondView,
            Message::Append(append) if append.view == View::default() => {
                !first || promises.last_vote.is_none()
            }
            Message::Decided(_) => first,
            _ => true,
        }
    }

    /// Whom to ask for which block, and when: it decides nothing but the questions, which are left
    /// out.
    fn ignores(&self) -> &[&str] {
        &["catch_up"]
    }

    fn lies(&self, said: &Said<'_, Message>) -> Vec<Letter<Message>> {
        let certificates = self.certificates(said);
        let honest = || self.liar.honest();
        let mut lies = Vec::new();
        for message in self.opening_lies() {
            lies.extend(honest().map(|to| Liar::tell(to, message.clone())));
        }
        for certificate in &certificates {
            let message = Message::Decided(certificate.clone());
            lies.extend(honest().map(|to| Liar::tell(to, message.clone())));
        }
        if self.reach == Reach::FirstView {
            return lies;
        }
        let to_leader = self.reports(&certificates).into_iter().chain(self.acks());
        lies.extend(to_leader.map(|message| Liar::tell(SUCCESSOR, message)));
        lies
    }

    /// What a final certificate of view 0 exists for, or can exist, view 1 starts on.
    fn judge(&self, said: &Said<'_, Message>) -> Result<(), String> {
        let (decided, starts) = (self.decided(said), self.starts(said));
        if decided.len() > 1 || starts.len() > 1 {
            return Err(format!("decided: {decided:?}, starts: {starts:?}"));
        }
        // Both have height 1 or are genesis: the tip is what was decided, or does not extend it.
        match (decided.first(), starts.first()) {
            (Some(block), Some(tip)) if block != tip => {
                Err(format!("{block:?} is decided in view 0 and view 1 starts on {tip:?}"))
            }
            _ => Ok(()),
        }
    }
}

fn scope(mode: Mode, max_states: usize) -> Scope {
    Scope {
        validators: 4,
        max_faulty: 1,
        mode,
        transactions: 0,
        timeouts: vec![0; 4],
        crashes: 0,
        max_states,
        options: Scope::OPTIONS,
    }
}
