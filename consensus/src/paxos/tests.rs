//! One validator of three, spoken to by hand.

use std::sync::Arc;
use std::time::Duration;

use chain::block::Mode;
use chain::certificate::Position;
use chain::crypto::{PublicKey, Signature, Verifier};
use chain::types::Digest;
use chain::validator::Validator;

use super::*;
use crate::engine::{Event, Outgoing, Recipients};
use crate::policy::Policy;
use crate::tree::BlockRef;

const ME: u16 = 1;
const BALLOT: View = View::new(1);
const EPOCH: Epoch = Epoch::new(0);

#[derive(Debug)]
struct Unused;

impl Verifier for Unused {
    fn verify(&self, _key: &PublicKey, _digest: &Digest, _signature: &Signature) -> bool {
        panic!("nothing is signed")
    }
}

fn index(index: u16) -> ValidatorIndex {
    ValidatorIndex::new(index)
}

fn key(index: u8, kind: u8) -> PublicKey {
    let mut bytes = [kind; 32];
    bytes[0] = index;
    PublicKey(bytes)
}

fn recovered() -> Recovered<Record> {
    let validator = |at: u8| Validator {
        consensus_key: key(at, b'c'),
        network_key: key(at, b'n'),
        governance_key: key(at, b'g'),
        jailed: false,
        accused: false,
        since: EPOCH,
    };
    Recovered {
        validators: ValidatorSet::new(EPOCH, View::new(0), 0, (0..3).map(validator)),
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
    }
}

fn config() -> Config {
    Config {
        chain_id: Digest::ZERO,
        me: key(ME as u8, b'c'),
        verifier: Arc::new(Unused),
        timeout_min: Duration::from_millis(50),
        timeout_max: Duration::from_millis(400),
        heartbeat: Duration::from_millis(15),
        grace: Duration::from_millis(5),
        block_interval: Duration::from_millis(1),
        batch: 16,
        pipeline: 8,
        policy: Policy::Adaptive,
    }
}

/// The validator under test, with a disk that never fails.
struct Lone {
    paxos: Paxos,
    now: Time,
    sent: Vec<(Recipients, Message)>,
    events: Vec<Event>,
}

impl Lone {
    fn new(recovered: Recovered<Record>) -> Self {
        let mut out = Out::default();
        let now = Time::from_nanos(1);
        let paxos = Paxos::recover(config(), recovered, now, &mut out);
        let mut lone = Self { paxos, now, sent: Vec::new(), events: Vec::new() };
        lone.take(out);
        lone.sent.clear();
        lone
    }

    fn step(&mut self, input: Input<Message>) {
        let mut out = Out::default();
        self.paxos.step(self.now, input, &mut out);
        self.paxos.check_invariants();
        self.take(out);
    }

    fn take(&mut self, out: Out) {
        self.events.extend(out.events);
        for outgoing in out.send.into_iter().chain(out.send_after_persist) {
            match outgoing {
                Outgoing::Ready(to, message) => self.sent.push((to, message)),
                Outgoing::Sign(_, Draft(message)) | Outgoing::SignForSelf(Draft(message)) => {
                    self.hear(ME, message);
                }
            }
        }
    }

    fn hear(&mut self, from: u16, message: Message) {
        let message = Verified::new(message);
        self.step(Input::Message { from: index(from), message });
    }

    /// Phase 1 for ballot 1, with an empty promise of validator 0.
    fn lead(&mut self) {
        self.step(Input::Wake);
        let promise = Promise {
            epoch: EPOCH,
            ballot: BALLOT,
            final_height: Height::new(0),
            accepted: Vec::new(),
        };
        self.hear(0, Message::Promise(promise));
        assert_eq!(self.paxos.status().role, Role::Leader);
        self.sent.clear();
    }

    fn reads(&self) -> Vec<u64> {
        let ready = |event: &Event| match event {
            Event::ReadReady { id, .. } => Some(*id),
            _ => None,
        };
        self.events.iter().filter_map(ready).collect()
    }
}

fn lead(ballot: View) -> Lead {
    let position = Position { epoch: EPOCH, view: View::new(0), height: Height::new(0) };
    let root = BlockRef { position, hash: Digest::ZERO };
    Lead { epoch: EPOCH, ballot, head: root, chosen: root }
}

/// Q2-Q4: the leader answers once a majority says that its ballot still stands, and an answer
/// counts only for the round it was given in.
#[test]
fn a_leader_answers_a_read_after_a_majority_round() {
    let mut lone = Lone::new(recovered());
    lone.lead();
    lone.step(Input::Read { id: 7 });
    let confirm = Message::Confirm { epoch: EPOCH, ballot: BALLOT, round: 1 };
    assert_eq!(lone.sent, [(Recipients::Others, confirm)]);
    lone.step(Input::Read { id: 8 });
    lone.hear(0, Message::Confirmed { epoch: EPOCH, ballot: BALLOT, round: 0 });
    assert!(lone.reads().is_empty());
    lone.hear(0, Message::Confirmed { epoch: EPOCH, ballot: BALLOT, round: 1 });
    assert_eq!(lone.reads(), [7], "the second question came after the round began");
    lone.hear(2, Message::Confirmed { epoch: EPOCH, ballot: BALLOT, round: 2 });
    assert_eq!(lone.reads(), [7, 8]);
}

/// Q1: a deposed leader answers nothing; its clients' questions go to the one that follows.
#[test]
fn a_deposed_leader_passes_questions_on() {
    let mut lone = Lone::new(recovered());
    lone.lead();
    lone.step(Input::Read { id: 7 });
    lone.hear(2, Message::Heartbeat(lead(View::new(5))));
    lone.hear(0, Message::Confirmed { epoch: EPOCH, ballot: BALLOT, round: 1 });
    assert!(lone.reads().is_empty());
    lone.sent.clear();
    lone.now = lone.now + config().heartbeat;
    lone.step(Input::Wake);
    let read = Message::Read { epoch: EPOCH, id: 7 };
    assert_eq!(lone.sent, [(Recipients::One(index(2)), read)]);
    lone.hear(2, Message::ReadAt { epoch: EPOCH, id: 7, height: Height::new(0) });
    assert_eq!(lone.reads(), [7]);
}

/// B1: the smallest own ballot above every ballot heard of.
#[test]
fn a_candidate_picks_its_next_own_ballot() {
    let mut lone = Lone::new(recovered());
    lone.hear(2, Message::Heartbeat(lead(View::new(2))));
    lone.hear(0, Message::Nack { epoch: EPOCH, ballot: View::new(9) });
    lone.now = lone.now + config().timeout_max;
    lone.step(Input::Wake);
    let prepare = Message::Prepare { epoch: EPOCH, ballot: View::new(10), from: Height::new(1) };
    assert_eq!(lone.sent, [(Recipients::Others, prepare)]);
}

/// L1: what is said to be chosen is committed only where it stands.
#[test]
fn a_block_is_not_chosen_at_a_height_that_is_not_its_own() {
    let mut lone = Lone::new(recovered());
    let mut lead = lead(View::new(5));
    lead.chosen.position.height = Height::new(7);
    lone.hear(2, Message::Heartbeat(lead));
    assert_eq!(lone.paxos.final_height(), Height::new(0));
}

/// A1: the answer to a stale proposer names the ballot that stands in its way.
#[test]
fn a_stale_ballot_is_refused_with_the_higher_one() {
    let mut lone = Lone::new(recovered());
    lone.hear(2, Message::Heartbeat(lead(View::new(5))));
    let prepare = Message::Prepare { epoch: EPOCH, ballot: View::new(3), from: Height::new(1) };
    lone.hear(0, prepare);
    lone.hear(0, Message::Heartbeat(lead(View::new(3))));
    let nack = Message::Nack { epoch: EPOCH, ballot: View::new(5) };
    let expected = (Recipients::One(index(0)), nack);
    assert_eq!(lone.sent, [expected.clone(), expected]);
}

/// A2, B4: one whose chain was deleted forgot what it accepted, and says how far that reached.
#[test]
fn a_reset_acceptor_says_what_it_forgot() {
    let floor = Height::new(40);
    let record = Record { promised: View::new(2), floor, ..Record::new(EPOCH, View::new(0)) };
    let mut lone = Lone::new(Recovered { record: Some(record), ..recovered() });
    let prepare = Message::Prepare { epoch: EPOCH, ballot: View::new(3), from: Height::new(1) };
    lone.hear(0, prepare);
    let promised = lone.sent.iter().find_map(|(_, message)| match message {
        Message::Promise(promise) => Some(promise.final_height),
        _ => None,
    });
    assert_eq!(promised, Some(floor));
}

/// R: a record survives its encoding and is bounded.
#[test]
fn a_full_record_fits_its_bound() {
    let entry = |slot: u64| Entry {
        slot: Height::new(slot),
        ballot: BALLOT,
        block: Digest::ZERO,
        parent: Digest::ZERO,
    };
    let accepted = (1..=2 * crate::tree::WINDOW).map(entry).collect();
    let record = Record { accepted, ..Record::new(EPOCH, View::new(0)) };
    let bytes = chain::codec::encode(&record);
    assert_eq!(chain::codec::decode::<Record>(&bytes), Ok(record));
}
