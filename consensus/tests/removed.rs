//! What a removed validator signs or says counts for nothing, in every engine: its seat is free in the
//! set of the epoch, and it still has its key.

use std::sync::Arc;
use std::time::Duration;

use chain::block::Mode;
use chain::certificate::{Ballot, Certificate, Position, Signatures, Vote, VoteKind};
use chain::crypto::{Ed25519, Keypair, Signer};
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::{Validator, ValidatorSet};
use consensus::engine::{Config, Engine, Fault, Input, Output, Recovered, Time};
use consensus::hybrid::{Hybrid, Votes};
use consensus::message::EngineMessage;
use consensus::paxos::{Paxos, Promise};
use consensus::pbft::Pbft;
use consensus::policy::Policy;
use consensus::raft::{Append, Raft, VoteReply};
use consensus::tree::BlockRef;
use consensus::{hybrid, paxos, pbft, raft};

const CHAIN: Digest = Digest([7; 32]);
const BLOCK: Digest = Digest([8; 32]);
const EPOCH: Epoch = Epoch::new(1);
const VIEW: View = View::new(3);
/// The seat that is free, and one of the four that are not.
const REMOVED: ValidatorIndex = ValidatorIndex::new(1);
const MEMBER: ValidatorIndex = ValidatorIndex::new(2);

fn key(seat: u8) -> Keypair {
    Keypair::from_seed(&[seat + 1; 32])
}

/// Five sat here, and the second was removed from the middle.
fn set(max_faulty: u16) -> ValidatorSet {
    let member = |seat: u8| Validator {
        consensus_key: key(seat).public(),
        network_key: key(seat + 50).public(),
        governance_key: key(seat + 100).public(),
        jailed: false,
        accused: false,
        since: Epoch::new(0),
    };
    let mut set = ValidatorSet::new(EPOCH, VIEW, max_faulty, (0..5).map(member));
    set.remove(REMOVED).expect("it sat there");
    set.check().expect("four are left");
    set
}

/// The engine of the validator in seat 0, at the start of the epoch.
fn start<E: Engine>(max_faulty: u16) -> E {
    let ms = Duration::from_millis;
    let config = Config {
        chain_id: CHAIN,
        me: key(0).public(),
        verifier: Arc::new(Ed25519),
        timeout_min: ms(50),
        timeout_max: ms(400),
        heartbeat: ms(15),
        grace: ms(5),
        block_interval: ms(1),
        batch: 16,
        pipeline: 8,
        policy: Policy::Adaptive,
    };
    let recovered = Recovered {
        validators: set(max_faulty),
        final_height: Height::new(0),
        final_hash: Digest::ZERO,
        final_block: None,
        final_proof: None,
        opening_height: Height::new(0),
        opening_hash: Digest::ZERO,
        opening_mode: Mode::Fast,
        recent: Vec::new(),
        blocks: Vec::new(),
        record: None,
    };
    E::recover(config, recovered, Time::default(), &mut Output::default())
}

fn vote(kind: VoteKind, seat: u8) -> Vote {
    let position = Position { epoch: EPOCH, view: VIEW, height: Height::new(1) };
    let ballot = Ballot { kind, position, block: BLOCK };
    let signature = key(seat).sign(&ballot.digest(&CHAIN));
    Vote { ballot, voter: ValidatorIndex::new(u16::from(seat)), signature }
}

#[track_caller]
fn assert_refused<E: Engine>(engine: &E, from: ValidatorIndex, message: E::Message) {
    let kind = message.kind();
    match engine.verify(from, message) {
        Err(Fault(_)) => {}
        Ok(taken) => panic!("{kind} of a removed validator is taken: {taken:?}"),
    }
}

/// Whatever leaves a view, in its own name and passed on by a member.
fn alarms_are_refused<E: Engine>(engine: &E) {
    let alarms = E::Message::alarms(&CHAIN, REMOVED, (EPOCH, VIEW), &key(1));
    assert!(!alarms.is_empty(), "there is something to refuse");
    for alarm in alarms {
        assert_refused(engine, REMOVED, alarm.clone());
        assert_refused(engine, MEMBER, alarm);
    }
}

#[test]
fn the_hybrid_takes_no_vote_suspicion_or_view_change() {
    let engine: Hybrid = start(1);
    for kind in [VoteKind::Prepare, VoteKind::Commit] {
        let votes = |seat| {
            let votes = vec![vote(kind, seat)];
            hybrid::Message::Votes(Votes { votes, header: None, again: false })
        };
        assert!(engine.verify(MEMBER, votes(2)).is_ok(), "a member's is taken");
        assert_refused(&engine, REMOVED, votes(1));
        assert_refused(&engine, MEMBER, votes(1));
    }
    alarms_are_refused(&engine);
}

#[test]
fn pbft_takes_no_vote_or_view_change() {
    let engine: Pbft = start(1);
    for kind in [VoteKind::PbftPrepare, VoteKind::Commit] {
        let votes = |seat| pbft::Message::Votes(vec![vote(kind, seat)]);
        assert!(engine.verify(MEMBER, votes(2)).is_ok(), "a member's is taken");
        assert_refused(&engine, REMOVED, votes(1));
        assert_refused(&engine, MEMBER, votes(1));
    }
    alarms_are_refused(&engine);
}

/// Two members and the removed one are no quorum of three.
#[test]
fn no_certificate_counts_its_signature() {
    let set = set(1);
    let of = |seats: &[u8]| {
        let votes: Vec<Vote> = seats.iter().map(|seat| vote(VoteKind::Commit, *seat)).collect();
        let signatures: Vec<_> = votes.iter().map(|vote| (vote.voter, vote.signature)).collect();
        let signatures = Signatures::new(set.seats(), &signatures);
        Certificate { ballot: votes[0].ballot, signatures }
    };
    let whole = of(&[0, 2, 3]);
    assert!(whole.verify(&CHAIN, &set, &Ed25519));
    assert!(!of(&[0, 1, 2]).verify(&CHAIN, &set, &Ed25519));
    let more = of(&[0, 1, 2, 3]);
    assert!(!more.verify(&CHAIN, &set, &Ed25519), "nor on top of a quorum");
    assert!(!more.verify_beyond(Some(&whole), &CHAIN, &set, &Ed25519), "nor added later");
    assert!(of(&[0, 2, 3, 4]).verify_beyond(Some(&whole), &CHAIN, &set, &Ed25519));
}

#[test]
fn paxos_takes_no_promise_acceptance_or_ballot() {
    let engine: Paxos = start(0);
    let (epoch, slot) = (EPOCH, Height::new(1));
    for ballot in (4..12).map(View::new) {
        let promise = Promise { epoch, ballot, final_height: Height::new(0), accepted: vec![] };
        let said = [
            paxos::Message::Prepare { epoch, ballot, from: slot },
            paxos::Message::Promise(promise),
            paxos::Message::Accepted { epoch, ballot, slot, block: BLOCK },
            paxos::Message::Nack { epoch, ballot },
            paxos::Message::Confirmed { epoch, ballot, round: 1 },
        ];
        for message in said {
            assert_refused(&engine, REMOVED, message);
        }
    }
}

/// Raft's words bear no signature: the engine knows them by the seat of their sender alone.
fn hear(raft: &mut Raft, from: ValidatorIndex, message: raft::Message) {
    let message = raft.verify(from, message).expect("well-formed");
    let (now, mut out) = (Time::default(), Output::default());
    raft.step(now, Input::Message { from, message }, &mut out);
}

#[test]
fn raft_counts_no_vote_and_follows_no_leader() {
    let mut raft: Raft = start(0);
    let due = raft.next_timeout().expect("an election timer runs");
    raft.step(due, Input::Wake, &mut Output::default());
    let before = raft.status().view;
    let yes = |from: ValidatorIndex, raft: &mut Raft| {
        let (candidate, final_height) = (key(0).public(), Height::new(0));
        let term = before.next();
        let reply = VoteReply { term, candidate, asks_first: true, granted: true, final_height };
        hear(raft, from, raft::Message::VoteReply(reply));
    };
    yes(MEMBER, &mut raft);
    yes(REMOVED, &mut raft);
    assert_eq!(raft.status().view, before, "two of four are no majority");

    let genesis = Position { epoch: EPOCH, view: View::new(0), height: Height::new(0) };
    let previous = BlockRef { position: genesis, hash: Digest::ZERO };
    let append = |term| {
        let (blocks, commit, round) = (Vec::new(), Height::new(0), Some(1));
        raft::Message::Append(Append { term, previous, blocks, commit, round })
    };
    hear(&mut raft, REMOVED, append(View::new(90)));
    assert_eq!((raft.status().view, raft.status().leader), (before, None));

    yes(ValidatorIndex::new(3), &mut raft);
    assert_eq!(raft.status().view, before.next(), "three of four are");
    hear(&mut raft, MEMBER, append(View::new(90)));
    assert_eq!((raft.status().view, raft.status().leader), (View::new(90), Some(MEMBER)));
}
