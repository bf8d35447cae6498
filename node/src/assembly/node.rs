//! One running node, of any engine.

use std::sync::Arc;
use std::time::Duration;

use chain::crypto::{Ed25519, Verifier};
use chain::ledger::Ledger;
use chain::mempool::{MempoolLimits, VerifiedTransaction};
use chain::types::{Digest, Height, ValidatorIndex};
use chain::validator::ValidatorSet;
use consensus::engine::{self, Engine, FaultModel};
use consensus::message::EngineMessage;
use consensus::policy::Policy;
use genesis::Genesis;
use genesis::config::{MempoolConfig, NodeConfig};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::access::{self, ChainAccess};
use super::begin;
use super::gossip;
use super::layer::{EngineLayer, LayerContext};
use super::observer::ChainObserver;
use super::watched::WatchedStorage;
use super::{NodeError, Options};
use crate::admin::{AdminListener, AdminSocket};
use crate::application::NodeApplication;
use crate::chain_view::ChainView;
use crate::consensus_host::{ConsensusHost, Parts};
use crate::home::{Home, Keys};
use crate::joining::{self, Attendant, ReadySigner, Turn};
use crate::metrics::{Metrics, Sources};
use crate::network::{
    AccessPolicy, Multiaddr, Network, NetworkConfig, NetworkOutbox, PeerTransactions, SharedRoster,
    Traffic,
};
use crate::pool::{PoolHooks, TransactionPool};
use crate::rpc::{self, RpcListener, RpcServer};
use crate::snapshot::{Upkeep, UpkeepPolicy};
use crate::space::FreeSpace;
use crate::storage::{CheckpointPolicy, GenesisState, Opened, Store};
use crate::sync::{self, SyncService};

/// Groups of new transactions that wait to be gossiped; the pool offers again what finds no room.
const GOSSIP_GROUPS: usize = 256;

/// A running node.
#[derive(Debug)]
pub struct Node<E: Engine> {
    pub rpc: RpcServer,
    pub view: ChainView,
    pub pool: TransactionPool,
    pub consensus: ConsensusHost<E::Message>,
    pub network: Network<E::Message>,
    pub upkeep: Upkeep,
    admin: AdminSocket,
    pub(super) sync: SyncService,
    /// Gossip between the pool and the network.
    pub(super) gossip: JoinSet<()>,
    /// Looks after the node's place in the validator set.
    joining: JoinSet<Turn>,
}

/// Why a node does not run on.
#[derive(Debug)]
pub(crate) enum Ended {
    Failed(NodeError),
    Turn(Turn),
}

impl<E: Engine> Node<E> {
    /// Starts every part; returns once clients and peers can connect, or early where `stop` is
    /// cancelled while the store executes blocks again.
    ///
    /// # Errors
    /// [`NodeError`] with what to do about it.
    ///
    /// # Panics
    /// Where the genesis names another engine.
    pub async fn start<L: EngineLayer>(
        options: Options<L>,
        genesis: Genesis,
        stop: CancellationToken,
    ) -> Result<Self, NodeError> {
        assert_eq!(genesis.engine.as_str(), E::NAME, "the genesis chooses the engine");
        let Options { home, config, layer } = options;
        let mut keys = home.keys()?;
        let verifier: Arc<dyn Verifier> = Arc::new(Ed25519);
        let metrics = Arc::new(Metrics::default());
        begin::begin::<E>(&home, &config, &keys, &genesis, &stop).await?;
        let opened = open::<E>(&home, &config, &genesis, Arc::clone(&verifier), stop).await?;
        let Opened { store, recovered, ledger, replayed } = opened;
        let (chain_id, height) = (store.chain_id(), recovered.final_height);
        let validators = recovered.validators.clone();
        if joining::promote_due(&home, &keys.validator.public(), &validators)? {
            keys = home.keys()?;
        }
        let identity = rpc::Identity::new(&genesis, &config.moniker, &keys.network.public());
        let me = own_place(&validators, &keys)?;
        let view = ChainView::new(store.clone(), ledger.state().clone())?;
        // What others may have taken is found out before anything is promised to anybody.
        let rpc_listener = RpcListener::bind(&config.rpc, home.directory()).await?;
        let admin_listener = AdminListener::bind(home.directory())?;

        let access = Arc::new(ChainAccess::new(ledger.state().clone()));
        let (mut network, peers_transactions) = start_network(
            &config,
            chain_id,
            &keys,
            &validators,
            E::FAULT_MODEL,
            Arc::clone(&verifier),
            Arc::clone(&access) as Arc<dyn AccessPolicy>,
        )
        .await?;
        let policy = UpkeepPolicy::from(&config.storage);
        let watcher = layer.watcher();
        let (state, watched) = (ledger.state().clone(), Arc::clone(&watcher));
        let upkeep =
            Upkeep::start(store.clone(), policy, state, watched).map_err(NodeError::Thread)?;
        let (own, own_transactions) = mpsc::channel(GOSSIP_GROUPS);
        let pool = start_pool(&config.mempool, &ledger, &network, Arc::clone(&verifier), own)?;

        let roster = SharedRoster::new(std::slice::from_ref(&validators), keys.validator.public());
        let traffic = Traffic::default();
        let outbox = NetworkOutbox::new(network.handle.clone(), roster.clone(), traffic.clone());
        let outbox = Box::new(outbox);
        let key = keys.validator.duplicate();
        let runtime = tokio::runtime::Handle::current();
        let chooser = layer.chooser();
        let outbox = layer.wrap(outbox, LayerContext { chain_id, key, validators, me, runtime });
        let application = NodeApplication::new(
            ledger,
            store.clone(),
            pool.clone(),
            view.clone(),
            upkeep.handle.clone(),
            chooser,
            Arc::clone(&watcher),
        );
        let execution = application.counters();
        let consensus = ConsensusHost::start::<E, _, _>(Parts {
            config: engine_config(&genesis, config.consensus.policy, &keys, verifier),
            recovered,
            signer: Box::new(keys.validator.duplicate()),
            application,
            storage: WatchedStorage { inner: metrics.timed(store.clone()), watcher },
            outbox,
            inbox: Arc::clone(&network.inbox),
            network: network.handle.clone(),
            roster,
            space: FreeSpace::new(
                &home.data_path(),
                config.storage.min_free_mib.saturating_mul(1 << 20),
            ),
            observer: Box::new(ChainObserver::new(view.clone(), metrics.observer())),
        })
        .await?;

        let sync = SyncService::start::<E>(sync::Parts {
            view: view.clone(),
            store: store.clone(),
            snapshots: upkeep.source.clone(),
            network: network.handle.clone(),
            inbox: Arc::clone(&network.inbox),
            status: consensus.handle.status(),
            questions: network.questions.take().expect("nobody took it before"),
            verifier: Arc::new(Ed25519),
            checkpoint: config.sync.checkpoint,
            counters: metrics.sync(),
        });

        let mut gossip = JoinSet::new();
        gossip.spawn(gossip::tell(own_transactions, network.handle.clone()));
        gossip.spawn(gossip::tell_again(pool.clone(), network.handle.clone()));
        gossip.spawn(gossip::hear(peers_transactions, pool.clone()));
        gossip.spawn(access::follow(access, view.clone(), network.handle.clone()));
        let peers: Arc<dyn rpc::Peers> = Arc::new(network.handle.clone());
        let status = consensus.handle.status();
        metrics.add_sources(Sources {
            status: status.clone(),
            pool: pool.clone(),
            peers: Arc::clone(&peers),
            execution,
            store,
        });
        let context = rpc::Context {
            identity,
            view: view.clone(),
            pool: pool.clone(),
            consensus: consensus.handle.clone(),
            peers,
            sync: sync.progress(),
            metrics,
            traffic,
        };
        let attendant = attendant(&home, &config, &keys, &context);
        let rpc = RpcServer::start(rpc_listener, &config.rpc, context);
        let reporter = rpc.reporter();
        let report = move || {
            let report = reporter.report()?;
            serde_json::to_value(report).map_err(|error| error.to_string())
        };
        let admin =
            AdminSocket::start(admin_listener, network.handle.clone(), status, Box::new(report));
        let mut joining = JoinSet::new();
        joining.spawn(attendant.run());
        let node =
            Self { rpc, view, pool, consensus, network, upkeep, admin, sync, gossip, joining };
        node.log_start(height, replayed, me);
        Ok(node)
    }

    fn log_start(&self, height: Height, replayed: u64, me: Option<ValidatorIndex>) {
        let p2p = self.network.addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
        let chain = match height.get() {
            0 => "new chain".to_owned(),
            height => format!("resuming at height {height}"),
        };
        let role = match me {
            Some(index) => format!("validator {index}"),
            None => "observer: not in the validator set".to_owned(),
        };
        let (p2p, rpc) = (p2p.join(" "), self.rpc.address);
        tracing::info!(replayed, "listening p2p {p2p} rpc {rpc}, {chain}, {role}");
    }

    /// Waits until a part ends that should not (the rest is worth little without it), or the chain
    /// turns the node to something else.
    pub(super) async fn ended(&mut self) -> Ended {
        let error = tokio::select! {
            turn = self.joining.join_next() => match turn {
                Some(Ok(turn)) => return Ended::Turn(turn),
                _ => NodeError::Ended("the look-out for changes of the validators"),
            },
            error = self.consensus.failed() => error.into(),
            () = self.network.failed() => NodeError::Ended("the network"),
            () = self.pool.failed() => NodeError::Ended("the verification of transactions"),
            () = self.rpc.failed() => NodeError::Ended("the RPC server"),
            () = self.upkeep.failed() => NodeError::Ended("the upkeep of the store"),
            () = self.admin.failed() => NodeError::Ended("the admin socket"),
            wrong = self.sync.failed() => match wrong {
                Some(error) => error.into(),
                None => NodeError::Ended("catching up"),
            },
            _ = self.gossip.join_next() => NodeError::Ended("the gossip of transactions"),
        };
        Ended::Failed(error)
    }

    /// Stops every part: first what brings work, last the store.
    pub async fn stop(self) {
        let Self { rpc, view, pool, consensus, network, upkeep, admin, sync, .. } = self;
        let Self { mut gossip, mut joining, .. } = self;
        drop(admin);
        // They hold the store: whoever opens it next must not find it in use.
        joining.shutdown().await;
        rpc.stop().await;
        gossip.shutdown().await;
        sync.stop().await;
        consensus.stop().await;
        network.stop().await;
        drop(upkeep);
        drop((pool, view));
    }
}

/// Opens the store, which may have to execute blocks again, without holding up the runtime.
async fn open<E: Engine>(
    home: &Home,
    config: &NodeConfig,
    genesis: &Genesis,
    verifier: Arc<dyn Verifier>,
    stop: CancellationToken,
) -> Result<Opened<E::Record>, NodeError> {
    let state = GenesisState::new(genesis)?;
    let data = home.data_path();
    let policy = CheckpointPolicy::from(&config.storage);
    let opening =
        tokio::task::spawn_blocking(move || Store::open(&data, &state, verifier, policy, &stop));
    Ok(opening.await.expect("opening a store does not panic and nobody cancels it")?)
}

/// What looks after the node's place in the validator set.
fn attendant(home: &Home, config: &NodeConfig, keys: &Keys, context: &rpc::Context) -> Attendant {
    let (sync, peers) = (context.sync.clone(), Arc::clone(&context.peers));
    Attendant {
        view: context.view.clone(),
        pool: context.pool.clone(),
        at_tip: Box::new(move |height| rpc::is_synced(&sync, peers.as_ref(), height)),
        home: home.clone(),
        signer: ReadySigner::new(keys.validator.duplicate()),
        on_retire: config.on_retire,
    }
}

/// Where the node stands in the validator set; `None` for an observer.
fn own_place(validators: &ValidatorSet, keys: &Keys) -> Result<Option<ValidatorIndex>, NodeError> {
    let me = validators.index_of(&keys.validator.public());
    match me.and_then(|index| validators.get(index)) {
        Some(validator) if validator.network_key != keys.network.public() => {
            Err(NodeError::NetworkKey)
        }
        _ => Ok(me),
    }
}

/// # Errors
/// [`NodeError::Address`].
pub(super) fn parse_address(text: &str) -> Result<Multiaddr, NodeError> {
    text.parse()
        .map_err(|error| NodeError::Address { what: text.to_owned(), error: format!("{error}") })
}

/// # Errors
/// [`NodeError::Address`].
pub(super) fn parse_addresses(texts: &[String]) -> Result<Vec<Multiaddr>, NodeError> {
    texts.iter().map(|text| parse_address(text)).collect()
}

async fn start_network<M: EngineMessage>(
    config: &NodeConfig,
    chain_id: Digest,
    keys: &Keys,
    validators: &ValidatorSet,
    fault_model: FaultModel,
    verifier: Arc<dyn Verifier>,
    access: Arc<dyn AccessPolicy>,
) -> Result<(Network<M>, mpsc::Receiver<PeerTransactions>), NodeError> {
    let network = NetworkConfig {
        chain_id,
        key: keys.network.duplicate(),
        listen: parse_address(&config.p2p.listen)?,
        peers: parse_addresses(&config.p2p.peers)?,
        announce: parse_addresses(&config.p2p.announce)?,
        validators: validators.clone(),
        fault_model,
        verifier,
        access,
    };
    Ok(Network::start(network).await?)
}

fn start_pool<M: EngineMessage>(
    config: &MempoolConfig,
    ledger: &Ledger,
    network: &Network<M>,
    verifier: Arc<dyn Verifier>,
    gossip: mpsc::Sender<Vec<Arc<VerifiedTransaction>>>,
) -> Result<TransactionPool, NodeError> {
    let limits = MempoolLimits {
        transactions: config.max_transactions,
        bytes: config.max_bytes,
        per_sender: config.max_per_sender,
        nonce_gap: config.max_per_sender as u64,
        lifetime: MempoolLimits::LIFETIME,
    };
    let inbox = Arc::clone(&network.inbox);
    let hooks = PoolHooks { wake: Box::new(move || inbox.wake()), gossip };
    let (state, height) = (ledger.state().clone(), ledger.tip().height);
    TransactionPool::start(*ledger.chain_id(), limits, state, height, verifier, hooks)
        .map_err(NodeError::Thread)
}

fn engine_config(
    genesis: &Genesis,
    policy: Policy,
    keys: &Keys,
    verifier: Arc<dyn Verifier>,
) -> engine::Config {
    let consensus = &genesis.consensus;
    engine::Config {
        chain_id: genesis.hash(),
        me: keys.validator.public(),
        verifier,
        timeout_min: Duration::from_millis(consensus.timeout_min_ms),
        timeout_max: Duration::from_millis(consensus.timeout_max_ms),
        heartbeat: Duration::from_millis(consensus.heartbeat_ms),
        grace: Duration::from_millis(consensus.grace_ms),
        block_interval: Duration::from_millis(consensus.block_interval_ms),
        batch: consensus.batch as usize,
        pipeline: u64::from(consensus.pipeline),
        policy,
    }
}
