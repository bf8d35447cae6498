//! The door for clients: JSON-RPC over HTTP and WebSocket, health and metrics, on one port.
//!
//! ```text
//!  listen ──▶ http (hosts) ──▶ dispatch (budget) ──▶ chain, tx, account, kv, governance,
//!                │                                   proof, consensus
//!                └──▶ websocket ──▶ dispatch             ▲
//!  ChainView ──▶ relay ──▶ subscriptions ────────────────┘
//! ```
//!
//! What clients can fill, and what it costs at most:
//!
//! | what | bound | when full |
//! | --- | --- | --- |
//! | a TLS handshake | 10 s, in the place of its connection | closed |
//! | connections | `rpc.max_connections`, of one client half of them | 503 |
//! | calls of one client | `rpc.calls_per_second`, and as many at once | they wait, and no more is read |
//! | an answer that is not read | 64 KiB in 20 s, or the rest | closed |
//! | a request | 1 MiB, 15 s; head 16 KiB, 60 s | 413, 408, closed |
//! | calls in one batch | 10 | an error |
//! | transactions in one `tx_submit_batch` | 1024 | an error |
//! | answers in memory | 128 MiB together | a wait, then an error |
//! | calls of a WebSocket in flight | 32 | it is not read from |
//! | a WebSocket that does not read, or is silent | 20 s, 60 s | closed |
//! | subscriptions | 8 per connection, 16 with transactions and 64 to keys in all | an error |
//! | notices a subscriber is behind | 256 blocks, 4096 events of all subscribers together; 16 MiB with transactions | it is told how many it missed |
//! | changes of keys that a subscriber is behind | 256 KiB, the rest stays in the store | it goes at its pace |
//! | notices on their way to a subscriber | 4, of at most 1.2 MiB | it falls behind |
//! | calls that wait for a transaction | 1024 | an error |
//! | reads that wait for a quorum | 1024, 10 s | an error |

mod account;
mod budget;
mod chain;
mod consensus;
mod convert;
mod dispatch;
mod errors;
mod event_log;
mod governance;
mod health;
mod hosts;
mod http;
mod kv;
mod listen;
mod paces;
mod patience;
mod places;
mod proof;
mod relay;
mod report;
#[cfg(test)]
mod tests;
mod tls;
mod tx;
mod websocket;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use ::chain::block::Mode;
use ::chain::crypto::PublicKey;
use ::chain::types::{Digest, Height};
use ::consensus::engine::Status;
use jsonrpsee::RpcModule;
use node_api::block::Finality;
use node_api::chain::SyncStatus;
use node_api::{
    AccountApiServer as _, ChainApiServer as _, ConsensusApiServer as _, GovernanceApiServer as _,
    KvApiServer as _, ProofApiServer as _, RpcApiServer as _, TxApiServer as _,
};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::chain_view::ChainView;
use crate::config::RpcConfig;
use crate::consensus_host::ConsensusHandle;
use crate::metrics::Metrics;
use crate::network::{NetworkHandle, PeerInfo, Traffic};
use crate::pool::TransactionPool;
use crate::sync::SyncProgress;

pub use health::Health;
pub use report::{NodeReport, Reporter};

use dispatch::Dispatcher;
use event_log::EventLog;
use health::Progress;
use hosts::Hosts;
use http::Door;
use relay::Relay;
use tls::Protection;
pub use tls::ProtectionError;

/// Most calls that wait for a transaction at one time.
const MAX_WAITERS: usize = 1024;

/// What the network knows of other nodes.
pub trait Peers: Send + Sync {
    fn peers(&self) -> Vec<PeerInfo>;
    /// The greatest final height that the network has shown, or that so many claim that it is true.
    fn best_final(&self) -> Height;
}

impl Peers for NetworkHandle {
    fn peers(&self) -> Vec<PeerInfo> {
        Self::peers(self)
    }

    fn best_final(&self) -> Height {
        Self::best_final(self)
    }
}

/// Who this node is.
#[derive(Clone, Debug)]
pub struct Identity {
    pub chain_id: Digest,
    /// Name of the chain.
    pub chain: String,
    /// Of the genesis, Unix milliseconds.
    pub genesis_time_ms: u64,
    /// The protocol that orders blocks, like `hybrid`.
    pub engine: String,
    /// What finality is worth under it.
    pub finality: Finality,
    /// Whether it has more than one way to order blocks.
    pub switches_modes: bool,
    /// Name of the node.
    pub moniker: String,
    /// libp2p peer id of the node.
    pub peer_id: String,
    /// Names of the genesis validators by their consensus keys.
    pub validator_names: BTreeMap<PublicKey, String>,
}

impl Identity {
    /// The identity of a node on the chain of a genesis.
    pub fn new(genesis: &genesis::Genesis, moniker: &str, network_key: &PublicKey) -> Self {
        let names = genesis.validators.iter().map(|v| (v.consensus_key, v.name.clone()));
        Self {
            chain_id: genesis.hash(),
            chain: genesis.chain.clone(),
            genesis_time_ms: genesis.time_ms,
            engine: genesis.engine.to_string(),
            finality: convert::finality(genesis.engine.fault_model()),
            switches_modes: genesis.engine.switches_modes(),
            moniker: moniker.to_owned(),
            peer_id: genesis::peer_id::peer_id(network_key),
            validator_names: names.collect(),
        }
    }
}

/// The parts of a node that clients see.
pub struct Context {
    pub identity: Identity,
    pub view: ChainView,
    pub pool: TransactionPool,
    pub consensus: ConsensusHandle,
    pub peers: Arc<dyn Peers>,
    pub sync: watch::Receiver<SyncProgress>,
    pub metrics: Arc<Metrics>,
    /// What this node says to others.
    pub traffic: Traffic,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Context {
    /// The mode, where there is more than one.
    fn mode(&self, status: &Status) -> Option<Mode> {
        self.identity.switches_modes.then_some(status.mode)
    }

    /// Peer ids of the connected peers.
    fn connected(&self) -> BTreeSet<String> {
        self.peers.peers().into_iter().filter(|peer| peer.connected).map(|peer| peer.id).collect()
    }

    /// How far catching up is, with what gossip showed since it last looked.
    fn progress(&self) -> SyncProgress {
        progress(&self.sync, self.peers.as_ref())
    }

    fn sync_status(&self) -> SyncStatus {
        let SyncProgress { fetching, target, heard, peers, .. } = self.progress();
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        SyncStatus { fetching, target, peers: count(peers), heard: count(heard) }
    }

    fn is_synced(&self, height: Height) -> bool {
        self.progress().is_synced(height, health::CLOSE)
    }
}

fn progress(sync: &watch::Receiver<SyncProgress>, peers: &dyn Peers) -> SyncProgress {
    let progress = *sync.borrow();
    SyncProgress { target: progress.target.max(peers.best_final()), ..progress }
}

/// Whether a node at this final height knows of no final block that it lacks.
pub(crate) fn is_synced(
    sync: &watch::Receiver<SyncProgress>,
    peers: &dyn Peers,
    height: Height,
) -> bool {
    progress(sync, peers).is_synced(height, health::CLOSE)
}

/// A server that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    #[error("rpc.listen: cannot listen on {address}: {source}; is another node running?")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("[rpc]: {0}")]
    Protection(#[from] ProtectionError),
}

/// The port of a server that does not answer yet: clients wait.
#[derive(Debug)]
pub struct RpcListener {
    listener: TcpListener,
    address: SocketAddr,
    protection: Protection,
}

impl RpcListener {
    /// Takes the port, and reads what it is protected with from files of the home.
    ///
    /// # Errors
    /// [`RpcError::Listen`] where the address is taken, [`RpcError::Protection`] where a certificate,
    /// key or token cannot be used.
    pub async fn bind(config: &RpcConfig, home: &Path) -> Result<Self, RpcError> {
        let protection = Protection::load(config, home)?;
        let address = config.listen;
        let failed = |source| RpcError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, protection })
    }
}

/// A running server.
#[derive(Debug)]
pub struct RpcServer {
    /// Where it listens.
    pub address: SocketAddr,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
    /// Follow the chain for subscribers and for health; end when dropped.
    followers: JoinSet<()>,
    reporter: Reporter,
}

impl RpcServer {
    /// Serves until [stopped](Self::stop).
    pub fn start(listener: RpcListener, config: &RpcConfig, context: Context) -> Self {
        let RpcListener { listener, address, protection } = listener;
        let context = Arc::new(context);
        let relay = Relay::new();
        let progress = Progress::new(context.view.head().height);
        let mut followers = JoinSet::new();
        followers.spawn(relay.clone().run(context.view.clone()));
        followers.spawn(progress.clone().run(context.view.clone(), context.pool.clone()));
        let log = EventLog::new(context.traffic.clone());
        let (events, chain_id) = (context.consensus.events(), context.identity.chain_id);
        followers.spawn(log.clone().run(events, chain_id));

        let stop = CancellationToken::new();
        let reporter = Reporter::new(&context, progress.clone());
        let metrics = context.metrics.rpc();
        let door = Door {
            dispatcher: Dispatcher::new(methods(&context, &relay, &log).into(), metrics.clone()),
            context,
            progress,
            hosts: Arc::new(Hosts::new(&config.allowed_hosts)),
            tokens: protection.tokens,
            connections: Arc::default(),
            stop: stop.clone(),
        };
        let router = http::router(door);
        let limits = listen::Limits {
            connections: config.max_connections,
            calls_per_second: config.calls_per_second,
            write_patience: listen::WRITE_PATIENCE,
        };
        let tls = protection.tls;
        let serving =
            tokio::spawn(listen::run(listener, tls, router, limits, metrics, stop.clone()));
        Self { address, stop, serving, followers, reporter }
    }

    /// Says how the node is, to whoever asks on another way than this port.
    pub fn reporter(&self) -> Reporter {
        self.reporter.clone()
    }

    /// Waits until clients are served no more or no longer properly: only ever by a panic.
    pub async fn failed(&mut self) {
        tokio::select! {
            _ = &mut self.serving => {}
            _ = self.followers.join_next() => {}
        }
    }

    /// Stops accepting, gives open connections a moment, and returns when all are closed.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if !self.serving.is_finished() {
            // A server that panics meanwhile serves nobody any more either.
            let _ = self.serving.await;
        }
        // They hold the store: who opens it next must not find it in use.
        self.followers.shutdown().await;
    }
}

/// Every method, by the traits of `node_api`.
fn methods(context: &Arc<Context>, relay: &Relay, log: &EventLog) -> RpcModule<()> {
    let waiters = Arc::new(Semaphore::new(MAX_WAITERS));
    let shared = || Arc::clone(context);
    let mut all = RpcModule::new(());
    let distinct = "the traits name every method once: a test calls this";
    all.merge(chain::ChainRpc::new(shared(), relay.clone()).into_rpc()).expect(distinct);
    all.merge(tx::TxRpc::new(shared(), waiters).into_rpc()).expect(distinct);
    all.merge(account::AccountRpc(shared()).into_rpc()).expect(distinct);
    all.merge(kv::KvRpc::new(shared()).into_rpc()).expect(distinct);
    all.merge(governance::GovernanceRpc(shared()).into_rpc()).expect(distinct);
    all.merge(proof::ProofRpc(shared()).into_rpc()).expect(distinct);
    all.merge(consensus::ConsensusRpc::new(shared(), log.clone()).into_rpc()).expect(distinct);
    all.merge(Discover.into_rpc()).expect(distinct);
    all
}

/// Namespace `rpc`.
struct Discover;

#[jsonrpsee::core::async_trait]
impl node_api::RpcApiServer for Discover {
    async fn discover(&self) -> jsonrpsee::core::RpcResult<serde_json::Value> {
        Ok(node_api::openrpc::document())
    }
}
