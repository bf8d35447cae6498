//! A chain of one validator with its store, and what must be found there after a restart.
//! Consensus is the test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chain::block::{Block, Header, Justification, Mode, SealedBlock, proposal_digest};
use chain::certificate::{Ballot, Certificate, Signatures, Vote, VoteKind};
use chain::crypto::{Ed25519, Keypair, Signer as _};
use chain::evidence::Evidence;
use chain::finality::FinalityProof;
use chain::genesis::genesis_state;
use chain::governance::Parameters;
use chain::ledger::{BuildKind, BuildLimits, BuildTask, Ledger};
use chain::mempool::VerifiedTransaction;
use chain::transaction::{Body, Payload, SignedTransaction};
use chain::types::{Amount, Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::{Validator, ValidatorSet};
use consensus::engine::{FaultModel, RECENT_HEADERS};
use consensus::registry::EngineName;
use rocksdb::DB;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::*;

/// A safety record: what these tests promise is a vote.
pub(super) type Record = Vote;

/// A checkpoint every so many blocks.
pub(super) const fn every(blocks: u64) -> CheckpointPolicy {
    CheckpointPolicy { blocks, transactions: usize::MAX }
}

/// What a block says of itself.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) parent: Digest,
    pub(super) view: u64,
    pub(super) mode: Mode,
    pub(super) kind: BuildKind,
    pub(super) evidence: Vec<Evidence>,
    pub(super) transactions: Vec<SignedTransaction>,
}

pub(super) struct Chain {
    directory: TempDir,
    pub(super) genesis: GenesisState,
    pub(super) policy: CheckpointPolicy,
    /// Where it is open.
    open: Option<(Store, Ledger)>,
    /// Nonce of the sender's next transaction.
    nonce: u64,
    /// The final blocks from height 1 on.
    pub(super) blocks: Vec<SealedBlock>,
    /// Stored blocks above.
    pub(super) proposals: Vec<SealedBlock>,
    pub(super) record: Option<Record>,
}

fn validator() -> Keypair {
    Keypair::from_seed(&[101; 32])
}

fn sender() -> Keypair {
    Keypair::from_seed(&[1; 32])
}

pub(super) fn genesis(chain_id: Digest) -> GenesisState {
    let key = |seed| Keypair::from_seed(&[seed; 32]).public();
    let validator = Validator {
        consensus_key: validator().public(),
        network_key: key(102),
        governance_key: key(103),
        jailed: false,
        accused: false,
        since: Epoch::new(0),
    };
    let validators = ValidatorSet::new(Epoch::new(0), View::new(0), 0, [validator]);
    let balances = [(sender().public().address(), Amount::new(1_000_000))];
    let state = genesis_state(balances, validators, Parameters::default(), []).unwrap();
    GenesisState { chain_id, time_ms: 1_700_000_000_000, engine: EngineName::Hybrid, state }
}

impl Chain {
    /// A fresh store, open.
    pub(super) fn new(policy: CheckpointPolicy) -> Self {
        Self::of(EngineName::Hybrid, policy)
    }

    /// A fresh store of another engine, open.
    pub(super) fn of(engine: EngineName, policy: CheckpointPolicy) -> Self {
        let mut chain = Self {
            directory: tempfile::tempdir().unwrap(),
            genesis: GenesisState { engine, ..genesis(Digest([7; 32])) },
            policy,
            open: None,
            nonce: 0,
            blocks: Vec::new(),
            proposals: Vec::new(),
            record: None,
        };
        chain.reopen();
        chain
    }

    /// What a crash at this moment leaves behind: the files as they are, closed by nobody.
    pub(super) fn crashed(&self) -> Self {
        let copied = self.elsewhere(|directory| copy(self.path(), directory));
        Self { proposals: self.proposals.clone(), record: self.record, ..copied }
    }

    /// The same chain, its store made by `make` in another directory.
    pub(super) fn elsewhere(&self, make: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        make(directory.path());
        Self {
            directory,
            genesis: self.genesis.clone(),
            policy: self.policy,
            open: None,
            nonce: self.nonce,
            blocks: self.blocks.clone(),
            proposals: Vec::new(),
            record: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path().join("db")
    }

    pub(super) fn try_open(&self) -> Result<Opened<Record>, OpenError> {
        let stop = CancellationToken::new();
        Store::open(self.path(), &self.genesis, Arc::new(Ed25519), self.policy, &stop)
    }

    /// Why it does not open, in words.
    #[track_caller]
    pub(super) fn refusal(&self) -> String {
        self.try_open().expect_err("a store that must not open").to_string()
    }

    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Closes and opens again; everything must be there. Answers how many blocks were executed.
    #[track_caller]
    pub(super) fn reopen(&mut self) -> u64 {
        self.close();
        let opened = self.try_open().unwrap();
        self.check(&opened);
        let Opened { store, ledger, replayed, .. } = opened;
        self.nonce = ledger.state().account(&sender().public().address()).nonce;
        self.open = Some((store, ledger));
        replayed
    }

    /// Compares what was found with what was put there.
    #[track_caller]
    fn check(&self, opened: &Opened<Record>) {
        let Opened { store, recovered, ledger, .. } = opened;
        assert_eq!((recovered.final_height, recovered.final_hash), self.tip());
        assert_eq!(store.final_tip(), self.tip());
        assert_eq!((ledger.tip().height, ledger.tip().hash), self.tip());
        let root = self.blocks.last().map(|block| block.header.state_root);
        assert_eq!(ledger.state().root(), root.unwrap_or(self.genesis.state.root()));
        assert_eq!(recovered.validators, *ledger.state().validators());

        let oldest = self.blocks.len().saturating_sub(RECENT_HEADERS);
        let headers: Vec<Header> =
            self.blocks[oldest..].iter().map(|block| block.header.clone()).collect();
        let found = recovered.recent.iter().map(|block| block.header.clone());
        assert_eq!(found.collect::<Vec<_>>(), headers);
        assert_eq!(recovered.final_block.as_ref(), self.blocks.last());
        assert_eq!(
            recovered.final_proof.is_some(),
            recovered.final_block.is_some() && self.has_proofs()
        );
        if let (Some(block), Some(proof)) = (&recovered.final_block, &recovered.final_proof) {
            self.assert_proves(proof, block);
        }
        assert_eq!(recovered.blocks, self.proposals);
        assert_eq!(recovered.record, self.record);
    }

    pub(super) fn store(&self) -> &Store {
        &self.open.as_ref().expect("open").0
    }

    pub(super) fn ledger(&mut self) -> &mut Ledger {
        &mut self.open.as_mut().expect("open").1
    }

    pub(super) fn has_proofs(&self) -> bool {
        self.genesis.engine.fault_model() == FaultModel::Byzantine
    }

    /// Height and hash of the last final block.
    pub(super) fn tip(&self) -> (Height, Digest) {
        let last = self.blocks.last();
        last.map_or((Height::new(0), self.genesis.chain_id), |block| {
            (block.header.height, block.hash())
        })
    }

    pub(super) fn draft_on(&self, parent: Digest) -> Draft {
        Draft {
            parent,
            view: 0,
            mode: Mode::Fast,
            kind: BuildKind::Ordinary,
            evidence: Vec::new(),
            transactions: Vec::new(),
        }
    }

    /// On the last final block.
    pub(super) fn draft(&self) -> Draft {
        self.draft_on(self.tip().1)
    }

    /// A transaction that writes so many bytes.
    pub(super) fn put(&mut self, bytes: usize) -> SignedTransaction {
        let nonce = self.nonce;
        self.nonce += 1;
        let (chain_id, expiry) = (self.genesis.chain_id, Height::new(1_000_000));
        let body = Body::Put { key: nonce.to_be_bytes().to_vec(), value: vec![nonce as u8; bytes] };
        Payload { chain_id, account: None, sender: sender().public(), nonce, expiry, body }
            .sign(&sender())
    }

    /// The executed block of a draft.
    pub(super) fn execute(&mut self, draft: &Draft) -> SealedBlock {
        let chain_id = self.genesis.chain_id;
        let ledger = self.ledger();
        let task = BuildTask {
            parent: draft.parent,
            view: View::new(draft.view),
            kind: draft.kind,
            evidence: &draft.evidence,
            now_ms: 0,
        };
        let candidates: Vec<_> = draft
            .transactions
            .iter()
            .map(|signed| VerifiedTransaction::check(signed.clone(), &Ed25519).unwrap())
            .collect();
        let built = ledger.build(&task, candidates, &BuildLimits::default()).unwrap();
        assert_eq!(built.transactions.len(), draft.evidence.len() + draft.transactions.len());
        let (parent, state) =
            (*ledger.tip_at(&draft.parent).unwrap(), ledger.state_at(&draft.parent).unwrap());
        let (epoch, validators_hash) = match draft.kind {
            BuildKind::Seal => (parent.epoch, parent.validators_hash),
            BuildKind::Ordinary => (state.chain().epoch, state.validators().hash(&chain_id)),
        };
        let justification = Justification::default();
        let header = Header {
            chain_id,
            epoch,
            view: View::new(draft.view),
            height: parent.height.next(),
            mode: draft.mode,
            kind: built.kind,
            parent: draft.parent,
            proposer: ValidatorIndex::new(0),
            timestamp_ms: built.timestamp_ms,
            transactions_root: built.transactions_root,
            receipts_root: built.receipts_root,
            state_root: built.state_root,
            validators_hash,
            next_validators_hash: built.next_validators_hash,
            justification_hash: justification.hash(&chain_id),
        };
        let signature = validator().sign(&proposal_digest(&chain_id, &header.hash(&chain_id)));
        let transactions = built.transactions;
        let block = SealedBlock::new(Block { header, signature, justification, transactions });
        ledger.execute(&block, &|_| true).unwrap();
        block
    }

    /// Makes executed blocks final; only the last one has a proof.
    pub(super) fn commit(&mut self, blocks: &[SealedBlock]) {
        let last = blocks.last().unwrap();
        let committed = self.ledger().commit(&last.hash()).unwrap();
        let finals: Vec<FinalBlock> = blocks
            .iter()
            .zip(committed)
            .map(|(block, item)| FinalBlock {
                block: block.clone(),
                proof: (block == last && self.has_proofs()).then(|| self.proof(block)),
                executed: item.executed,
            })
            .collect();
        self.store().commit_blocks(&finals).unwrap();
        self.blocks.extend_from_slice(blocks);
        let (height, epoch) = (last.header.height, self.ledger().state().chain().epoch);
        self.proposals.retain(|block| block.header.height > height && block.header.epoch >= epoch);
    }

    /// Writes a record and proposed blocks.
    pub(super) fn persist(&mut self, record: Record, blocks: &[SealedBlock]) {
        self.store().persist_record(&record, blocks).unwrap();
        self.record = Some(record);
        for block in blocks {
            if block.header.height > self.tip().0 && !self.proposals.contains(block) {
                self.proposals.push(block.clone());
            }
        }
        self.proposals.sort_by_key(|block| (block.header.height, block.hash()));
    }

    /// So many final blocks more, of one transaction each.
    pub(super) fn grow(&mut self, count: u64) {
        for _ in 0..count {
            let draft = Draft { transactions: vec![self.put(10)], ..self.draft() };
            let block = self.execute(&draft);
            self.commit(&[block]);
        }
    }

    pub(super) fn vote(&self, kind: VoteKind, block: &SealedBlock) -> Vote {
        let ballot = Ballot { kind, position: block.header.position(), block: block.hash() };
        let signature = validator().sign(&ballot.digest(&self.genesis.chain_id));
        Vote { ballot, voter: ValidatorIndex::new(0), signature }
    }

    fn proof(&self, block: &SealedBlock) -> FinalityProof {
        let Vote { ballot, voter, signature } = self.vote(VoteKind::Commit, block);
        let certificate =
            Certificate { ballot, signatures: Signatures::new(1, &[(voter, signature)]) };
        FinalityProof { certificate, headers: Vec::new() }
    }

    #[track_caller]
    pub(super) fn assert_proves(&self, proof: &FinalityProof, block: &SealedBlock) {
        let epoch = block.header.epoch;
        let mut set = self.genesis.state.validators().clone();
        set.epoch = epoch;
        assert!(proof.verify(&block.hash(), &self.genesis.chain_id, &set, &Ed25519), "{block:?}");
    }

    /// Proof that the validator voted twice in this view of the first epoch.
    pub(super) fn double_vote(&self, view: u64) -> Evidence {
        let vote = |salt| {
            let (epoch, view) = (Epoch::new(0), View::new(view));
            let position = chain::certificate::Position { epoch, view, height: Height::new(1) };
            let ballot = Ballot { kind: VoteKind::Prepare, position, block: Digest([salt; 32]) };
            let signature = validator().sign(&ballot.digest(&self.genesis.chain_id));
            Vote { ballot, voter: ValidatorIndex::new(0), signature }
        };
        Evidence::from_votes(&vote(1), &vote(2), &self.genesis.chain_id).unwrap()
    }

    /// Changes the closed database behind the store's back.
    pub(super) fn tamper(&mut self, change: impl FnOnce(&Tampering)) {
        self.close();
        let db = open::open_database(self.path(), self.genesis.chain_id).unwrap();
        change(&Tampering(db));
    }
}

/// A database without the store around it.
pub(super) struct Tampering(DB);

impl Tampering {
    pub(super) fn get(&self, column: &str, key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        self.0.get_cf(self.0.cf_handle(column).unwrap(), key).unwrap()
    }

    pub(super) fn put(&self, column: &str, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.0.put_cf(self.0.cf_handle(column).unwrap(), key, value).unwrap();
    }

    pub(super) fn delete(&self, column: &str, key: impl AsRef<[u8]>) {
        assert!(self.get(column, key.as_ref()).is_some(), "nothing to delete in {column}");
        self.0.delete_cf(self.0.cf_handle(column).unwrap(), key).unwrap();
    }

    /// Writes what a column family has in memory to a table, and begins a new log.
    pub(super) fn flush(&self, column: &str) {
        self.0.flush_cf(self.0.cf_handle(column).unwrap()).unwrap();
    }

    /// Any key of a column family.
    pub(super) fn first_key(&self, column: &str) -> Vec<u8> {
        let column = self.0.cf_handle(column).unwrap();
        let mut items = self.0.iterator_cf(column, rocksdb::IteratorMode::Start);
        items.next().expect("not empty").unwrap().0.into_vec()
    }
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
