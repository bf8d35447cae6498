//! Everybody's keys in one hand: signs whatever a script wants said.

use std::collections::BTreeMap;

use chain::block::{
    Block, Header, Justification, Mode, SealedBlock, SignedHeader, proposal_digest,
};
use chain::certificate::{
    Ballot, Certificate, Position, Signatures, ViewCertificate, ViewStart, Vote, VoteKind,
};
use chain::crypto::{Domain, Hasher, Signer};
use chain::evidence::Evidence;
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::ValidatorSet;
use consensus::application::{BuildKind, BuildRequest};
use consensus::hybrid::{
    LeaveReason, NewView, ReportAnchor, Suspect, ViewAck, ViewChange, ViewReport, ViewReports,
    VotedProposal,
};
use consensus::tree::BlockRef;
use consensus_sim::application::{HashChain, Snapshot};
use consensus_sim::genesis::Genesis;

/// Writes blocks on an execution of its own, and signs for any validator.
pub(crate) struct Quill {
    pub(crate) chain_id: Digest,
    pub(crate) set: ValidatorSet,
    pub(crate) genesis: BlockRef,
    signers: Vec<Box<dyn Signer + Send>>,
    execution: HashChain,
    heights: BTreeMap<Digest, Height>,
    newest: BlockRef,
    clock_ms: u64,
}

/// What is special about a block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Special {
    pub(crate) mode: Option<Mode>,
    pub(crate) seal: bool,
    pub(crate) evidence: Option<Evidence>,
    pub(crate) justification: Justification,
}

pub(crate) fn index(place: usize) -> ValidatorIndex {
    ValidatorIndex::new(u16::try_from(place).unwrap())
}

pub(crate) fn reference(block: &SealedBlock) -> BlockRef {
    BlockRef { position: block.header.position(), hash: block.hash() }
}

pub(crate) fn starting(certificate: &ViewCertificate) -> Special {
    let view_certificate = Some(certificate.clone());
    let justification = Justification { view_certificate, ..Justification::default() };
    Special { justification, ..Special::default() }
}

impl Quill {
    pub(crate) fn new(genesis: &Genesis, seed: u64) -> Self {
        let Snapshot::HashChain(state) = genesis.snapshot.clone() else {
            unreachable!("the calm scenario runs on the hash chain");
        };
        let position =
            Position { epoch: Epoch::default(), view: View::default(), height: Height::default() };
        let signers = (0..genesis.validators.len())
            .map(|place| Genesis::signer(genesis.rule, seed, place))
            .collect();
        Self {
            chain_id: genesis.chain_id,
            set: genesis.validators.clone(),
            genesis: BlockRef { position, hash: genesis.hash },
            newest: BlockRef { position, hash: genesis.hash },
            signers,
            execution: HashChain::new(genesis.chain_id, genesis.rule, state, genesis.hash),
            heights: BTreeMap::from([(genesis.hash, Height::default())]),
            clock_ms: 1,
        }
    }

    /// The leader's next block on `parent`: valid, and another one each time.
    pub(crate) fn block(&mut self, parent: Digest, view: u64, special: Special) -> SealedBlock {
        self.clock_ms += 1;
        self.execution.set_time(self.clock_ms);
        let height = self.heights[&parent].next();
        let view = View::new(view);
        let payload = self.execution.build(&BuildRequest {
            parent,
            height,
            epoch: self.set.epoch,
            view,
            kind: if special.seal { BuildKind::Seal } else { BuildKind::Ordinary },
            bytes: Block::MAX_TRANSACTION_BYTES,
            evidence: special.evidence.into_iter().collect(),
        });
        let header = Header {
            chain_id: self.chain_id,
            epoch: self.set.epoch,
            view,
            height,
            mode: special.mode.unwrap_or(Mode::Fast),
            kind: payload.kind,
            parent,
            proposer: self.set.leader(view),
            timestamp_ms: payload.timestamp_ms,
            transactions_root: payload.transactions_root,
            receipts_root: payload.receipts_root,
            state_root: payload.state_root,
            validators_hash: self.set.hash(&self.chain_id),
            next_validators_hash: payload.next_validators_hash,
            justification_hash: special.justification.hash(&self.chain_id),
        };
        let block = self.sealed(header, special.justification, payload.transactions);
        self.execution.execute(&block).expect("a block made by the rules is valid");
        block
    }

    fn sealed(
        &mut self,
        header: Header,
        justification: Justification,
        transactions: Vec<chain::transaction::Transaction>,
    ) -> SealedBlock {
        let hash = header.hash(&self.chain_id);
        let digest = proposal_digest(&self.chain_id, &hash);
        let signature = self.signers[header.proposer.as_usize()].sign(&digest);
        self.heights.insert(hash, header.height);
        self.newest = BlockRef { position: header.position(), hash };
        SealedBlock::new(Block { header, signature, justification, transactions })
    }

    /// The block made last.
    pub(crate) fn newest(&self) -> BlockRef {
        self.newest
    }

    /// The block with another header, signed again by the proposer that it names.
    pub(crate) fn altered(
        &mut self,
        block: &SealedBlock,
        alter: impl FnOnce(&mut Header),
    ) -> SealedBlock {
        let mut header = block.header.clone();
        alter(&mut header);
        self.sealed(header, block.justification.clone(), block.transactions.clone())
    }

    pub(crate) fn vote(&self, voter: usize, ballot: Ballot) -> Vote {
        let signature = self.signers[voter].sign(&ballot.digest(&self.chain_id));
        Vote { ballot, voter: index(voter), signature }
    }

    pub(crate) fn certificate(
        &self,
        kind: VoteKind,
        block: BlockRef,
        voters: &[usize],
    ) -> Certificate {
        let ballot = ballot(kind, block);
        let signatures: Vec<_> = voters
            .iter()
            .map(|voter| (index(*voter), self.vote(*voter, ballot).signature))
            .collect();
        Certificate { ballot, signatures: Signatures::new(self.set.seats(), &signatures) }
    }

    pub(crate) fn start(&self, view: u64, tip: BlockRef) -> ViewStart {
        let (tip_height, tip) = (tip.position.height, tip.hash);
        ViewStart { epoch: self.set.epoch, view: View::new(view), tip_height, tip }
    }

    pub(crate) fn ack(&self, sender: usize, start: ViewStart) -> ViewAck {
        let signature = self.signers[sender].sign(&start.digest(&self.chain_id));
        ViewAck { start, sender: index(sender), signature }
    }

    pub(crate) fn view_certificate(&self, start: ViewStart, signers: &[usize]) -> ViewCertificate {
        let signatures: Vec<_> = signers
            .iter()
            .map(|sender| (index(*sender), self.ack(*sender, start).signature))
            .collect();
        ViewCertificate { start, signatures: Signatures::new(self.set.seats(), &signatures) }
    }

    /// A report of somebody who knows nothing.
    pub(crate) fn blank(&self, view: u64) -> ViewReport {
        ViewReport {
            epoch: self.set.epoch,
            view: View::new(view),
            high_qc: None,
            last_vote: None,
            final_certificate: None,
            reason: LeaveReason::Timeout,
        }
    }

    pub(crate) fn view_change(&self, sender: usize, report: ViewReport) -> ViewChange {
        let hasher = Hasher::on_chain(Domain::ViewChange, &self.chain_id);
        let signature = self.signers[sender].sign(&hasher.value(&report).finish());
        ViewChange { report, sender: index(sender), signature }
    }

    /// The leader's choice of reports for a view.
    pub(crate) fn new_view(&self, view: u64, reports: Vec<ViewChange>) -> NewView {
        let view = View::new(view);
        let start = ViewReports { epoch: self.set.epoch, view, reports };
        let hasher = Hasher::on_chain(Domain::NewView, &self.chain_id);
        let leader = self.set.leader(view).as_usize();
        let signature = self.signers[leader].sign(&hasher.value(&start).finish());
        NewView { start, signature }
    }

    pub(crate) fn suspect(&self, sender: usize, view: u64) -> Suspect {
        let (epoch, view) = (self.set.epoch, View::new(view));
        let hasher = Hasher::on_chain(Domain::Suspect, &self.chain_id);
        let signature = self.signers[sender].sign(&hasher.value(&(epoch, view)).finish());
        Suspect { epoch, view, sender: index(sender), signature }
    }
}

pub(crate) fn ballot(kind: VoteKind, block: BlockRef) -> Ballot {
    Ballot { kind, position: block.position, block: block.hash }
}

/// A last vote for the first of these blocks, newest first, down to an anchor.
pub(crate) fn voted(blocks: &[&SealedBlock], anchor: ReportAnchor) -> Option<VotedProposal> {
    let headers: Vec<SignedHeader> = blocks.iter().map(|block| block.signed_header()).collect();
    Some(VotedProposal { headers, anchor })
}
