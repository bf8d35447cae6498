//! What each behaviour lets out.

use std::sync::{Arc, Mutex};

use chain::block::{BlockKind, Header, Justification, Mode};
use chain::certificate::{Certificate, Signatures, VoteKind};
use chain::crypto::Signature;
use chain::evidence::Evidence;
use chain::transaction::{Body, Payload};
use chain::types::{Amount, Epoch, Height, View};
use chain::validator::Validator;
use consensus::driver::Outbox;
use consensus::hybrid::{Append, LeaveReason, Message, ViewChange, ViewReport, Votes};
use consensus::tree::BlockRef;

use super::control::{Behaviour, Control, Request};
use super::*;
use crate::said::SaidLog;

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Sent<Message>>>);

impl Outbox<Message> for Recorder {
    fn seat(&mut self, _sets: &[ValidatorSet]) {}

    fn send(&mut self, to: Recipients, message: &Message) {
        self.0.lock().expect("no panic").push((to, message.clone()));
    }
}

const CHAIN: Digest = Digest([9; 32]);

fn key(place: u8) -> Keypair {
    Keypair::from_seed(&[place + 1; 32])
}

fn validators() -> ValidatorSet {
    let validator = |place| Validator {
        consensus_key: key(place).public(),
        network_key: key(place).public(),
        governance_key: key(place).public(),
        jailed: false,
        accused: false,
        since: Epoch::new(0),
    };
    ValidatorSet::new(Epoch::new(0), View::new(0), 1, (0..4).map(validator))
}

fn identity() -> Identity {
    Identity::new(CHAIN, Arc::new(key(0)), &validators()).expect("a validator")
}

fn block(height: u64) -> SealedBlock {
    let me = identity();
    let zero = Digest::ZERO;
    let header = Header {
        chain_id: me.chain_id,
        epoch: Epoch::new(0),
        view: View::new(0),
        height: Height::new(height),
        mode: Mode::Fast,
        kind: BlockKind::Ordinary,
        parent: zero,
        proposer: me.me,
        timestamp_ms: 1000 * height,
        transactions_root: zero,
        receipts_root: zero,
        state_root: zero,
        validators_hash: zero,
        next_validators_hash: zero,
        justification_hash: zero,
    };
    let justification = Justification::default();
    me.propose(Block { header, signature: Signature([1; 64]), justification, transactions: vec![] })
}

fn ballot(block: &SealedBlock) -> Ballot {
    Ballot { kind: VoteKind::Prepare, position: block.header.position(), block: block.hash() }
}

fn vote(ballot: Ballot) -> Vote {
    let me = identity();
    Vote { ballot, voter: me.me, signature: me.key.sign(&ballot.digest(&me.chain_id)) }
}

fn append(block: &SealedBlock) -> Message {
    Message::Append(Append {
        epoch: block.header.epoch,
        view: block.header.view,
        head: BlockRef { position: block.header.position(), hash: block.hash() },
        view_certificate: None,
        certificates: vec![],
        blocks: vec![block.clone()],
        votes: vec![vote(ballot(block))],
    })
}

fn certificate(block: &SealedBlock) -> Certificate {
    Certificate { ballot: ballot(block), signatures: Signatures::new(4, &[]) }
}

/// What leaves a validator with this behaviour, and how often it misbehaved.
fn run(behaviour: Behaviour, messages: &[(Recipients, Message)]) -> (Sent<Message>, u64) {
    let recorder = Recorder::default();
    let control = Control::default();
    let inner = Box::new(recorder.clone());
    // It joins after it started.
    let before = ValidatorSet::new(Epoch::new(0), View::new(0), 0, []);
    let home = tempfile::tempdir().expect("a temporary directory");
    let said = SaidLog::open(&SaidLog::path(home.path())).expect("a file");
    let mut layer =
        FaultLayer::new(inner, CHAIN, key(0), &before, control.clone(), said).expect("a thread");
    control.handle(Request::Behave { behaviour });
    layer.seat(&[validators()]);
    for (to, message) in messages {
        layer.send(*to, message);
    }
    let sent = recorder.0.lock().expect("no panic").clone();
    (sent, control.faults().acts)
}

fn only_block(message: &Message) -> SealedBlock {
    match message {
        Message::Append(append) if append.blocks.len() == 1 => append.blocks[0].clone(),
        other => panic!("an append with one block, not {other:?}"),
    }
}

#[test]
fn a_correct_validator_is_left_alone() {
    let messages = vec![(Recipients::Others, append(&block(1)))];
    assert_eq!(run(Behaviour::Off, &messages), (messages.clone(), 0));
}

#[test]
fn equivocation_sends_two_signed_blocks_and_both_votes() {
    let original = block(1);
    let messages = [(Recipients::Others, append(&original))];
    let (sent, acts) = run(Behaviour::Equivocate, &messages);
    assert_eq!(acts, 1);
    assert_eq!(sent.len(), 3, "one message to each follower");
    let blocks: Vec<SealedBlock> = sent.iter().map(|(_, message)| only_block(message)).collect();
    assert_eq!(blocks[0], original);
    assert_eq!(blocks[1], original);
    let twin = &blocks[2];
    let me = identity();
    let evidence =
        Evidence::from_headers(&original.signed_header(), &twin.signed_header(), &me.chain_id);
    assert!(evidence.is_some(), "two headers at one position by one leader");
    let hash = twin.header.hash(&me.chain_id);
    assert_eq!(twin.signature, me.key.sign(&proposal_digest(&me.chain_id, &hash)));
    match &sent[2] {
        (Recipients::One(to), Message::Append(append)) => {
            assert_eq!(*to, ValidatorIndex::new(3));
            assert_eq!(append.head.hash, twin.hash());
            assert_eq!(append.votes, vec![vote(ballot(twin))]);
        }
        other => panic!("an append to one follower, not {other:?}"),
    }
}

#[test]
fn equivocation_tells_the_same_lie_again_and_goes_on_with_one_branch() {
    let (first, second) = (block(1), block(2));
    let victim = Recipients::One(ValidatorIndex::new(3));
    let messages =
        [(Recipients::Others, append(&first)), (victim, append(&first)), (victim, append(&second))];
    let (sent, acts) = run(Behaviour::Equivocate, &messages);
    assert_eq!(acts, 2);
    assert_eq!(sent[3].1, sent[2].1, "the twin again");
    assert_eq!(only_block(&sent[4].1), second);
}

#[test]
fn withholding_takes_certificates_out() {
    let block = block(1);
    let mut with = append(&block);
    if let Message::Append(append) = &mut with {
        append.certificates.push(certificate(&block));
    }
    let messages = [
        (Recipients::Others, append(&block)),
        (Recipients::Others, with),
        (Recipients::Others, Message::Decided(certificate(&block))),
    ];
    let (sent, acts) = run(Behaviour::Withhold, &messages);
    assert_eq!(acts, 2);
    let bare = (Recipients::Others, append(&block));
    assert_eq!(sent, vec![bare.clone(), bare]);
}

#[test]
fn a_silent_validator_says_nothing() {
    let messages = [(Recipients::Others, append(&block(1)))];
    assert_eq!(run(Behaviour::Silent, &messages), (vec![], 1));
}

#[test]
fn an_invalid_block_is_signed_but_false() {
    let original = block(1);
    let (sent, acts) = run(Behaviour::InvalidBlock, &[(Recipients::Others, append(&original))]);
    assert_eq!(acts, 1);
    let forged = only_block(&sent[0].1);
    assert_ne!(forged.header.state_root, original.header.state_root);
    let me = identity();
    let hash = forged.header.hash(&me.chain_id);
    assert_eq!(forged.signature, me.key.sign(&proposal_digest(&me.chain_id, &hash)));
}

#[test]
fn a_double_vote_is_evidence() {
    let honest = vote(ballot(&block(1)));
    let message = Message::Votes(Votes { votes: vec![honest], header: None, again: false });
    let to = Recipients::One(ValidatorIndex::new(1));
    let (sent, acts) = run(Behaviour::DoubleVote, &[(to, message)]);
    assert_eq!(acts, 1);
    let votes: Vec<Vote> = sent
        .iter()
        .flat_map(|(_, message)| match message {
            Message::Votes(votes) => votes.votes.clone(),
            other => panic!("votes, not {other:?}"),
        })
        .collect();
    let chain_id = identity().chain_id;
    let evidence = votes.iter().find_map(|other| Evidence::from_votes(&honest, other, &chain_id));
    assert!(evidence.is_some(), "two votes of one kind at one position");
}

#[test]
fn a_flood_is_the_truth_and_junk_in_turns() {
    let honest = append(&block(1));
    let (sent, acts) = run(Behaviour::Flood, &[(Recipients::Others, honest.clone())]);
    assert_eq!((sent.len(), acts), (8, 1));
    let true_ones = sent.iter().filter(|(_, message)| *message == honest).count();
    assert_eq!(true_ones, 4, "the others have votes that nobody signed");
}

#[test]
fn a_lying_view_change_denies_everything_in_its_own_name() {
    let block = block(1);
    let report = ViewReport {
        epoch: Epoch::new(0),
        view: View::new(1),
        high_qc: Some(certificate(&block)),
        last_vote: None,
        final_certificate: None,
        reason: LeaveReason::Timeout,
    };
    let me = identity();
    let signature = me.key.sign(&Digest::ZERO);
    let truth = ViewChange { report, sender: me.me, signature };
    let others = ViewChange { sender: ValidatorIndex::new(1), ..truth.clone() };
    let messages = [truth.clone(), others.clone()]
        .map(|change| (Recipients::Others, Message::ViewChange(change)));
    let (sent, acts) = run(Behaviour::LyingViewChange, &messages);
    assert_eq!((acts, &sent[1].1), (1, &Message::ViewChange(others)));
    let Message::ViewChange(lie) = &sent[0].1 else { panic!("{sent:?}") };
    assert_eq!(lie.report.high_qc, None);
    assert_ne!(lie.signature, truth.signature, "signed anew");
}

#[test]
fn a_censor_leaves_one_account_out_until_it_is_told_to_stop() {
    let transaction = |sender: u8| {
        let (nonce, expiry) = (0, Height::new(100));
        let body =
            Body::Transfer { to: key(9).public().address(), amount: Amount::new(1), memo: vec![] };
        let sender = key(sender);
        let payload = Payload {
            chain_id: CHAIN,
            account: None,
            sender: sender.public(),
            nonce,
            expiry,
            body,
        };
        payload.sign(&sender)
    };
    let control = Control::default();
    let censor = Censor::new(control.clone());
    assert!(censor.lets_through(&transaction(1)));
    control.handle(Request::Behave { behaviour: Behaviour::Censor });
    let passed = [2, 1, 2].map(|sender| censor.lets_through(&transaction(sender)));
    assert_eq!((passed, control.faults().acts), ([false, true, false], 2));
    control.handle(Request::Behave { behaviour: Behaviour::Off });
    assert!(censor.lets_through(&transaction(2)));
}
