use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bincode::{Decode, Encode};
use chain::block::SealedBlock;
use chain::certificate::{Ballot, Position, Signatures, VoteKind};
use chain::codec::Bounded;
use chain::crypto::Ed25519;
use chain::transaction::{Body, Payload};
use chain::types::{Epoch, ValidatorIndex, View};
use chain::validator::Validator;
use consensus::driver::Outbox as _;
use consensus::engine::Recipients;
use consensus::message::{Gossip, Lane, Rewrite, Slot};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use tokio::io::AsyncWriteExt as _;

use super::*;

mod blocked;
mod garbage;
mod guests;
mod members;
mod speed;
mod watched;

/// A message of tests: which lane, whether gossip carries it too, and something to carry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Note {
    lane: u8,
    gossip: bool,
    body: Vec<u8>,
}

impl Note {
    fn new(body: impl Into<Vec<u8>>) -> Self {
        Self { lane: 0, gossip: false, body: body.into() }
    }
}

impl Bounded for Note {
    const MAX_BYTES: usize = 1024 * 1024;
}

impl EngineMessage for Note {
    fn kind(&self) -> &'static str {
        "note"
    }

    fn lane(&self) -> Lane {
        Lane::ALL[usize::from(self.lane % 3)]
    }

    fn gossip(&self) -> Option<Gossip> {
        self.gossip.then_some(Gossip::ViewChanges)
    }

    fn proposals(&self) -> &[SealedBlock] {
        &[]
    }

    fn statements(&self, _: ValidatorIndex, _: &Digest, _: &mut dyn FnMut(Slot, Digest)) {}

    fn rewrite(&self, _: &Digest, _: &mut dyn Rewrite) -> Self {
        self.clone()
    }
}

const CHAIN: Digest = Digest([1; 32]);

fn network_key(place: usize) -> Keypair {
    Keypair::from_seed(&[place as u8 + 1; 32])
}

fn consensus_key(place: usize) -> Keypair {
    Keypair::from_seed(&[place as u8 + 101; 32])
}

fn id(place: usize) -> PeerId {
    peer_id(&network_key(place).public()).unwrap()
}

fn validators(n: usize) -> ValidatorSet {
    let validator = |place| Validator {
        consensus_key: consensus_key(place).public(),
        network_key: network_key(place).public(),
        governance_key: consensus_key(place).public(),
        jailed: false,
        accused: false,
        since: Epoch::new(0),
    };
    ValidatorSet::new(Epoch::new(0), View::new(0), ((n - 1) / 3) as u16, (0..n).map(validator))
}

/// The settings of validator `place` of `n`, which knows these addresses.
fn config(place: usize, n: usize, peers: Vec<Multiaddr>) -> NetworkConfig {
    NetworkConfig {
        chain_id: CHAIN,
        key: network_key(place),
        listen: "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
        peers,
        announce: Vec::new(),
        validators: validators(n),
        fault_model: FaultModel::Byzantine,
        verifier: Arc::new(Ed25519),
        access: Arc::new(Open),
    }
}

/// A network of tests with its outbox.
struct Node {
    network: Network<Note>,
    outbox: NetworkOutbox<Note>,
    transactions: mpsc::Receiver<PeerTransactions>,
}

impl Node {
    /// Starts the network of validator `place` of `n`, which knows these addresses.
    async fn start(place: usize, n: usize, chain_id: Digest, peers: Vec<Multiaddr>) -> Self {
        Self::listen(place, n, chain_id, peers, "/ip4/127.0.0.1/tcp/0".parse().unwrap()).await
    }

    async fn listen(
        place: usize,
        n: usize,
        chain_id: Digest,
        peers: Vec<Multiaddr>,
        listen: Multiaddr,
    ) -> Self {
        let config = NetworkConfig { chain_id, listen, ..config(place, n, peers) };
        Self::configured(place, n, config).await
    }

    async fn configured(place: usize, n: usize, config: NetworkConfig) -> Self {
        let (network, transactions) = Network::start(config).await.unwrap();
        let roster = SharedRoster::new(&[validators(n)], consensus_key(place).public());
        let outbox = NetworkOutbox::new(network.handle.clone(), roster, Traffic::default());
        Self { network, outbox, transactions }
    }

    fn handle(&self) -> &NetworkHandle {
        &self.network.handle
    }

    /// Where others reach this node.
    fn address(&self) -> Multiaddr {
        self.network.addresses[0].clone().with(Protocol::P2p(self.handle().me()))
    }

    fn met(&self) -> usize {
        self.handle().peers().iter().filter(|peer| peer.connected).count()
    }

    fn peer(&self, place: usize) -> PeerInfo {
        let id = id(place).to_string();
        self.handle().peers().into_iter().find(|peer| peer.id == id).unwrap()
    }

    fn send(&mut self, to: usize, note: &Note) {
        self.outbox.send(Recipients::One(ValidatorIndex::new(to as u16)), note);
    }

    /// Waits for so many messages from others.
    async fn receive(&self, count: usize) -> Vec<(PeerId, Note)> {
        let inbox = self.network.inbox.clone();
        let waiting = tokio::task::spawn_blocking(move || {
            let (mut all, deadline) = (Vec::new(), Instant::now() + PATIENCE);
            while all.len() < count {
                assert!(Instant::now() < deadline, "{} of {count} messages", all.len());
                match inbox.wait(Some(deadline)) {
                    Waited::Turn(messages) => all.extend(messages),
                    Waited::Stopped => panic!("nobody stopped the inbox"),
                }
            }
            all
        });
        waiting.await.unwrap()
    }

    async fn receive_batch(&mut self) -> PeerTransactions {
        tokio::time::timeout(PATIENCE, self.transactions.recv()).await.unwrap().unwrap()
    }
}

const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again until it is so.
async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Starts `n` validators, each of which knows those before it, and waits until all can talk.
async fn connected(n: usize) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for place in 0..n {
        let peers = nodes.iter().map(Node::address).collect();
        nodes.push(Node::start(place, n, CHAIN, peers).await);
    }
    for node in &nodes {
        eventually("all are connected", || node.met() == n - 1).await;
    }
    nodes
}

fn transaction(nonce: u64) -> SignedTransaction {
    let key = Keypair::from_seed(&[99; 32]);
    let body = Body::Put { key: vec![1], value: vec![2; 100] };
    let expiry = Height::new(9);
    Payload { chain_id: CHAIN, account: None, sender: key.public(), nonce, expiry, body }.sign(&key)
}

/// The transactions of a batch.
fn told(batch: &PeerTransactions) -> Vec<SignedTransaction> {
    batch.transactions.iter().map(|hashed| hashed.transaction().clone()).collect()
}

/// A final certificate of four validators at a height.
fn certificate(height: u64) -> Certificate {
    certificate_of(Epoch::new(0), height)
}

fn certificate_of(epoch: Epoch, height: u64) -> Certificate {
    let position = Position { epoch, view: View::new(0), height: Height::new(height) };
    let ballot = Ballot { kind: VoteKind::Commit, position, block: Digest([3; 32]) };
    let sign = |place: usize| {
        let signature = chain::crypto::Signer::sign(&consensus_key(place), &ballot.digest(&CHAIN));
        (ValidatorIndex::new(place as u16), signature)
    };
    let signatures: Vec<_> = (0..3).map(sign).collect();
    Certificate { ballot, signatures: Signatures::new(4, &signatures) }
}

#[tokio::test]
async fn a_task_that_ends_is_noticed() {
    let mut node = Node::start(0, 1, CHAIN, Vec::new()).await;
    node.network.tasks.abort_all();
    tokio::time::timeout(PATIENCE, node.network.failed()).await.unwrap();
}
