//! A chain with real signatures, and proofs of what is in it.

use crate::block::{
    BlockKind, Header, Justification, Mode, SealedBlock, SignedHeader, proposal_digest,
};
use crate::certificate::{Ballot, Certificate, Signatures, Vote, VoteKind};
use crate::crypto::{Ed25519, Keypair, Signer as _};
use crate::evidence::Evidence;
use crate::genesis::genesis_state;
use crate::governance::Parameters;
use crate::ledger::Ledger;
use crate::light::{
    Claim, EpochChange, FinalBlock, FinalityPath, Lineage, Proof, ProofError, Trust, Verdict,
};
use crate::receipt::Receipt;
use crate::state::{RecordKey, State};
use crate::testing::{CHAIN, Proposal, address, ed25519, keypair, ledger_with};
use crate::transaction::SignedTransaction;
use crate::types::{Amount, Digest, Epoch, Height, ValidatorIndex, View};
use crate::validator::{Validator, ValidatorSet};

/// A final block with all that a node keeps of it.
pub(super) struct Kept {
    pub(super) block: SealedBlock,
    pub(super) receipts: Vec<Receipt>,
    pub(super) state: State,
    pub(super) finality: FinalityPath,
    /// Up to the block's epoch.
    pub(super) lineage: Lineage,
}

/// The validators of a chain of four, in agreement.
pub(super) struct Maker {
    ledger: Ledger,
    keys: Vec<Keypair>,
    view: u64,
    pub(super) trust: Trust,
    pub(super) lineage: Lineage,
    pub(super) kept: Vec<Kept>,
}

/// The set of these consensus keys.
pub(super) fn set_of(epoch: u64, keys: &[Keypair]) -> ValidatorSet {
    let other = |index: usize, salt: u8| keypair(salt + index as u8).public();
    let validators = keys.iter().enumerate().map(|(index, key)| Validator {
        consensus_key: key.public(),
        network_key: other(index, 100),
        governance_key: other(index, 150),
        jailed: false,
        accused: false,
        since: Epoch::new(0),
    });
    let max_faulty = ((keys.len() - 1) / 3) as u16;
    ValidatorSet::new(Epoch::new(epoch), View::new(0), max_faulty, validators)
}

/// The votes of the first `voters` keys on the block with this header.
pub(super) fn certify(
    header: &Header,
    kind: VoteKind,
    keys: &[Keypair],
    voters: usize,
) -> Certificate {
    let ballot = Ballot { kind, position: header.position(), block: header.hash(&header.chain_id) };
    let digest = ballot.digest(&header.chain_id);
    let signatures: Vec<_> = (0..)
        .zip(&keys[..voters])
        .map(|(index, key)| (ValidatorIndex::new(index), key.sign(&digest)))
        .collect();
    Certificate { ballot, signatures: Signatures::new(keys.len(), &signatures) }
}

/// An empty block above another, as far as its header goes.
pub(super) fn above(parent: &Header, kind: BlockKind) -> Header {
    Header {
        view: parent.view.next(),
        height: parent.height.next(),
        kind,
        parent: parent.hash(&parent.chain_id),
        timestamp_ms: parent.timestamp_ms + 1,
        ..parent.clone()
    }
}

impl Maker {
    pub(super) fn new() -> Self {
        let keys: Vec<Keypair> = (1..=4).map(keypair).collect();
        let validators = set_of(0, &keys);
        let balances = [(address(0), Amount::new(1000)), (address(1), Amount::new(5))];
        let state = genesis_state(balances, validators.clone(), Parameters::default(), []).unwrap();
        Self {
            ledger: ledger_with(&state, ed25519()),
            keys,
            view: 0,
            trust: Trust { chain_id: CHAIN, validators },
            lineage: Lineage::default(),
            kept: Vec::new(),
        }
    }

    /// A final block with these transactions. Certified in another way at every height: itself by
    /// commit votes or by a fast quorum, or by way of the block above.
    pub(super) fn grow(&mut self, transactions: Vec<SignedTransaction>) -> &Kept {
        self.add(transactions, Vec::new())
    }

    /// A barrier because this validator voted twice, final by a seal, and so a new epoch.
    pub(super) fn change_epoch(&mut self, liar: u16) -> Evidence {
        let evidence = self.double_vote(liar);
        self.add(Vec::new(), vec![evidence.clone()]);
        evidence
    }

    fn add(&mut self, transactions: Vec<SignedTransaction>, evidence: Vec<Evidence>) -> &Kept {
        let proposal = Proposal {
            view: self.view,
            transactions,
            evidence,
            ..Proposal::on(self.ledger.tip().hash)
        };
        let block = proposal.sealed(&mut self.ledger);
        let next = self.ledger.execute(&block, &|_| true).unwrap();
        let receipts = self.ledger.executed(&block.hash()).unwrap().receipts.clone();
        self.ledger.commit(&block.hash()).unwrap();
        let finality = self.finality(&block.header);
        self.kept.push(Kept {
            receipts,
            state: self.ledger.state().clone(),
            finality: finality.clone(),
            lineage: self.lineage.clone(),
            block: block.clone(),
        });
        if let Some(validators) = next {
            self.view = validators.first_view.get();
            let barrier = block.header.clone();
            self.lineage.0.push(EpochChange { barrier, finality, validators });
        }
        self.kept.last().unwrap()
    }

    fn finality(&self, header: &Header) -> FinalityPath {
        let (kind, certified) = match (header.kind, header.height.get() % 3) {
            (BlockKind::Barrier, _) => (VoteKind::Commit, Some(above(header, BlockKind::Seal))),
            (_, 0) => (VoteKind::Commit, None),
            (_, 1) => (VoteKind::Prepare, None),
            (_, _) => (VoteKind::Commit, Some(above(header, BlockKind::Ordinary))),
        };
        let certificate = certify(certified.as_ref().unwrap_or(header), kind, &self.keys, 3);
        FinalityPath { certificate, headers: certified.into_iter().collect() }
    }

    fn double_vote(&self, liar: u16) -> Evidence {
        let tip = &self.kept.last().unwrap().block.header;
        let epoch = self.ledger.state().chain().epoch;
        let vote = |salt: u8| {
            let ballot = Ballot {
                kind: VoteKind::Prepare,
                position: crate::certificate::Position { epoch, ..tip.position() },
                block: Digest([salt; 32]),
            };
            let signature = self.keys[usize::from(liar)].sign(&ballot.digest(&CHAIN));
            Vote { ballot, voter: ValidatorIndex::new(liar), signature }
        };
        Evidence::from_votes(&vote(1), &vote(2), &CHAIN).unwrap()
    }

    /// Two blocks at one place, signed by one leader of epoch 0.
    pub(super) fn double_proposal(&self) -> Evidence {
        let header = &self.kept[0].block.header;
        let key = &self.keys[header.proposer.as_usize()];
        let sign = |header: Header| {
            let signature = key.sign(&proposal_digest(&CHAIN, &header.hash(&CHAIN)));
            SignedHeader { header, signature }
        };
        let other = Header { timestamp_ms: header.timestamp_ms + 7, ..header.clone() };
        Evidence::from_headers(&sign(header.clone()), &sign(other), &CHAIN).unwrap()
    }

    fn at(&self, height: u64) -> &Kept {
        &self.kept[height as usize - 1]
    }

    pub(super) fn prove_transaction(&self, height: u64, index: usize) -> Proof {
        let kept = self.at(height);
        let finality = kept.finality.clone();
        let claim = Claim::transaction(&kept.block, finality, &kept.receipts, index).unwrap();
        Proof { chain_id: CHAIN, claim, lineage: kept.lineage.clone() }
    }

    pub(super) fn prove_record(&self, height: u64, key: RecordKey) -> Proof {
        let kept = self.at(height);
        let (header, finality) = (kept.block.header.clone(), kept.finality.clone());
        let claim = Claim::record(FinalBlock { header, finality }, &kept.state, key);
        Proof { chain_id: CHAIN, claim, lineage: kept.lineage.clone() }
    }

    pub(super) fn prove_evidence(&self, evidence: &Evidence) -> Proof {
        let accused = self.keys[evidence.accused().as_usize()].public();
        let epochs = evidence.epoch().get() as usize;
        Proof {
            chain_id: CHAIN,
            claim: Claim::Equivocation { accused, evidence: evidence.clone() },
            lineage: Lineage(self.lineage.0[..epochs].to_vec()),
        }
    }

    /// Another block beside the final one of this height, which the last `voters` keys signed for.
    pub(super) fn prove_fork(&self, height: u64, voters: usize) -> Proof {
        let kept = self.at(height);
        let header = &kept.block.header;
        let twin = Header { timestamp_ms: header.timestamp_ms + 7, ..header.clone() };
        let ballot =
            Ballot { kind: VoteKind::Commit, position: twin.position(), block: twin.hash(&CHAIN) };
        let digest = ballot.digest(&CHAIN);
        let signatures: Vec<_> = (0..)
            .zip(&self.keys)
            .skip(self.keys.len() - voters)
            .map(|(index, key)| (ValidatorIndex::new(index), key.sign(&digest)))
            .collect();
        let signatures = Signatures::new(self.keys.len(), &signatures);
        let finality =
            FinalityPath { certificate: Certificate { ballot, signatures }, headers: Vec::new() };
        let one = FinalBlock { header: header.clone(), finality: kept.finality.clone() };
        let claim = Claim::fork(one, FinalBlock { header: twin, finality }, &CHAIN);
        Proof { chain_id: CHAIN, claim, lineage: kept.lineage.clone() }
    }

    pub(super) fn check(&self, file: &[u8]) -> Result<Verdict, ProofError> {
        Proof::from_json(file)?.verify(&self.trust, &Ed25519)
    }
}

/// A first block that nobody built, with this set.
pub(super) fn bare_header(set: &ValidatorSet, height: u64, parent: Digest) -> Header {
    let hash = set.hash(&CHAIN);
    Header {
        chain_id: CHAIN,
        epoch: set.epoch,
        view: set.first_view,
        height: Height::new(height),
        mode: Mode::Fast,
        kind: BlockKind::Ordinary,
        parent,
        proposer: ValidatorIndex::new(0),
        timestamp_ms: height,
        transactions_root: Digest::ZERO,
        receipts_root: Digest::ZERO,
        state_root: Digest::ZERO,
        validators_hash: hash,
        next_validators_hash: hash,
        justification_hash: Justification::default().hash(&CHAIN),
    }
}
