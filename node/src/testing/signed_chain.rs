//! A chain that its validators' keys sign in this process, without consensus: for tests and for
//! measuring how fast it is fetched.

use std::sync::Arc;

use chain::block::{Block, Header, Justification, Mode, SealedBlock, proposal_digest};
use chain::certificate::{Ballot, Certificate, Position, Signatures, Vote, VoteKind};
use chain::crypto::{Ed25519, Keypair, Signer as _};
use chain::evidence::Evidence;
use chain::finality::FinalityProof;
use chain::ledger::{BuildKind, BuildLimits, BuildTask, Ledger, Tip};
use chain::mempool::VerifiedTransaction;
use chain::transaction::{Body, Payload};
use chain::types::{Digest, Height, ValidatorIndex};
use chain::validator::ValidatorSet;
use node::storage::{FinalBlock, GenesisState};

/// The chain, and who makes it.
pub(crate) struct Chain {
    pub(crate) chain_id: Digest,
    /// Consensus keys by seat.
    validators: Vec<Keypair>,
    sender: Keypair,
    ledger: Ledger,
    pub(crate) blocks: Vec<FinalBlock>,
}

impl Chain {
    /// Genesis alone. `sender` writes the transactions.
    pub(crate) fn new(
        genesis: &genesis::Genesis,
        validators: Vec<Keypair>,
        sender: Keypair,
    ) -> Self {
        let GenesisState { chain_id, time_ms, state, .. } = GenesisState::new(genesis).unwrap();
        let tip = Tip::genesis(chain_id, time_ms, state.validators().hash(&chain_id));
        let ledger = Ledger::new(chain_id, Arc::new(Ed25519), tip, state);
        Self { chain_id, validators, sender, ledger, blocks: Vec::new() }
    }

    /// Height of the last block.
    pub(crate) fn height(&self) -> Height {
        self.ledger.tip().height
    }

    /// The set in force.
    pub(crate) fn set(&self) -> &ValidatorSet {
        self.ledger.state().validators()
    }

    /// So many blocks more, of so many transactions each, all but some with a proof of their own.
    pub(crate) fn grow(&mut self, blocks: usize, transactions: u64) {
        for number in 0..blocks {
            let nonce = self.ledger.state().account(&self.sender.public().address()).nonce;
            let (chain_id, sender) = (self.chain_id, self.sender.public());
            let pending: Vec<_> = (nonce..nonce + transactions)
                .map(|nonce| {
                    let body = Body::Put {
                        key: (nonce % 10_000).to_be_bytes().to_vec(),
                        value: vec![nonce as u8; 100],
                    };
                    let expiry = Height::new(self.height().get() + 50);
                    let payload = Payload { chain_id, account: None, sender, nonce, expiry, body };
                    VerifiedTransaction::check(payload.sign(&self.sender), &Ed25519).unwrap()
                })
                .collect();
            let proven = number % 3 != 1 || number + 1 == blocks;
            self.add(&[], pending, proven);
        }
    }

    /// A barrier: the validator in this seat is caught, and leads no more.
    pub(crate) fn jail(&mut self, seat: u16) {
        let set = self.set();
        let position =
            Position { epoch: set.epoch, view: set.first_view, height: self.height().next() };
        let vote = |salt| {
            let ballot = Ballot { kind: VoteKind::Prepare, position, block: Digest([salt; 32]) };
            let key = &self.validators[usize::from(seat)];
            let signature = key.sign(&ballot.digest(&self.chain_id));
            Vote { ballot, voter: ValidatorIndex::new(seat), signature }
        };
        let evidence = Evidence::from_votes(&vote(1), &vote(2), &self.chain_id).unwrap();
        self.add(&[evidence], Vec::new(), true);
    }

    fn add(&mut self, evidence: &[Evidence], pending: Vec<Arc<VerifiedTransaction>>, proven: bool) {
        let (set, parent, chain_id) = (self.set().clone(), *self.ledger.tip(), self.chain_id);
        let view = set.first_view;
        let kind = BuildKind::Ordinary;
        let task = BuildTask { parent: parent.hash, view, kind, evidence, now_ms: 0 };
        let count = pending.len();
        let built = self.ledger.build(&task, pending, &BuildLimits::default()).unwrap();
        assert_eq!(built.transactions.len(), evidence.len() + count);
        let justification = Justification::default();
        let proposer = set.leader(view);
        let header = Header {
            chain_id,
            epoch: set.epoch,
            view,
            height: parent.height.next(),
            mode: Mode::Fast,
            kind: built.kind,
            parent: parent.hash,
            proposer,
            timestamp_ms: built.timestamp_ms,
            transactions_root: built.transactions_root,
            receipts_root: built.receipts_root,
            state_root: built.state_root,
            validators_hash: set.hash(&chain_id),
            next_validators_hash: built.next_validators_hash,
            justification_hash: justification.hash(&chain_id),
        };
        let key = &self.validators[proposer.as_usize()];
        let signature = key.sign(&proposal_digest(&chain_id, &header.hash(&chain_id)));
        let transactions = built.transactions;
        let block = SealedBlock::new(Block { header, signature, justification, transactions });
        self.ledger.execute(&block, &|_| true).unwrap();
        let executed = self.ledger.commit(&block.hash()).unwrap().remove(0).executed;
        let proof = proven.then(|| self.prove(&block, &set));
        self.blocks.push(FinalBlock { block, proof, executed });
    }

    /// Proof by a quorum that a block is final.
    fn prove(&self, block: &SealedBlock, set: &ValidatorSet) -> FinalityProof {
        let position = block.header.position();
        let ballot = Ballot { kind: VoteKind::Commit, position, block: block.hash() };
        let quorum = set.quorums().quorum;
        let votes: Vec<_> = (0..)
            .zip(&self.validators)
            .take(quorum)
            .map(|(seat, key)| {
                (ValidatorIndex::new(seat), key.sign(&ballot.digest(&self.chain_id)))
            })
            .collect();
        let signatures = Signatures::new(set.seats(), &votes);
        FinalityProof { certificate: Certificate { ballot, signatures }, headers: Vec::new() }
    }
}
