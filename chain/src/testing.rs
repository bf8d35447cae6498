//! Keys, validators and blocks for the tests of this crate.

use std::sync::Arc;

use proptest::prelude::ProptestConfig;

use crate::block::{Block, Header, Justification, Mode, SealedBlock, SignedHeader};
use crate::certificate::{Ballot, Certificate, Position, Vote, VoteKind};
use crate::crypto::{Domain, Ed25519, Hasher, Keypair, PublicKey, Signature, Signer, Verifier};
use crate::evidence::Evidence;
use crate::execute::BlockContext;
use crate::genesis::genesis_state;
use crate::governance::{Parameters, RecentBlock};
use crate::ledger::{BuildKind, BuildLimits, BuildTask, Built, Ledger, Tip};
use crate::mempool::VerifiedTransaction;
use crate::state::State;
use crate::transaction::{Body, Payload, SignedTransaction};
use crate::types::{Address, Amount, Digest, Epoch, Height, ValidatorIndex, View};
use crate::validator::{Validator, ValidatorSet};

pub(crate) const CHAIN: Digest = Digest([0xc4; 32]);

/// A number of random cases, said aloud.
pub(crate) fn cases(count: u32) -> ProptestConfig {
    println!("{count} random cases");
    ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() }
}

/// Signatures that cost nothing, for tests that are about something else: the key XOR the digest.
#[derive(Debug)]
pub(crate) struct Cheap;

impl Verifier for Cheap {
    fn verify(&self, key: &PublicKey, digest: &Digest, signature: &Signature) -> bool {
        *signature == cheap_signature(key, digest)
    }

    fn is_usable(&self, key: &PublicKey) -> bool {
        key.0 != [0; 32]
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct CheapSigner(pub(crate) PublicKey);

impl Signer for CheapSigner {
    fn public(&self) -> PublicKey {
        self.0
    }

    fn sign(&self, digest: &Digest) -> Signature {
        cheap_signature(&self.0, digest)
    }
}

fn cheap_signature(key: &PublicKey, digest: &Digest) -> Signature {
    let mut signature = [0; 64];
    for (byte, (a, b)) in signature.iter_mut().zip(key.0.iter().zip(&digest.0)) {
        *byte = a ^ b;
    }
    Signature(signature)
}

/// The signer with this number; numbers from 1000 on are for accounts.
pub(crate) fn signer(number: u16) -> CheapSigner {
    let mut key = [0x5a; 32];
    key[..2].copy_from_slice(&number.to_le_bytes());
    CheapSigner(PublicKey(key))
}

/// The account with this number.
pub(crate) fn account(number: u16) -> CheapSigner {
    signer(1000 + number)
}

pub(crate) fn address(number: u16) -> Address {
    account(number).public().address()
}

pub(crate) fn keypair(number: u8) -> Keypair {
    Keypair::from_seed(&[number; 32])
}

/// A set of epoch 0 whose consensus keys are `signer(0..n)`.
pub(crate) fn validators(n: u16) -> ValidatorSet {
    let validators = (0..n).map(|number| Validator {
        consensus_key: signer(number).public(),
        network_key: signer(200 + number).public(),
        governance_key: signer(400 + number).public(),
        jailed: false,
        accused: false,
        since: Epoch::new(0),
    });
    ValidatorSet::new(Epoch::new(0), View::new(0), (n - 1) / 3, validators)
}

/// Four validators and these balances of the accounts 0, 1, 2, …
pub(crate) fn state_with(balances: &[u128]) -> State {
    let balances =
        (0..).zip(balances).map(|(number, balance)| (address(number), Amount::new(*balance)));
    genesis_state(balances, validators(4), Parameters::default(), []).unwrap()
}

pub(crate) fn signed(number: u16, nonce: u64, body: Body) -> SignedTransaction {
    expiring(number, nonce, body, 1_000)
}

pub(crate) fn expiring(number: u16, nonce: u64, body: Body, expiry: u64) -> SignedTransaction {
    let sender = account(number);
    let expiry = Height::new(expiry);
    Payload { chain_id: CHAIN, account: None, sender: sender.public(), nonce, expiry, body }
        .sign(&sender)
}

pub(crate) fn transfer_body(to: u16, amount: u128) -> Body {
    Body::Transfer { to: address(to), amount: Amount::new(amount), memo: Vec::new() }
}

pub(crate) fn transfer(from: u16, nonce: u64, to: u16, amount: u128) -> SignedTransaction {
    signed(from, nonce, transfer_body(to, amount))
}

pub(crate) fn put(from: u16, nonce: u64, key: &str, value: &str) -> SignedTransaction {
    signed(from, nonce, Body::Put { key: key.into(), value: value.into() })
}

pub(crate) fn verified(transaction: SignedTransaction) -> Arc<VerifiedTransaction> {
    VerifiedTransaction::check(transaction, &Cheap).unwrap()
}

/// What a block at this height on a parent without a certificate executes in.
pub(crate) fn context(height: u64) -> BlockContext<'static> {
    let height = Height::new(height).previous();
    let parent = RecentBlock { height, hash: block_hash(height), signers: None };
    BlockContext { chain_id: CHAIN, parent, view: View::new(40), verifier: &Cheap }
}

/// The hash that the block at a height has where there are no blocks.
pub(crate) fn block_hash(height: Height) -> Digest {
    Hasher::new(Domain::BlockHash).value(&height).finish()
}

/// Proof that the validator at this place voted twice in an epoch.
pub(crate) fn double_vote(epoch: u64, voter: u16, salt: u8) -> Evidence {
    let position =
        Position { epoch: Epoch::new(epoch), view: View::new(3), height: Height::new(7) };
    let vote = |block| {
        let ballot = Ballot { kind: VoteKind::Prepare, position, block };
        let signature = signer(voter).sign(&ballot.digest(&CHAIN));
        Vote { ballot, voter: ValidatorIndex::new(voter), signature }
    };
    let (a, b) = (vote(Digest([salt; 32])), vote(Digest([salt ^ 0xff; 32])));
    Evidence::from_votes(&a, &b, &CHAIN).unwrap()
}

/// Proof that a leader proposed twice.
pub(crate) fn double_proposal(header: &Header) -> Evidence {
    let sign = |header: Header| {
        let digest = crate::block::proposal_digest(&CHAIN, &header.hash(&CHAIN));
        let signature = signer(header.proposer.get()).sign(&digest);
        SignedHeader { header, signature }
    };
    let other = Header { timestamp_ms: header.timestamp_ms + 1, ..header.clone() };
    Evidence::from_headers(&sign(header.clone()), &sign(other), &CHAIN).unwrap()
}

/// A ledger on the genesis with the cheap signatures.
pub(crate) fn ledger(state: &State) -> Ledger {
    ledger_with(state, Arc::new(Cheap))
}

pub(crate) fn ledger_with(state: &State, verifier: Arc<dyn Verifier>) -> Ledger {
    let tip = Tip::genesis(CHAIN, 1_000, state.validators().hash(&CHAIN));
    Ledger::new(CHAIN, verifier, tip, state.clone())
}

/// The clock of the tests of the ledger.
pub(crate) const NOW_MS: u64 = 50_000;

/// What a leader asks for and makes of it.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    pub(crate) parent: Digest,
    pub(crate) view: u64,
    pub(crate) kind: BuildKind,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) transactions: Vec<SignedTransaction>,
    /// The one that the block carries.
    pub(crate) certificate: Option<Certificate>,
}

impl Proposal {
    pub(crate) fn on(parent: Digest) -> Self {
        Self {
            parent,
            view: 0,
            kind: BuildKind::Ordinary,
            evidence: Vec::new(),
            transactions: Vec::new(),
            certificate: None,
        }
    }

    pub(crate) fn build(&self, ledger: &mut Ledger) -> Built {
        let task = BuildTask {
            parent: self.parent,
            view: View::new(self.view),
            kind: self.kind,
            evidence: &self.evidence,
            now_ms: NOW_MS,
        };
        let candidates: Vec<_> = self.transactions.iter().cloned().map(verified).collect();
        ledger.build(&task, candidates, &BuildLimits::default()).unwrap()
    }

    /// The block that an honest leader makes.
    pub(crate) fn block(&self, ledger: &mut Ledger) -> Block {
        let built = self.build(ledger);
        let parent = *ledger.tip_at(&self.parent).unwrap();
        let state = ledger.state_at(&self.parent).unwrap();
        let (epoch, validators_hash) = match self.kind {
            BuildKind::Seal => (parent.epoch, parent.validators_hash),
            BuildKind::Ordinary => (state.chain().epoch, state.validators().hash(&CHAIN)),
        };
        let justification =
            Justification { certificate: self.certificate.clone(), view_certificate: None };
        let header = Header {
            chain_id: CHAIN,
            epoch,
            view: View::new(self.view),
            height: parent.height.next(),
            mode: Mode::Fast,
            kind: built.kind,
            parent: self.parent,
            proposer: ValidatorIndex::new(0),
            timestamp_ms: built.timestamp_ms,
            transactions_root: built.transactions_root,
            receipts_root: built.receipts_root,
            state_root: built.state_root,
            validators_hash,
            next_validators_hash: built.next_validators_hash,
            justification_hash: justification.hash(&CHAIN),
        };
        Block {
            header,
            signature: Signature([0; 64]),
            justification,
            transactions: built.transactions,
        }
    }

    /// The block as another node receives it.
    pub(crate) fn sealed(&self, ledger: &mut Ledger) -> SealedBlock {
        received(self.block(ledger))
    }
}

/// A block as it comes out of the network: nothing of it is remembered.
pub(crate) fn received(block: Block) -> SealedBlock {
    SealedBlock::from_encoded(SealedBlock::new(block).encoded().to_vec()).unwrap()
}

/// Ed25519 as a shared verifier.
pub(crate) fn ed25519() -> Arc<dyn Verifier> {
    Arc::new(Ed25519)
}
