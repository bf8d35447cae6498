//! Nodes that are no validators: they catch up, follow, and pass on what their clients submit.

use std::sync::Arc;

use chain::crypto::Ed25519;
use chain::governance::Change;
use chain::snapshot::Checkpoint;
use consensus::engine::{Engine, FaultModel, Role};
use consensus::hybrid::Message;
use tokio::task::JoinSet;

use super::*;
use crate::config::SyncMode;
use crate::network::{MAX_ANSWER, Multiaddr, Network, NetworkConfig, Open, PeerId};
use crate::storage::{CheckpointPolicy, GenesisState, Store};
use crate::testing::signed_chain::Chain;

/// Blocks of the chain before anybody starts: 600, or as many as the environment says.
fn before() -> usize {
    std::env::var("SYNC_BLOCKS").map_or(600, |text| text.parse().expect("SYNC_BLOCKS is a number"))
}

impl Cluster {
    /// Puts a chain into the stores of all validators, as if they had made it.
    fn give_history(&mut self, blocks: usize) {
        let homes: Vec<Home> = self.homes.iter().map(Home::new).collect();
        let genesis = homes[0].genesis().unwrap();
        let keys = homes.iter().map(|home| home.keys().unwrap().validator).collect();
        let mut chain = Chain::new(&genesis, keys, genesis::accounts::derive(SEED, 0));
        chain.grow(blocks / 2, 1);
        chain.jail(3);
        chain.grow(blocks - blocks / 2 - 1, 1);
        self.nonces[0] = blocks as u64 - 1;
        let state = GenesisState::new(&genesis).unwrap();
        for home in homes {
            let opened = Store::open::<<Hybrid as Engine>::Record>(
                &home.data_path(),
                &state,
                Arc::new(Ed25519),
                CheckpointPolicy::default(),
                &CancellationToken::new(),
            );
            let store = opened.unwrap().store;
            for proven in chain.blocks.split_inclusive(|item| item.proof.is_some()) {
                store.commit_blocks(proven).unwrap();
            }
        }
    }

    /// The address of a validator that runs.
    pub(super) fn address(&self, place: usize) -> String {
        let network = &self.nodes[place].as_ref().unwrap().network;
        format!("{}/p2p/{}", network.addresses[0], network.handle.me())
    }

    /// A home of a node that is no validator, which knows these others.
    pub(super) fn observer(&self, peers: Vec<String>) -> Options {
        let home = Home::new(self._directory.path().join("observer"));
        home.create("observer", Some(&self.genesis())).unwrap();
        Self::observer_in(home, peers)
    }

    /// The same home again, with the validators that run as its peers.
    fn observer_again(&self) -> Options {
        let home = Home::new(self._directory.path().join("observer"));
        Self::observer_in(home, (0..3).map(|place| self.address(place)).collect())
    }

    fn observer_in(home: Home, peers: Vec<String>) -> Options {
        let mut config = home.config(&Overrides::default()).unwrap();
        config.p2p.listen = "/ip4/127.0.0.1/tcp/0".into();
        config.p2p.peers = peers;
        config.rpc.listen = "127.0.0.1:0".parse().unwrap();
        Options { home, config, layer: Untouched }
    }

    fn genesis(&self) -> Genesis {
        Home::new(&self.homes[0]).genesis().unwrap()
    }
}

/// Stands in the place of a validator: passes questions on to an honest one, and changes a byte of
/// every run that it serves.
async fn lie(home: &Home, genesis: &Genesis, honest: String) -> (Network<Message>, JoinSet<()>) {
    let keys = home.keys().unwrap();
    let honest: Multiaddr = honest.parse().unwrap();
    let state = GenesisState::new(genesis).unwrap();
    let config = NetworkConfig {
        chain_id: state.chain_id,
        key: keys.network,
        listen: "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
        peers: vec![honest.clone()],
        announce: Vec::new(),
        validators: state.state.validators().clone(),
        fault_model: FaultModel::Byzantine,
        verifier: Arc::new(Ed25519),
        access: Arc::new(Open),
    };
    let (mut network, _) = Network::start(config).await.unwrap();
    let mut questions = network.questions.take().unwrap();
    let handle = network.handle.clone();
    let mut lying = JoinSet::new();
    lying.spawn(async move {
        let honest = handle.peers().into_iter().find(|peer| honest.to_string().contains(&peer.id));
        let honest: PeerId = honest.unwrap().id.parse().unwrap();
        while let Some(question) = questions.recv().await {
            let Ok(mut answer) = handle.ask(honest, &question.bytes, MAX_ANSWER, PATIENCE).await
            else {
                continue;
            };
            // The first byte says what is asked: 0 is how far the other is.
            if question.bytes[0] != 0 {
                let middle = answer.len() / 2;
                answer[middle] ^= 1;
            }
            question.answer(answer);
        }
    });
    (network, lying)
}

/// Three validators with so many blocks, and one that lies in the place of the fourth; where an
/// observer finds them.
async fn among_liars(blocks: usize) -> (Cluster, Vec<String>, (Network<Message>, JoinSet<()>)) {
    let mut cluster = Cluster::new();
    cluster.give_history(blocks);
    for place in 0..3 {
        cluster.run(place).await;
    }
    let third = Home::new(&cluster.homes[3]);
    let (liar, lying) = lie(&third, &cluster.genesis(), cluster.address(0)).await;
    let mut peers: Vec<String> = (0..3).map(|place| cluster.address(place)).collect();
    peers.push(format!("{}/p2p/{}", liar.addresses[0], liar.handle.me()));
    (cluster, peers, (liar, lying))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_catches_up_with_a_liar_among_its_peers_follows_and_spreads_transactions() {
    let before = before();
    let (mut cluster, peers, _liar) = among_liars(before).await;
    let mut options = cluster.observer(peers);
    // A block that it must pass through, from somebody it trusts.
    let checkpoint = cluster.nodes[0].as_ref().unwrap().view.block_at(Height::new(500)).unwrap();
    let hash = checkpoint.unwrap().hash();
    options.config.sync.checkpoint = Some(Checkpoint { height: Height::new(500), hash });
    let began = Instant::now();
    let observer = start(options).await.unwrap();
    assert!(!observer.sync.progress().borrow().is_synced(Height::new(0), 16), "it heard of nobody");
    let mut status = observer.consensus.handle.status();
    let there = status.wait_for(|status| status.final_height.get() >= before as u64);
    tokio::time::timeout(PATIENCE * 20, there).await.unwrap().unwrap();
    println!("{before} blocks in {:.2} s over sockets", began.elapsed().as_secs_f64());
    assert_eq!(status.borrow().role, Role::Observer);
    let lies = observer.network.handle.peers().iter().filter(|peer| peer.score < 100).count();
    assert!(lies >= 1, "the liar was found out");

    // It follows, and what its clients submit gets into blocks.
    cluster.nodes.push(Some(observer));
    let hashes = cluster.submit_transfers().await;
    cluster.wait_final(&hashes).await;
    cluster.wait_equal().await;
    let observer = cluster.nodes[4].as_ref().unwrap();
    let mut progress = observer.sync.progress();
    let height = observer.view.head().height;
    let synced = progress.wait_for(|progress| progress.is_synced(height, 0));
    tokio::time::timeout(PATIENCE, synced).await.unwrap().unwrap();
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_begins_with_a_snapshot_although_a_peer_gives_wrong_pieces() {
    let before = before();
    let (mut cluster, peers, _liar) = among_liars(before).await;
    let mut options = cluster.observer(peers);
    options.config.sync.mode = SyncMode::Snapshot;
    let began = Instant::now();
    let observer = start(options).await.unwrap();
    println!("{before} blocks by snapshot in {:.2} s", began.elapsed().as_secs_f64());
    assert!(observer.view.head().height.get() >= before as u64);
    assert!(observer.view.block_at(Height::new(1)).is_err(), "it never had the blocks below");

    cluster.nodes.push(Some(observer));
    let hashes = cluster.submit_transfers().await;
    cluster.wait_final(&hashes).await;
    cluster.wait_equal().await;
    // And starts again from there, without looking for another snapshot for long.
    let mut options = cluster.observer_again();
    options.config.sync.mode = SyncMode::Snapshot;
    cluster.stop(4).await;
    cluster.nodes[4] = Some(start(options).await.unwrap());
    cluster.wait_equal().await;
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_that_is_removed_follows_as_an_observer() {
    let mut cluster = Cluster::start().await;
    let governors: Vec<Home> = cluster.homes.iter().map(Home::new).collect();
    let validator = governors[3].keys().unwrap().validator.public();
    cluster.decide(&governors[..3], Change::RemoveValidator { validator }).await;
    cluster.until("it left", |set| set.index_of(&validator).is_none()).await;
    let removed = cluster.nodes[3].as_ref().unwrap();
    let mut status = removed.consensus.handle.status();
    let observes = status.wait_for(|status| status.role == Role::Observer);
    tokio::time::timeout(PATIENCE, observes).await.unwrap().unwrap();
    // Also those that its own clients submit.
    for _ in 0..3 {
        let hashes = cluster.submit_transfers().await;
        cluster.wait_final(&hashes).await;
    }
    cluster.wait_equal().await;
    cluster.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_chain_lacks_its_checkpoint_stops_and_says_so() {
    let mut cluster = Cluster::new();
    cluster.give_history(20);
    let mut options = cluster.options(0);
    let checkpoint = Checkpoint { height: Height::new(7), hash: Digest([1; 32]) };
    options.config.sync.checkpoint = Some(checkpoint);
    let mut node = start(options).await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, node.ended()).await.unwrap();
    let Ended::Failed(error) = ended else { panic!("{ended:?}") };
    let error = error.to_string();
    assert!(error.contains("at height 7, where the checkpoint names 0101"), "{error}");
    node.stop().await;
}
