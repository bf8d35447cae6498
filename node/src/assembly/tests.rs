//! Whole nodes on loopback, in one process.

mod snapshots;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chain::access::AccessMode;
use chain::mempool::HashedTransaction;
use chain::transaction::{Body, Payload, SignedTransaction};
use chain::types::{Amount, Digest, Height, View};
use chain::validator::ValidatorSet;
use consensus::driver::Outbox;
use consensus::engine::Recipients;
use consensus::hybrid::Hybrid;
use consensus::message::EngineMessage;
use consensus::registry::EngineName;
use genesis::network::{DerivedAccounts, Plan};
use genesis::spec::{ConsensusParameters, Limits};
use tokio::sync::mpsc;

use super::*;
use crate::config::Overrides;

mod joining;
mod observers;
mod reads;

const VALIDATORS: u16 = 4;
const SEED: &str = "assembly";
const ACCOUNTS: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(60);

/// One network at a time: two would look for free ports together, and find the same.
static MACHINE: Mutex<()> = Mutex::new(());

/// A network of nodes, some of which run.
struct Cluster {
    _directory: tempfile::TempDir,
    homes: Vec<PathBuf>,
    nodes: Vec<Option<Node<Hybrid>>>,
    chain_id: Digest,
    /// The next nonce of each account.
    nonces: Vec<u64>,
    /// Last: until everything is gone.
    _alone: MutexGuard<'static, ()>,
}

async fn start(options: Options) -> Result<Node<Hybrid>, NodeError> {
    start_until(options, CancellationToken::new()).await
}

async fn start_until(options: Options, stop: CancellationToken) -> Result<Node<Hybrid>, NodeError> {
    let genesis = options.home.genesis()?;
    Node::start(options, genesis, stop).await
}

impl Cluster {
    /// All homes are made, nobody runs.
    fn new() -> Self {
        let alone = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::tempdir().unwrap();
        let plan = Plan {
            chain: "test".into(),
            engine: EngineName::Hybrid,
            time_ms: 1_700_000_000_000,
            consensus: ConsensusParameters::default(),
            limits: Limits::default(),
            access: AccessMode::Open,
            ports: genesis::network::free_ports(VALIDATORS).unwrap(),
            accounts: 0,
            derived: Some(DerivedAccounts { dev_seed: SEED.into(), count: ACCOUNTS }),
            balance: Amount::new(1_000_000),
        };
        let network = genesis::network::create(&plan, &directory.path().join("net")).unwrap();
        Self {
            _directory: directory,
            homes: network.nodes.iter().map(|node| node.home.clone()).collect(),
            nodes: network.nodes.iter().map(|_| None).collect(),
            chain_id: network.chain_id,
            nonces: vec![0; ACCOUNTS as usize],
            _alone: alone,
        }
    }

    async fn start() -> Self {
        let mut cluster = Self::new();
        for place in 0..usize::from(VALIDATORS) {
            cluster.run(place).await;
        }
        cluster
    }

    fn options(&self, place: usize) -> Options {
        let home = Home::new(&self.homes[place]);
        let config = home.config(&Overrides::default()).unwrap();
        Options { home, config, layer: Untouched }
    }

    async fn run(&mut self, place: usize) {
        self.nodes[place] = Some(start(self.options(place)).await.unwrap());
    }

    async fn stop(&mut self, place: usize) {
        self.nodes[place].take().unwrap().stop().await;
    }

    async fn stop_all(mut self) {
        for place in 0..self.nodes.len() {
            if self.nodes[place].is_some() {
                self.stop(place).await;
            }
        }
    }

    fn running(&self) -> impl Iterator<Item = &Node<Hybrid>> {
        self.nodes.iter().flatten()
    }

    /// Hands transfers to running nodes in turn, one of each account.
    async fn submit_transfers(&mut self) -> Vec<Digest> {
        let transfers: Vec<_> = (0..ACCOUNTS).map(|account| self.transfer(account)).collect();
        let mut hashes = Vec::new();
        let nodes = self.nodes.iter().flatten().cycle();
        for (transfer, node) in transfers.into_iter().zip(nodes) {
            hashes.push(node.pool.submit(HashedTransaction::new(transfer)).await.unwrap());
        }
        hashes
    }

    fn transfer(&mut self, account: u32) -> SignedTransaction {
        let key = genesis::accounts::derive(SEED, account);
        let nonce = self.nonces[account as usize];
        self.nonces[account as usize] += 1;
        let to = genesis::accounts::derive(SEED, (account + 1) % ACCOUNTS).public().address();
        let body = Body::Transfer { to, amount: Amount::new(1), memo: Vec::new() };
        let height = self.running().map(|node| node.view.head().height.get()).max().unwrap();
        let (chain_id, expiry) = (self.chain_id, Height::new(height + 1_000));
        Payload { chain_id, account: None, sender: key.public(), nonce, expiry, body }.sign(&key)
    }

    /// Waits until these transactions are final on every running node.
    async fn wait_final(&self, hashes: &[Digest]) {
        for node in self.running() {
            for hash in hashes {
                let status = crate::chain_view::BlockStatus::Final;
                let waiting = tokio::time::timeout(PATIENCE, node.view.wait(hash, status));
                waiting.await.expect("final in time").unwrap();
            }
        }
    }

    /// Waits until all running nodes stand on the same block, with nothing waiting; then their
    /// states must be equal.
    async fn wait_equal(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let heads: Vec<_> = self.running().map(|node| node.view.head()).collect();
            if heads.iter().all(|head| head.hash == heads[0].hash) {
                assert!(heads.iter().all(|head| head.state.root() == heads[0].state.root()));
                assert!(heads.iter().all(|head| head.height == heads[0].height));
                return;
            }
            assert!(Instant::now() < deadline, "nodes at {:?}", heads.iter().map(|h| h.height));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Where the leader of the running nodes' newest view is.
    fn leader(&self) -> usize {
        let status = |node: &Node<Hybrid>| node.consensus.handle.status().borrow().clone();
        let newest = self.running().map(status).max_by_key(|status| (status.epoch, status.view));
        newest.and_then(|status| status.leader).unwrap().as_usize()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_nodes_make_blocks_lose_their_leader_go_on_and_take_it_back() {
    let mut cluster = Cluster::start().await;
    let first = cluster.submit_transfers().await;
    cluster.wait_final(&first).await;
    cluster.wait_equal().await;

    let leader = cluster.leader();
    cluster.stop(leader).await;
    let second = cluster.submit_transfers().await;
    cluster.wait_final(&second).await;
    assert_ne!(cluster.leader(), leader);

    cluster.run(leader).await;
    let all: Vec<Digest> = first.iter().chain(&second).copied().collect();
    cluster.wait_final(&all).await;
    let third = cluster.submit_transfers().await;
    cluster.wait_final(&third).await;
    cluster.wait_equal().await;
    for node in cluster.running() {
        let receipts: usize = (1..=node.view.head().height.get())
            .map(|height| node.view.receipts(Height::new(height)).unwrap().unwrap().len())
            .sum();
        assert_eq!(receipts, 3 * ACCOUNTS as usize, "every transfer once");
    }
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_stop_and_resume_where_they_were() {
    let mut cluster = Cluster::start().await;
    let before = cluster.submit_transfers().await;
    cluster.wait_final(&before).await;
    cluster.wait_equal().await;
    let head = cluster.nodes[0].as_ref().unwrap().view.head();
    for place in 0..usize::from(VALIDATORS) {
        cluster.stop(place).await;
    }
    for place in 0..usize::from(VALIDATORS) {
        cluster.run(place).await;
        let node = cluster.nodes[place].as_ref().unwrap();
        assert!(node.view.head().height >= head.height);
    }
    let after = cluster.submit_transfers().await;
    cluster.wait_final(&before).await;
    cluster.wait_final(&after).await;
    cluster.wait_equal().await;
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_sees_what_leaves_and_a_node_ends_with_its_shutdown() {
    let cluster = Cluster::new();
    let Options { home, config, .. } = cluster.options(1);

    struct Counting<M>(MessageOutbox<M>, mpsc::Sender<&'static str>);
    impl<M: EngineMessage> Outbox<M> for Counting<M> {
        fn seat(&mut self, sets: &[ValidatorSet]) {
            self.0.seat(sets);
        }

        fn send(&mut self, to: Recipients, message: &M) {
            let _ = self.1.try_send(message.kind());
            self.0.send(to, message);
        }
    }
    #[derive(Clone)]
    struct Count(mpsc::Sender<&'static str>);
    impl EngineLayer for Count {
        fn wrap<M: EngineMessage>(
            self,
            inner: MessageOutbox<M>,
            context: LayerContext,
        ) -> MessageOutbox<M> {
            assert_eq!(context.validators.len(), usize::from(VALIDATORS));
            assert_eq!(context.validators.index_of(&context.key.public()), context.me);
            assert_eq!(context.validators.first_view, View::new(0));
            Box::new(Counting(inner, self.0))
        }
    }
    let (seen, mut kinds) = mpsc::channel(1024);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let options = Options { home, config, layer: Count(seen) };
    let running = tokio::spawn(run(options, async {
        let _ = stopped.await;
    }));
    let kind = tokio::time::timeout(PATIENCE, kinds.recv()).await.unwrap();
    assert!(kind.is_some());
    stop.send(()).unwrap();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_home_that_does_not_fit_is_refused_in_words() {
    let cluster = Cluster::start().await;
    let options = cluster.options(0);
    let busy = start(cluster.options(0)).await.unwrap_err().to_string();
    assert!(busy.contains("is in use by"), "{busy}");
    let homes = cluster.homes.clone();
    let directory = cluster._directory.path().to_owned();
    assert!(directory.exists());
    // The network key of another validator.
    let other = std::fs::read(homes[1].join("keys/network.json")).unwrap();
    let mut cluster = cluster;
    cluster.stop(0).await;
    std::fs::write(homes[0].join("keys/network.json"), other).unwrap();
    let error = start(options).await.unwrap_err();
    assert!(matches!(error, NodeError::NetworkKey), "{error}");
    cluster.stop_all().await;
}

#[tokio::test]
async fn a_node_told_to_stop_while_it_starts_stops_and_lets_go_of_its_home() {
    let cluster = Cluster::new();
    let [first, second, third, last] = [0; 4].map(|place| cluster.options(place));
    // Told before it, at once, and somewhere on the way.
    let stop = CancellationToken::new();
    stop.cancel();
    let stopped = start_until(first, stop).await.unwrap_err();
    assert!(matches!(stopped, NodeError::Open(OpenError::Stopped)), "{stopped}");
    run(second, async {}).await.unwrap();
    run(third, tokio::task::yield_now()).await.unwrap();
    start(last).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_taken_port_is_noticed_before_peers_hear_of_the_node_and_leaves_nothing_running() {
    let cluster = Cluster::new();
    let [mut options, again] = [0, 0].map(|place| cluster.options(place));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    options.config.rpc.listen = address;
    // The port for peers comes later: it is the other one that must be complained of.
    options.config.p2p.listen = format!("/ip4/127.0.0.1/tcp/{}", address.port());
    let error = start(options).await.unwrap_err();
    assert!(matches!(error, NodeError::Rpc(_)), "{error}");
    start(again).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_part_that_ends_ends_the_node() {
    let cluster = Cluster::new();
    let options = cluster.options(0);
    let mut node = start(options).await.unwrap();
    node.gossip.abort_all();
    let Ended::Failed(error) = node.ended().await else { panic!("it ended without an error") };
    let error = error.to_string();
    assert!(error.contains("the gossip of transactions ended"), "{error}");
    node.stop().await;
}
