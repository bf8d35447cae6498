use chain::block::{BlockKind, Header, Mode, SealedBlock};
use chain::certificate::{Ballot, Certificate, Position, Signatures, Vote, VoteKind};
use chain::codec::{Bounded as _, encode};
use chain::crypto::{PublicKey, Signature};
use chain::transaction::{Body, Payload, SignedTransaction, Transaction};
use chain::types::{Address, Amount, Digest, Epoch, Height, ValidatorIndex, View};
use consensus::hybrid::{Append, Message, Votes};
use consensus::tree::BlockRef;
use futures::io::Cursor;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::network::{Open, Waited};

const CASES: usize = 10_000;

fn position() -> Position {
    Position { epoch: Epoch::new(1), view: View::new(2), height: Height::new(3) }
}

fn vote() -> Vote {
    let ballot = Ballot { kind: VoteKind::Prepare, position: position(), block: Digest([4; 32]) };
    Vote { ballot, voter: ValidatorIndex::new(1), signature: Signature([5; 64]) }
}

fn certificate() -> Certificate {
    let signatures: Vec<_> =
        (0..3).map(|index| (ValidatorIndex::new(index), Signature([6; 64]))).collect();
    Certificate { ballot: vote().ballot, signatures: Signatures::new(4, &signatures) }
}

fn block() -> SealedBlock {
    let payload = Payload {
        chain_id: Digest([1; 32]),
        account: None,
        sender: PublicKey([2; 32]),
        nonce: 3,
        expiry: Height::new(4),
        body: Body::Transfer {
            to: Address([5; 20]),
            amount: Amount::new(6),
            memo: b"memo".to_vec(),
        },
    };
    let transaction = SignedTransaction { payload, signature: Signature([7; 64]) };
    let header = Header {
        chain_id: Digest([1; 32]),
        epoch: Epoch::new(1),
        view: View::new(2),
        height: Height::new(3),
        mode: Mode::Fast,
        kind: BlockKind::Ordinary,
        parent: Digest([8; 32]),
        proposer: ValidatorIndex::new(0),
        timestamp_ms: 9,
        transactions_root: Digest([10; 32]),
        receipts_root: Digest([11; 32]),
        state_root: Digest([12; 32]),
        validators_hash: Digest([13; 32]),
        next_validators_hash: Digest([13; 32]),
        justification_hash: Digest([14; 32]),
    };
    SealedBlock::new(chain::block::Block {
        header,
        signature: Signature([15; 64]),
        justification: Default::default(),
        transactions: vec![Transaction::Signed(transaction); 3],
    })
}

/// One valid message of several kinds.
fn samples() -> Vec<Message> {
    let append = Append {
        epoch: Epoch::new(1),
        view: View::new(2),
        head: BlockRef { position: position(), hash: Digest([4; 32]) },
        view_certificate: None,
        certificates: vec![certificate()],
        blocks: vec![block(); 2],
        votes: vec![vote()],
    };
    vec![
        Message::Append(append),
        Message::Votes(Votes { votes: vec![vote(); 4], header: None, again: false }),
        Message::Decided(certificate()),
        Message::Blocks(vec![block()]),
        Message::FetchFinals { from: Height::new(7) },
    ]
}

/// Changes a few bytes, often to extremes, and now and then the length.
fn mutate(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(1..=4) {
        let place = rng.random_range(0..bytes.len());
        bytes[place] = match rng.random_range(0..4) {
            0 => 0xff,
            1 => 0,
            2 => bytes[place] ^ (1 << rng.random_range(0..8)),
            _ => rng.random(),
        };
    }
    match rng.random_range(0..6) {
        0 => bytes.truncate(rng.random_range(1..=bytes.len())),
        1 => bytes.push(rng.random()),
        _ => {}
    }
}

/// A frame with the length in front.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut frame = (bytes.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(bytes);
    frame
}

struct World {
    book: Book,
    inbox: Inbox<Message>,
    peer: Arc<Peer>,
}

impl World {
    fn new() -> Self {
        let id = PeerId::random();
        let book = Book::new(PeerId::random(), 1024, Arc::new(Open));
        book.set_members([id]);
        let peer = book.get(&id).unwrap();
        Self { book, inbox: Inbox::new(), peer }
    }

    /// Lets the peer say this; returns what reached the inbox.
    fn hear(&self, bytes: Vec<u8>) -> Vec<Message> {
        let mut stream = Cursor::new(bytes);
        let reading = receive_messages(&self.peer, &mut stream, &self.book, &self.inbox);
        futures::executor::block_on(reading);
        match self.inbox.wait(Some(std::time::Instant::now())) {
            Waited::Turn(messages) => messages.into_iter().map(|(_, message)| message).collect(),
            Waited::Stopped => panic!("nobody stopped the inbox"),
        }
    }

    fn is_shut_out(&self) -> bool {
        self.book.get_allowed(&self.peer.id).is_none()
    }
}

#[test]
fn valid_messages_arrive() {
    let world = World::new();
    let bytes: Vec<u8> = samples().iter().flat_map(|sample| framed(&encode(sample))).collect();
    let mut heard = world.hear(bytes);
    heard.sort_by_key(|message| samples().iter().position(|sample| sample == message));
    assert_eq!(heard, samples());
    assert!(!world.is_shut_out());
}

#[test]
fn a_peer_that_keeps_sending_garbage_is_shut_out() {
    let world = World::new();
    assert_eq!(world.hear(framed(b"garbage").repeat(4)), []);
    assert!(!world.is_shut_out());
    let valid = framed(&encode(&samples()[1]));
    let bytes = [framed(b"garbage"), valid].concat();
    assert_eq!(world.hear(bytes), [], "nothing is heard after the last straw");
    assert!(world.is_shut_out());
}

#[test]
fn a_message_that_claims_too_much_ends_the_stream() {
    let world = World::new();
    let claim = (Message::MAX_BYTES as u32 + 1).to_be_bytes().to_vec();
    let bytes = [claim, framed(&encode(&samples()[1]))].concat();
    assert_eq!(world.hear(bytes.clone()), []);
    assert!(!world.is_shut_out());
    assert_eq!(world.hear(bytes), []);
    assert!(world.is_shut_out());
}

#[tokio::test]
async fn a_sending_task_that_ends_is_started_again() {
    let World { book, peer, .. } = World::new();
    let control = libp2p_stream::Behaviour::new().new_control();
    let mut senders = Senders::new(control, Hello::new(Digest([1; 32])), Arc::new(book));
    let members = [peer];
    senders.reconcile(&members);
    senders.reconcile(&members);
    assert_eq!(senders.tasks.len(), 1);
    senders.tasks.abort_all();
    while senders.tasks.join_next().await.is_some() {}
    senders.reconcile(&members);
    assert_eq!(senders.tasks.len(), 1);
    senders.reconcile(&[]);
    while senders.tasks.join_next().await.is_some() {}
    assert!(senders.running.is_empty());
}

/// Random bytes, mutated messages: each is refused, or is a message whose encoding is exactly what
/// came.
#[test]
fn random_and_mutated_messages_do_no_harm() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let samples: Vec<Vec<u8>> = samples().iter().map(encode).collect();
    let (mut decoded, mut refused) = (0, 0);
    let mut check = |bytes: &[u8]| match codec::decode::<Message>(bytes) {
        Ok(message) => {
            assert_eq!(encode(&message), bytes);
            decoded += 1;
        }
        Err(_) => refused += 1,
    };
    let before = crate::testing::resident_kib();
    for case in 0..CASES {
        let mut random = vec![0; rng.random_range(1..2000)];
        rng.fill_bytes(&mut random);
        check(&random);
        let mut mutated = samples[case % samples.len()].clone();
        mutate(&mut mutated, &mut rng);
        check(&mutated);
    }
    let grown = crate::testing::resident_kib().saturating_sub(before);
    println!("{} cases: {decoded} decoded, {refused} refused, {grown} KiB grown", 2 * CASES);
    assert_eq!(decoded + refused, 2 * CASES);
    assert!(refused > CASES, "random bytes are no messages");
    assert!(grown < 64 * 1024, "{grown} KiB more memory than before");
}

/// The same on a stream, with lengths that lie.
#[test]
fn random_streams_do_no_harm() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let samples: Vec<Vec<u8>> = samples().iter().map(|sample| framed(&encode(sample))).collect();
    let (mut heard, mut shut_out) = (0, 0);
    for case in 0..CASES {
        let world = World::new();
        let mut bytes = samples[case % samples.len()].repeat(rng.random_range(1..4));
        mutate(&mut bytes, &mut rng);
        heard += world.hear(bytes).len();
        shut_out += usize::from(world.is_shut_out());
    }
    println!("{CASES} cases: {heard} messages heard, {shut_out} peers shut out");
    assert!(heard > 0);
}
