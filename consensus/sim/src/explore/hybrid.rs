//! The hybrid with four validators, of which the leader of the first view lies, over two views.
//!
//! The liar proposes one or two blocks at height 1 to whom it likes, makes every certificate that the votes it got allow,
//! makes everyone leave its view at any time, reports any vote and certificate to the next leader
//! and acknowledges any tip.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::marker::PhantomData;

use chain::block::{Block, Header, Justification, Mode, SealedBlock, proposal_digest};
use chain::certificate::{Ballot, Certificate, Finality, Signatures, ViewStart, Vote, VoteKind};
use chain::crypto::{Domain, Hasher, Signature, Signer};
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::ValidatorSet;
use consensus::application::{BuildKind, BuildRequest};
use consensus::engine::Engine;
use consensus::hybrid::{
    Append, LeaveReason, Message, ReportAnchor, Safety, Suspect, ViewAck, ViewChange, ViewReport,
    VotedProposal, Votes,
};
use consensus::message::EngineMessage;
use consensus::tree::BlockRef;

use super::node;
use super::scope::{Case, Scope};
use super::soup::{Letter, Said};
use crate::application::HashChain;
use crate::genesis::Genesis;

/// Leads view 0 and lies.
const LIAR: ValidatorIndex = ValidatorIndex::new(0);
/// Leads view 1 and does not.
const SUCCESSOR: ValidatorIndex = ValidatorIndex::new(1);

/// How far a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
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
    set: ValidatorSet,
    chain_id: Digest,
    signer: Box<dyn Signer + Send>,
    blocks: Vec<SealedBlock>,
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
        let genesis = node::genesis::<E>(&scope(mode, max_states));
        let signer = node::signer(LIAR);
        let blocks =
            (1..=blocks).map(|time| first_block(&genesis, mode, time, signer.as_ref())).collect();
        Self {
            mode,
            reach,
            max_states,
            set: genesis.validators.clone(),
            chain_id: genesis.chain_id,
            signer,
            blocks,
            engine: PhantomData,
        }
    }

    fn sign(&self, digest: &Digest) -> Signature {
        self.signer.sign(digest)
    }

    fn tell(to: ValidatorIndex, message: Message) -> Letter<Message> {
        Letter { from: LIAR, to: Some(to), message }
    }

    fn vote(&self, ballot: Ballot) -> Vote {
        Vote { ballot, voter: LIAR, signature: self.sign(&ballot.digest(&self.chain_id)) }
    }

    /// What it can say without having heard anything.
    fn opening_lies(&self) -> Vec<Message> {
        let digest = Hasher::on_chain(Domain::Suspect, &self.chain_id)
            .value(&(self.set.epoch, View::default()))
            .finish();
        let suspect = Suspect {
            epoch: self.set.epoch,
            view: View::default(),
            sender: LIAR,
            signature: self.sign(&digest),
        };
        let mut lies = vec![Message::Suspect(suspect)];
        for block in &self.blocks {
            lies.push(Message::Append(Append {
                epoch: self.set.epoch,
                view: View::default(),
                head: reference(block),
                view_certificate: None,
                certificates: Vec::new(),
                blocks: vec![block.clone()],
                votes: Vec::new(),
            }));
            // In fast mode nobody but the liar itself counts them.
            if self.mode == Mode::Pbft {
                for kind in [VoteKind::Prepare, VoteKind::Commit] {
                    let vote = self.vote(ballot(kind, reference(block)));
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

    /// Every certificate that the honest votes of view 0 and the liar's make possible, with a quorum
    /// and with all four. Rules count signers and never ask who they are, so one certificate stands
    /// for all with as many: that of the first validators.
    fn certificates(&self, said: &Said<'_, Message>) -> Vec<Certificate> {
        let quorums = self.set.quorums();
        let mut certificates = Vec::new();
        for block in &self.blocks {
            for (kind, size) in [
                (VoteKind::Prepare, quorums.quorum),
                (VoteKind::Prepare, quorums.fast_quorum),
                (VoteKind::Commit, quorums.quorum),
            ] {
                let ballot = ballot(kind, reference(block));
                let voters: BTreeSet<ValidatorIndex> = votes(said)
                    .filter(|vote| vote.ballot == ballot)
                    .map(|vote| vote.voter)
                    .collect();
                if voters.len() + 1 >= size {
                    certificates.push(self.certificate(ballot, size));
                }
            }
        }
        certificates
    }

    fn certificate(&self, ballot: Ballot, size: usize) -> Certificate {
        let digest = ballot.digest(&self.chain_id);
        let signers = self.set.indices().take(size);
        let signatures: Vec<_> =
            signers.map(|place| (place, node::signer(place).sign(&digest))).collect();
        Certificate { ballot, signatures: Signatures::new(self.set.len(), &signatures) }
    }

    /// Every report for view 1 that the edge lets pass.
    fn reports(&self, certificates: &[Certificate]) -> Vec<Message> {
        let voted = |block: &SealedBlock| VotedProposal {
            headers: vec![block.signed_header()],
            anchor: ReportAnchor::Opening,
        };
        let votes = std::iter::once(None).chain(self.blocks.iter().map(|block| Some(voted(block))));
        // A final one it could show as well without a report.
        let prepared =
            certificates.iter().filter(|held| held.finality(&self.set) == Finality::Ordered);
        let high: Vec<Option<Certificate>> =
            std::iter::once(None).chain(prepared.cloned().map(Some)).collect();
        let mut reports = Vec::new();
        for last_vote in votes {
            for high_qc in &high {
                let report = ViewReport {
                    epoch: self.set.epoch,
                    view: View::new(1),
                    high_qc: high_qc.clone(),
                    last_vote: last_vote.clone(),
                    final_certificate: None,
                    reason: LeaveReason::Timeout,
                };
                let hasher = Hasher::on_chain(Domain::ViewChange, &self.chain_id);
                let signature = self.sign(&hasher.value(&report).finish());
                reports.push(Message::ViewChange(ViewChange { report, sender: LIAR, signature }));
            }
        }
        reports
    }

    /// Acknowledgements of every tip that view 1 could start on.
    fn acks(&self) -> Vec<Message> {
        let genesis = (Height::default(), self.chain_id);
        let tips = self.blocks.iter().map(|block| (block.header.height, block.hash()));
        let ack = |(tip_height, tip)| {
            let start = ViewStart { epoch: self.set.epoch, view: View::new(1), tip_height, tip };
            let signature = self.sign(&start.digest(&self.chain_id));
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
        let quorums = self.set.quorums();
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
        let quorum = self.set.quorums().quorum;
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
    /// sent; signs of life and status, which promise nothing; suspicions and evidence of others,
    /// since the liar's own suspicion makes any validator leave at any time; and what belongs to no
    /// view of the scope.
    fn keeps(&self, letter: &Letter<Message>) -> bool {
        let second = self.reach == Reach::SecondView;
        match &letter.message {
            Message::Append(append) => second && !append.blocks.is_empty(),
            Message::Votes(votes) => {
                let of_first = |vote: &Vote| vote.ballot.position.view == View::default();
                second || votes.votes.iter().all(of_first)
            }
            Message::ViewChange(change) => change.report.view == View::new(1),
            Message::NewView(_) => true,
            Message::ViewAck(_) => true,
            _ => false,
        }
    }

    /// View changes matter to the next leader alone, until it has chosen: others would only follow
    /// them out of view 0, which they leave at any time. Where the search ends with the
    /// acknowledgements, nobody needs to get them. Within view 0 a node sees one block at most, later
    /// both; certificates of view 0 reach it there.
    fn delivers(&self, letter: &Letter<Message>, to: ValidatorIndex, promises: &Safety) -> bool {
        let first = promises.view == View::default();
        match &letter.message {
            Message::ViewChange(_) => to == SUCCESSOR && !first && promises.new_view.is_none(),
            Message::NewView(_) => !first,
            Message::ViewAck(_) => self.reach == Reach::SecondView,
            Message::Append(append) if append.view == View::default() => {
                !first || promises.last_vote.is_none()
            }
            Message::Decided(certificate) => {
                first && certificate.finality(&self.set) == Finality::Ordered
            }
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
        let honest = || self.set.indices().filter(|index| *index != LIAR);
        let mut lies = Vec::new();
        for message in self.opening_lies() {
            lies.extend(honest().map(|to| Self::tell(to, message.clone())));
        }
        for certificate in &certificates {
            let message = Message::Decided(certificate.clone());
            lies.extend(honest().map(|to| Self::tell(to, message.clone())));
        }
        let to_leader = self.reports(&certificates).into_iter().chain(self.acks());
        lies.extend(to_leader.map(|message| Self::tell(SUCCESSOR, message)));
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

fn reference(block: &SealedBlock) -> BlockRef {
    BlockRef { position: block.header.position(), hash: block.hash() }
}

fn ballot(kind: VoteKind, block: BlockRef) -> Ballot {
    Ballot { kind, position: block.position, block: block.hash }
}

fn votes<'a>(said: &Said<'a, Message>) -> impl Iterator<Item = &'a Vote> + use<'a> {
    said.letters().flat_map(|letter| letter.message.votes())
}

/// A block on genesis by the liar; two of different times are two blocks.
fn first_block(genesis: &Genesis, mode: Mode, time: u64, signer: &dyn Signer) -> SealedBlock {
    let Genesis { chain_id, hash, rule, validators, .. } = genesis;
    let state = node::hash_chain_state(genesis);
    let mut execution = HashChain::new(*chain_id, *rule, state, *hash);
    execution.set_time(time);
    let (epoch, view, height) = (Epoch::default(), View::default(), Height::new(1));
    let (parent, kind) = (*hash, BuildKind::Ordinary);
    let request = BuildRequest { parent, height, epoch, view, kind, evidence: Vec::new() };
    let payload = execution.build(&request);
    let justification = Justification::default();
    let header = Header {
        chain_id: *chain_id,
        epoch,
        view,
        height,
        mode,
        kind: payload.kind,
        parent,
        proposer: LIAR,
        timestamp_ms: payload.timestamp_ms,
        transactions_root: payload.transactions_root,
        receipts_root: payload.receipts_root,
        state_root: payload.state_root,
        validators_hash: validators.hash(chain_id),
        next_validators_hash: payload.next_validators_hash,
        justification_hash: justification.hash(chain_id),
    };
    let signature = signer.sign(&proposal_digest(chain_id, &header.hash(chain_id)));
    let transactions = payload.transactions;
    SealedBlock::new(Block { header, signature, justification, transactions })
}
