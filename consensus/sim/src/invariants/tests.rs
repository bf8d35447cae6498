//! A canary for each property: a violation that it must catch, beside the same thing without one.

use std::rc::Rc;

use chain::block::{Block, BlockKind, Header, Justification, Mode, SealedBlock};
use chain::certificate::{Ballot, Certificate, Position, Signatures, Vote, VoteKind};
use chain::crypto::Signature;
use chain::evidence::Evidence;
use chain::finality::FinalityProof;
use chain::transaction::Transaction;
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use consensus::application::Commit;
use consensus::engine::{FaultModel, Time};
use consensus::message::Slot;

use super::{Facts, Invariants, Observation};
use crate::application::{Observed, Snapshot, transaction};
use crate::genesis::Genesis;
use crate::signatures::SignatureRule;

const RULE: SignatureRule = SignatureRule::Cheap;
const SEED: u64 = 5;

/// All properties, and a chain to show them.
struct Bench {
    invariants: Invariants,
    chain_id: Digest,
    now: u64,
}

/// What a block of the chain is like.
#[derive(Clone, Copy)]
struct Shape {
    height: u64,
    view: u64,
    mode: Mode,
    parent: Digest,
    /// Nonces of a client's transactions.
    transactions: &'static [u64],
    salt: u8,
}

impl Bench {
    /// Four validators, the last of them a liar if there is one.
    fn new(crash_only: bool) -> Self {
        let validators = Genesis::validators(RULE, SEED, 4, 1);
        let chain_id = Digest([1; 32]);
        let snapshot = Snapshot::hash_chain(validators.clone(), &chain_id);
        let genesis = Genesis {
            chain_id,
            hash: chain_id,
            mode: Mode::Fast,
            fault_model: FaultModel::Byzantine,
            rule: RULE,
            validators,
            snapshot,
        };
        let honest = [true, true, true, crash_only];
        let keys = genesis.validators.members().map(|(_, member)| member.consensus_key);
        let holders = keys.zip(honest).collect();
        let facts = Facts::new("hybrid", Rc::new(genesis), holders);
        let mut bench = Self { invariants: Invariants::new(facts), chain_id, now: 0 };
        for node in 0..4 {
            bench.started(node, 0, chain_id);
        }
        bench
    }

    fn observe(&mut self, seen: &Observation<'_>) {
        self.now += 1;
        self.invariants.observe(Time::from_nanos(self.now), seen);
    }

    fn started(&mut self, node: usize, height: u64, hash: Digest) {
        self.observe(&Observation::Started { node, height: Height::new(height), hash });
    }

    fn submit(&mut self, nonce: u64) {
        let transaction = self.transaction(nonce).hash();
        self.observe(&Observation::Submitted { transaction });
    }

    fn transaction(&self, nonce: u64) -> chain::transaction::SignedTransaction {
        transaction(self.chain_id, Genesis::signer(RULE, SEED, 1000).as_ref(), nonce)
    }

    fn shape(&self) -> Shape {
        Shape {
            height: 1,
            view: 0,
            mode: Mode::Fast,
            parent: self.chain_id,
            transactions: &[],
            salt: 0,
        }
    }

    fn block(&self, shape: Shape) -> SealedBlock {
        let set = &self.invariants.facts().genesis.validators;
        let hash = set.hash(&self.chain_id);
        let justification = Justification::default();
        let header = Header {
            chain_id: self.chain_id,
            epoch: Epoch::default(),
            view: View::new(shape.view),
            height: Height::new(shape.height),
            mode: shape.mode,
            kind: BlockKind::Ordinary,
            parent: shape.parent,
            proposer: set.leader(View::new(shape.view)),
            timestamp_ms: u64::from(shape.salt),
            transactions_root: Digest::ZERO,
            receipts_root: Digest::ZERO,
            state_root: Digest([9; 32]),
            validators_hash: hash,
            next_validators_hash: hash,
            justification_hash: justification.hash(&self.chain_id),
        };
        let transactions =
            shape.transactions.iter().map(|nonce| Transaction::Signed(self.transaction(*nonce)));
        let (signature, transactions) = (Signature([0; 64]), transactions.collect());
        SealedBlock::new(Block { header, signature, justification, transactions })
    }

    fn certificate(&self, kind: VoteKind, block: &SealedBlock, signers: &[usize]) -> Certificate {
        let position = block.header.position();
        let ballot = Ballot { kind, position, block: block.hash() };
        let digest = ballot.digest(&self.chain_id);
        let signatures: Vec<(ValidatorIndex, Signature)> = signers
            .iter()
            .map(|signer| {
                let signature = Genesis::signer(RULE, SEED, *signer).sign(&digest);
                (ValidatorIndex::new(*signer as u16), signature)
            })
            .collect();
        Certificate { ballot, signatures: Signatures::new(4, &signatures) }
    }

    fn finalize_by(&mut self, node: usize, block: &SealedBlock, signers: &[usize]) {
        let certificate = self.certificate(VoteKind::Commit, block, signers);
        let proof = Some(FinalityProof { certificate, headers: Vec::new() });
        let state_root = block.header.state_root;
        let commit = Commit { block: block.clone(), proof };
        let observed =
            Observed { commit, state_root, supply: None, next_validators: None, ledger: None };
        self.observe(&Observation::Finalized { node, block: &observed });
    }

    fn finalize(&mut self, node: usize, block: &SealedBlock) {
        self.finalize_by(node, block, &[0, 1, 2]);
    }

    /// The properties that do not hold, once each.
    fn broken(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.invariants.violations().iter().map(|found| found.property.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn assert_caught(&self, property: &str) {
        let broken = self.broken();
        assert!(broken.contains(&property), "{property} slept, {broken:?} woke");
    }
}

#[test]
fn an_honest_run_breaks_nothing() {
    let mut bench = Bench::new(true);
    for nonce in [0, 1] {
        bench.submit(nonce);
    }
    let one = bench.block(Shape { transactions: &[0], ..bench.shape() });
    let two = Shape { height: 2, parent: one.hash(), transactions: &[1], ..bench.shape() };
    let two = bench.block(two);
    for node in 0..4 {
        let (height, block) = (Height::new(1), one.hash());
        bench.observe(&Observation::Ordered { node, height, block });
        bench.finalize(node, &one);
        bench.finalize(node, &two);
    }
    bench.started(2, 1, one.hash());
    bench.finalize(2, &two);
    bench.observe(&Observation::Ended { recovered: true, whole: &[0, 1, 2, 3] });
    assert_eq!(bench.broken(), Vec::<&str>::new(), "{:?}", bench.invariants.violations());
}

#[test]
fn agreement_catches_two_final_blocks_at_one_height() {
    let mut bench = Bench::new(true);
    let (one, other) = (bench.shape(), Shape { salt: 1, ..bench.shape() });
    let (one, other) = (bench.block(one), bench.block(other));
    bench.finalize(0, &one);
    bench.finalize(1, &other);
    bench.assert_caught("agreement");
}

#[test]
fn append_only_catches_a_gap_and_a_changed_past() {
    let mut bench = Bench::new(true);
    let two = bench.block(Shape { height: 2, ..bench.shape() });
    bench.finalize(0, &two);
    bench.assert_caught("append-only finality");

    let mut bench = Bench::new(true);
    let (one, other) = (bench.shape(), Shape { salt: 1, ..bench.shape() });
    let (one, other) = (bench.block(one), bench.block(other));
    bench.finalize(0, &one);
    bench.started(0, 1, other.hash());
    assert_eq!(bench.broken(), ["append-only finality"]);
}

#[test]
fn certified_finality_catches_too_few_signers() {
    let mut bench = Bench::new(true);
    let one = bench.block(bench.shape());
    bench.finalize_by(0, &one, &[0, 1]);
    assert_eq!(bench.broken(), ["certificate-backed finality"]);
}

#[test]
fn exactly_once_catches_a_repeated_transaction() {
    let mut bench = Bench::new(true);
    bench.submit(0);
    let one = bench.block(Shape { transactions: &[0], ..bench.shape() });
    let again = Shape { height: 2, parent: one.hash(), transactions: &[0], ..bench.shape() };
    let again = bench.block(again);
    bench.finalize(0, &one);
    bench.finalize(0, &again);
    assert_eq!(bench.broken(), ["exactly once"]);
}

#[test]
fn honest_evidence_catches_an_accusation_of_the_honest_alone() {
    for (accused, caught) in [(1, true), (3, false)] {
        let mut bench = Bench::new(false);
        let position =
            Position { epoch: Epoch::default(), view: View::new(0), height: Height::new(1) };
        let signer = Genesis::signer(RULE, SEED, accused);
        let vote = |block| {
            let ballot = Ballot { kind: VoteKind::Prepare, position, block: Digest([block; 32]) };
            let signature = signer.sign(&ballot.digest(&Digest([1; 32])));
            Vote { ballot, voter: ValidatorIndex::new(accused as u16), signature }
        };
        let evidence = Evidence::from_votes(&vote(1), &vote(2), &bench.chain_id).unwrap();
        bench.observe(&Observation::Believed { node: 0, evidence: &evidence });
        let expected: &[&str] = if caught { &["no evidence against the honest"] } else { &[] };
        assert_eq!(bench.broken(), expected);
    }
}

#[test]
fn no_double_vote_catches_two_statements_in_one_slot() {
    let mut bench = Bench::new(true);
    let slot = Slot::ViewChange(Epoch::default(), View::new(1));
    for word in [7, 7, 8] {
        let (validator, digest) = (ValidatorIndex::new(0), Digest([word; 32]));
        bench.observe(&Observation::Stated { validator, slot, digest });
    }
    assert_eq!(bench.broken(), ["no double vote"]);
}

#[test]
fn ordered_survives_catches_a_loss_without_liars_across_views_and_modes() {
    for (crash_only, expected) in [(true, ["ordered survives crashes"].as_slice()), (false, &[])] {
        let mut bench = Bench::new(crash_only);
        let (height, block) = (Height::new(1), Digest([4; 32]));
        bench.observe(&Observation::Ordered { node: 0, height, block });
        let other = bench.block(Shape { view: 1, mode: Mode::Pbft, ..bench.shape() });
        bench.finalize(1, &other);
        assert_eq!(bench.broken(), expected);
    }
}

#[test]
fn state_roots_catches_a_node_that_computes_something_else() {
    let mut bench = Bench::new(true);
    let one = bench.block(bench.shape());
    let certificate = bench.certificate(VoteKind::Commit, &one, &[0, 1, 2]);
    let proof = Some(FinalityProof { certificate, headers: Vec::new() });
    let commit = Commit { block: one, proof };
    let state_root = Digest([8; 32]);
    let observed =
        Observed { commit, state_root, supply: None, next_validators: None, ledger: None };
    bench.observe(&Observation::Finalized { node: 0, block: &observed });
    assert_eq!(bench.broken(), ["equal state roots"]);
}

#[test]
fn validity_catches_what_no_client_sent() {
    let mut bench = Bench::new(true);
    let one = bench.block(Shape { transactions: &[0], ..bench.shape() });
    bench.finalize(0, &one);
    assert_eq!(bench.broken(), ["validity"]);
}

#[test]
fn unique_certificates_catches_two_of_one_kind_at_one_position() {
    let mut bench = Bench::new(false);
    let (one, other) = (bench.shape(), Shape { salt: 1, ..bench.shape() });
    let (one, other) = (bench.block(one), bench.block(other));
    // One of them with two signers only is no certificate.
    for signers in [&[0, 3][..], &[0, 1, 3]] {
        assert_eq!(bench.broken(), Vec::<&str>::new());
        for (block, signers) in [(&one, &[1, 2, 3][..]), (&other, signers)] {
            let certificate = &bench.certificate(VoteKind::Prepare, block, signers);
            bench.observe(&Observation::Certified { node: 0, certificate });
        }
    }
    assert_eq!(bench.broken(), ["unique certificates"]);
}

#[test]
fn unique_certificates_catches_commit_votes_for_two_blocks_in_two_views() {
    for (kind, expected) in
        [(VoteKind::Commit, ["unique certificates"].as_slice()), (VoteKind::Prepare, &[])]
    {
        let mut bench = Bench::new(false);
        for view in 0..2 {
            let block = bench.block(Shape { view, ..bench.shape() });
            let certificate = &bench.certificate(kind, &block, &[1, 2, 3]);
            bench.observe(&Observation::Certified { node: 0, certificate });
        }
        assert_eq!(bench.broken(), expected);
    }
}

#[test]
fn acknowledged_survives_catches_a_lost_transaction() {
    let mut bench = Bench::new(true);
    for nonce in [0, 1] {
        bench.submit(nonce);
    }
    let both = bench.block(Shape { transactions: &[0, 1], ..bench.shape() });
    let one = bench.block(Shape { transactions: &[0], ..bench.shape() });
    bench.finalize(0, &both);
    bench.finalize(1, &one);
    bench.assert_caught("acknowledged survives");
}

#[test]
fn acknowledged_survives_catches_a_node_that_stays_behind() {
    let mut bench = Bench::new(true);
    bench.submit(0);
    let one = bench.block(Shape { transactions: &[0], ..bench.shape() });
    for node in 0..3 {
        bench.finalize(node, &one);
    }
    bench.observe(&Observation::Ended { recovered: false, whole: &[0, 1, 2, 3] });
    assert_eq!(bench.broken(), Vec::<&str>::new());
    bench.observe(&Observation::Ended { recovered: true, whole: &[0, 1, 2, 3] });
    assert_eq!(bench.broken(), ["acknowledged survives"]);
}

#[test]
fn mode_changes_catches_a_view_that_flaps() {
    let mut bench = Bench::new(true);
    let mut parent = bench.chain_id;
    for (height, mode) in [(1, Mode::Pbft), (2, Mode::Fast), (3, Mode::Pbft)] {
        assert_eq!(bench.broken(), Vec::<&str>::new());
        let block = bench.block(Shape { height, mode, parent, ..bench.shape() });
        bench.finalize(0, &block);
        parent = block.hash();
    }
    assert_eq!(bench.broken(), ["bounded mode changes"]);
}

#[test]
fn no_livelock_catches_endless_events_unless_the_chain_grows() {
    let mut bench = Bench::new(true);
    for _ in 0..79_999 {
        bench.observe(&Observation::Waited);
    }
    let one = bench.block(bench.shape());
    bench.finalize(0, &one);
    for _ in 0..79_999 {
        bench.observe(&Observation::Waited);
    }
    assert_eq!(bench.broken(), Vec::<&str>::new());
    bench.observe(&Observation::Waited);
    assert_eq!(bench.broken(), ["no livelock"]);
}

#[test]
fn linearizable_catches_a_stale_read_and_a_write_before_its_time() {
    for (height, expected) in [(1, [].as_slice()), (0, &["linearizable clients"])] {
        let mut bench = Bench::new(true);
        bench.submit(0);
        let one = bench.block(Shape { transactions: &[0], ..bench.shape() });
        bench.finalize(0, &one);
        bench.observe(&Observation::ReadAsked { id: 1 });
        bench.observe(&Observation::ReadAnswered { id: 1, height: Height::new(height) });
        // One that nobody answered says nothing.
        bench.observe(&Observation::ReadAsked { id: 2 });
        bench.observe(&Observation::Ended { recovered: false, whole: &[0, 1, 2, 3] });
        assert_eq!(bench.broken(), expected);
    }

    let mut bench = Bench::new(true);
    bench.submit(0);
    let one = bench.block(Shape { transactions: &[1], ..bench.shape() });
    let two = Shape { height: 2, parent: one.hash(), transactions: &[0], ..bench.shape() };
    let two = bench.block(two);
    // Final before a client sent it.
    bench.finalize(1, &one);
    bench.submit(1);
    bench.finalize(1, &two);
    bench.observe(&Observation::Ended { recovered: false, whole: &[0, 1, 2, 3] });
    bench.assert_caught("linearizable clients");
}
