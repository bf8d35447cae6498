//! Meeting other nodes: libp2p over TCP, Noise and Yamux.
//!
//! A peer is who its Ed25519 network key says. Validators and the peers of the configuration may
//! always connect; others are guests, as far as the chain's [`AccessPolicy`] lets them, and hear why
//! if they may not. Consensus messages travel on direct streams, one per peer and direction, between
//! validators. Transactions, final certificates, evidence and view changes are spread by gossip.
//!
//! ```text
//!  consensus thread ──▶ Outbox ──▶ OutQueue per peer ──▶ stream ──▶ peer
//!  consensus thread ◀── Inbox  ◀── place per peer    ◀── stream ◀── peer
//!  pool, consensus  ──▶ Batcher, commands ──▶ swarm ──▶ gossip
//!  pool, Inbox      ◀── Judge             ◀── swarm ◀── gossip
//!  sync ◀──▶ questions and answers, a stream for each
//! ```
//!
//! Everything that a peer can fill has a bound, and what it costs at most:
//!
//! | what | bound | when full |
//! | --- | --- | --- |
//! | messages to a peer | two of the largest, 4096 | the oldest of the least important go |
//! | messages from a peer | two of the largest | the peer is not read from |
//! | one message | its type's `MAX_BYTES` | the stream is closed, the peer scored |
//! | gossip from a peer | 8 MiB/s, 20,000 transactions/s | ignored, the peer scored |
//! | gossip to a peer | 256 messages of at most 256 KiB | not passed on |
//! | transactions to spread | 4 MiB | the pool offers them again |
//! | connections | 64 in handshake, 3 per peer, 440 in all | refused |
//! | guests | 32, and 8 that hear why they are refused | refused |
//! | questions of a peer | 8 at one time, 100/s, of 256 bytes; answers of 16 MiB | refused, the peer scored |
//! | addresses of a member | 8, 2 KiB | the rest is not dialled |
//! | consensus messages of guests | 1 MiB/s, dropped | the peer scored |

mod access;
mod addresses;
mod behaviour;
mod book;
mod claims;
mod frames;
mod gate;
mod gossip;
mod handshake;
mod identity;
mod inbox;
mod judge;
mod links;
mod message;
mod outbox;
mod peer;
mod queue;
mod requests;
mod roster;
mod score;
mod service;
mod traffic;
mod transactions;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chain::certificate::Certificate;
use chain::codec;
use chain::crypto::{Keypair, Verifier};
use chain::transaction::SignedTransaction;
use chain::types::{Digest, Height};
use chain::validator::ValidatorSet;
use consensus::engine::FaultModel;
use consensus::message::EngineMessage;
use libp2p::multiaddr::Protocol;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

pub use access::AccessPolicy;
#[cfg(test)]
pub(crate) use access::Open;
pub(crate) use addresses::is_tcp;
pub use gossip::Topic;
pub use handshake::PROTOCOL_VERSION;
pub use identity::peer_id;
pub use inbox::{Inbox, Waited};
pub use judge::PeerTransactions;
pub use libp2p::{Multiaddr, PeerId};
pub use outbox::NetworkOutbox;
pub use peer::{BanCause, PeerInfo, Word};
pub use requests::{AskError, MAX_ANSWER, MAX_QUESTION, Question, Reachable};
pub use roster::{Roster, SharedRoster};
pub use traffic::{Traffic, Watching};

use addresses::Announcer;
use book::Book;
use claims::Claim;
use gossip::Topics;
use handshake::Hello;
use judge::Judge;
use links::Senders;
use message::Frame;
use requests::Streams;
use score::Misbehaviour;
use service::{Command, Members, Service};
use transactions::Batcher;

/// Requests that wait for the task of the swarm.
const COMMANDS: usize = 1024;
/// Messages of gossip that wait to be judged.
const DELIVERIES: usize = 256;
/// Batches of transactions that wait for the pool.
const POOL_BATCHES: usize = 64;
/// Questions of peers that wait to be answered.
const QUESTIONS: usize = 16;
/// Longest wait for the listening socket.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// What a network starts from.
pub struct NetworkConfig {
    pub chain_id: Digest,
    /// The node's network key.
    pub key: Keypair,
    pub listen: Multiaddr,
    /// Where other nodes are, each address ending in `/p2p/` and the peer id.
    pub peers: Vec<Multiaddr>,
    /// Where others reach this node; empty: where it listens.
    pub announce: Vec<Multiaddr>,
    pub validators: ValidatorSet,
    /// Of the chain's engine: whether a member's word is enough.
    pub fault_model: FaultModel,
    /// The signature rule of the chain.
    pub verifier: Arc<dyn Verifier>,
    /// Who else may connect.
    pub access: Arc<dyn AccessPolicy>,
}

impl std::fmt::Debug for NetworkConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetworkConfig")
            .field("listen", &self.listen)
            .field("peers", &self.peers)
            .finish_non_exhaustive()
    }
}

/// A network that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error("address of peer {0} does not end in /p2p/ and a peer id")]
    PeerWithoutId(Multiaddr),
    #[error("cannot listen for peers on {address}: {reason}")]
    Listen { address: Multiaddr, reason: String },
    #[error("cannot set up the network: {0}")]
    SetUp(String),
}

/// A running network. Dropping it closes every connection.
#[derive(Debug)]
pub struct Network<M> {
    pub handle: NetworkHandle,
    /// What arrived for the consensus thread.
    pub inbox: Arc<Inbox<M>>,
    /// What peers ask, until somebody takes it to answer.
    pub questions: Option<mpsc::Receiver<Question>>,
    /// Where this node listens.
    pub addresses: Vec<Multiaddr>,
    tasks: JoinSet<()>,
}

/// Speaks to a running network; cheap to clone.
#[derive(Clone, Debug)]
pub struct NetworkHandle {
    me: PeerId,
    book: Arc<Book>,
    batcher: Arc<Batcher>,
    validators: Arc<RwLock<ValidatorSet>>,
    best_final: watch::Receiver<Height>,
    commands: mpsc::Sender<Command>,
    streams: Streams,
}

impl<M: EngineMessage> Network<M> {
    /// Listens, starts to connect, and returns once the listening socket is there, with what
    /// will arrive for the pool.
    ///
    /// # Errors
    /// [`NetworkError`] saying what to change.
    pub async fn start(
        config: NetworkConfig,
    ) -> Result<(Self, mpsc::Receiver<PeerTransactions>), NetworkError> {
        let NetworkConfig { chain_id, key, listen, peers, validators, .. } = config;
        let NetworkConfig { announce, fault_model, verifier, access, .. } = config;
        let addresses = peers.into_iter().map(with_peer_id).collect::<Result<Vec<_>, _>>()?;
        let key = identity::keypair(&key);
        let me = key.public().to_peer_id();
        let book = Arc::new(Book::new(me, 2 * M::MAX_BYTES, access));
        book.set_configured(addresses.iter().map(|(id, _)| *id));
        book.set_members(roster::peer_ids(&validators));

        let mut swarm = behaviour::swarm(&key, &chain_id, &book).map_err(NetworkError::SetUp)?;
        let refused = |reason: String| NetworkError::Listen { address: listen.clone(), reason };
        swarm.listen_on(listen.clone()).map_err(|error| refused(error.to_string()))?;
        let mut control = swarm.behaviour().streams.new_control();
        let incoming = control
            .accept(links::PROTOCOL)
            .map_err(|error| NetworkError::SetUp(error.to_string()))?;

        let streams = Streams::new(control.clone(), &chain_id);
        let asked = streams.accept().map_err(|error| NetworkError::SetUp(error.to_string()))?;
        let (questions, question_receiver) = mpsc::channel(QUESTIONS);

        let hello = Hello::new(chain_id);
        let inbox = Arc::new(Inbox::new());
        let validators = Arc::new(RwLock::new(validators));
        let (commands, command_receiver) = mpsc::channel(COMMANDS);
        let (deliveries, delivery_receiver) = mpsc::channel(DELIVERIES);
        let (pool, transactions) = mpsc::channel(POOL_BATCHES);
        let (best_final_sender, best_final) = watch::channel(Height::new(0));
        let (listening, mut listening_receiver) = watch::channel(Vec::new());
        let batcher = Arc::new(Batcher::default());

        let mut tasks = JoinSet::new();
        let accepting = links::accept_forever(incoming, hello, book.clone(), inbox.clone());
        tasks.spawn(accepting);
        tasks.spawn(requests::accept_forever(asked, book.clone(), questions));
        let judge = Judge {
            chain_id,
            validators: validators.clone(),
            fault_model,
            verifier,
            book: book.clone(),
            inbox: inbox.clone(),
            transactions: pool,
            best_final: best_final_sender,
            commands: commands.clone(),
        };
        tasks.spawn(judge.run(delivery_receiver));
        tasks.spawn(spread(batcher.clone(), commands.clone()));
        let service = Service {
            swarm,
            book: book.clone(),
            senders: Senders::new(control, hello, book.clone()),
            topics: Topics::new(&chain_id),
            commands: command_receiver,
            deliveries,
            listening,
            announce,
            announcer: Announcer::new(Instant::now()),
            members: Members::new(addresses.into_iter().filter(|(id, _)| *id != me)),
        };
        tasks.spawn(service.run());

        let listening = listening_receiver.wait_for(|addresses| !addresses.is_empty());
        let addresses = tokio::time::timeout(LISTEN_TIMEOUT, listening)
            .await
            .map_err(|_| refused("no answer from the system".into()))?
            .map_err(|_| refused("the network stopped".into()))?
            .clone();
        let handle = NetworkHandle { me, book, batcher, validators, best_final, commands, streams };
        let questions = Some(question_receiver);
        Ok((Self { handle, inbox, questions, addresses, tasks }, transactions))
    }

    /// Closes every connection and the listening socket, and waits for that.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    /// Waits until one of its tasks ends: only ever by a panic.
    pub async fn failed(&mut self) {
        self.tasks.join_next().await;
    }
}

/// Splits the address of a peer into its id and where to dial.
fn with_peer_id(address: Multiaddr) -> Result<(PeerId, Multiaddr), NetworkError> {
    match address.iter().last() {
        Some(Protocol::P2p(id)) => Ok((id, address)),
        _ => Err(NetworkError::PeerWithoutId(address)),
    }
}

/// Hands batches of transactions to the swarm as they are ready.
async fn spread(batcher: Arc<Batcher>, commands: mpsc::Sender<Command>) {
    let publish = |data| {
        let commands = commands.clone();
        async move {
            // Only a network that is being stopped takes nothing any more.
            let _ = commands.send(Command::Publish { topic: Topic::Transactions, data }).await;
        }
    };
    batcher.run(publish).await;
}

impl NetworkHandle {
    /// This node's own id.
    pub const fn me(&self) -> PeerId {
        self.me
    }

    /// Spreads transactions that were handed to this node, in batches where they come fast.
    /// Returns how many found room; the rest is to be offered again later.
    pub fn gossip_transactions<'a>(
        &self,
        transactions: impl IntoIterator<Item = &'a SignedTransaction>,
    ) -> usize {
        self.batcher.add(transactions)
    }

    /// Shows everyone how far this node's chain is.
    pub fn announce_final(&self, certificate: &Certificate) {
        self.publish(Topic::Finals, codec::encode(certificate));
    }

    /// Tells everyone how far this node's chain is, on a chain where its word is enough.
    pub fn claim_final(&self, height: Height) {
        self.publish(Topic::Finals, codec::encode(&Claim(height)));
    }

    /// How far the chain is: the greatest height that a final certificate of the present epoch showed,
    /// or that of the others so many claim that one of them is honest.
    pub fn best_final(&self) -> Height {
        *self.best_final.borrow()
    }

    /// Follows [`best_final`](Self::best_final).
    pub fn best_final_changes(&self) -> watch::Receiver<Height> {
        self.best_final.clone()
    }

    /// The members from now on: those of the current set, which is the first, and of those to come,
    /// with those of the one before, who keep answering until the new epoch is under way.
    pub fn set_validators(&self, sets: &[ValidatorSet]) {
        let Some(validators) = sets.first() else { return };
        let mut current = self.validators.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, validators.clone());
        drop(current);
        let known = sets.iter().flat_map(roster::peer_ids);
        self.book.set_members(known.chain(roster::peer_ids(&before)));
    }

    /// Replaces the filter of this node: connections with these peers are closed and refused, and
    /// nothing that they wrote is taken or passed on, whoever brings it.
    pub fn set_blocked(&self, blocked: impl IntoIterator<Item = PeerId>) {
        self.book.set_blocked(blocked);
    }

    /// The peers that the filter shuts out.
    pub fn blocked(&self) -> BTreeSet<PeerId> {
        self.book.blocked()
    }

    /// Connections from peers that are shut out, or past a limit, that were turned away since the start.
    pub fn refused_connections(&self) -> u64 {
        self.book.refused_connections.load(Ordering::Relaxed)
    }

    /// Looks again who may stay connected, after the chain's word on it changed.
    pub fn recheck_access(&self) {
        self.book.recheck();
    }

    /// What is known of every peer.
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.book.infos()
    }

    /// Notes what a peer said of itself.
    pub(crate) fn note_word(&self, peer: &PeerId, word: Word) {
        if let Some(peer) = self.book.get(peer) {
            peer.set_word(word);
        }
    }

    /// Notes that the consensus engine refused a message of this peer.
    pub fn report_refused(&self, peer: &PeerId, why: &str) {
        self.book.fault(peer, Misbehaviour::Refused, why);
    }

    /// Queues an encoded message for a peer, unless it is shut out.
    fn send(&self, peer: &PeerId, frame: Frame) {
        if let Some(peer) = self.book.get_allowed(peer) {
            peer.queue.push(frame);
        }
    }

    /// Spreads a message, unless the swarm is too busy: what matters is offered again.
    fn publish(&self, topic: Topic, data: Vec<u8>) {
        let _ = self.commands.try_send(Command::Publish { topic, data });
    }
}

#[cfg(test)]
mod fuzz_targets;
#[cfg(test)]
mod tests;
