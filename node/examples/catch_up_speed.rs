//! How fast a fresh node catches up from four validators over sockets, engine and all:
//! `cargo run -p node --example catch_up_speed [BLOCKS] [TRANSACTIONS PER BLOCK]`.
//!
//! Makes a chain of four validators (10,000 blocks of 10 transactions), gives it to four nodes, and
//! lets a fifth, which is no validator, join them twice: by blocks, each certificate and signature
//! checked and every block executed, and by a snapshot. Figures include finding the peers.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chain::access::AccessMode;
use chain::crypto::{Ed25519, Keypair};
use chain::types::{Amount, Height};
use consensus::engine::Engine;
use consensus::hybrid::Hybrid;
use consensus::registry::EngineName;
use genesis::Genesis;
use genesis::network::{DerivedAccounts, Plan};
use genesis::spec::{ConsensusParameters, Limits};
use node::assembly::{Node, Options, Untouched};
use node::config::{Overrides, SyncMode};
use node::home::Home;
use node::storage::{CheckpointPolicy, FinalBlock, GenesisState, Store};
use tokio_util::sync::CancellationToken;

#[path = "../src/testing/signed_chain.rs"]
mod signed_chain;
use signed_chain::Chain;

type Failure = Box<dyn Error>;

const SEED: &str = "catch-up";

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let (blocks, transactions) = (number(10_000)?, number(10)?);
    let directory = tempfile::tempdir()?;
    let network = genesis::network::create(&plan()?, &directory.path().join("net"))?;
    let homes: Vec<Home> = network.nodes.iter().map(|node| Home::new(&node.home)).collect();
    let chain = make(&network.genesis, &homes, blocks, transactions as u64)?;
    println!("chain of {blocks} blocks, {transactions} transactions in each");
    node::assembly::runtime()?.block_on(measure(&network.genesis, &homes, &chain, directory.path()))
}

fn plan() -> Result<Plan, Failure> {
    Ok(Plan {
        chain: "catch-up".into(),
        engine: EngineName::Hybrid,
        time_ms: 1_700_000_000_000,
        consensus: ConsensusParameters::default(),
        limits: Limits::default(),
        access: AccessMode::Open,
        ports: genesis::network::free_ports(4)?,
        accounts: 0,
        derived: Some(DerivedAccounts { dev_seed: SEED.into(), count: 1 }),
        balance: Amount::new(1_000_000),
    })
}

/// The chain, with one change of the validator set in the middle; it is in every home then.
fn make(
    genesis: &Genesis,
    homes: &[Home],
    blocks: usize,
    transactions: u64,
) -> Result<Chain, Failure> {
    let keys: Vec<Keypair> =
        homes.iter().map(|home| Ok(home.keys()?.validator)).collect::<Result<_, Failure>>()?;
    let mut chain = Chain::new(genesis, keys, genesis::accounts::derive(SEED, 0));
    chain.grow(blocks / 2, transactions);
    chain.jail(3);
    chain.grow(blocks - blocks / 2 - 1, transactions);
    assert!(chain.set().epoch.get() == 1 && chain.height().get() == blocks as u64);
    let state = GenesisState::new(genesis)?;
    for home in homes {
        fill(home, &state, &chain.blocks)?;
    }
    Ok(chain)
}

fn fill(home: &Home, genesis: &GenesisState, blocks: &[FinalBlock]) -> Result<(), Failure> {
    let store = Store::open::<<Hybrid as Engine>::Record>(
        &home.data_path(),
        genesis,
        Arc::new(Ed25519),
        CheckpointPolicy::default(),
        &CancellationToken::new(),
    )?
    .store;
    for proven in blocks.split_inclusive(|item| item.proof.is_some()) {
        store.commit_blocks(proven)?;
    }
    Ok(())
}

async fn start(
    home: Home,
    genesis: &Genesis,
    peers: Vec<String>,
    mode: SyncMode,
) -> Result<Node<Hybrid>, Failure> {
    let mut config = home.config(&Overrides::default())?;
    if !peers.is_empty() {
        config.p2p.listen = "/ip4/127.0.0.1/tcp/0".into();
        config.rpc.listen = "127.0.0.1:0".parse()?;
        config.p2p.peers = peers;
    }
    config.sync.mode = mode;
    let options = Options { home, config, layer: Untouched };
    Ok(Node::start(options, genesis.clone(), CancellationToken::new()).await?)
}

async fn measure(
    genesis: &Genesis,
    homes: &[Home],
    chain: &Chain,
    directory: &Path,
) -> Result<(), Failure> {
    let mut validators = Vec::new();
    for home in homes {
        validators.push(start(home.clone(), genesis, Vec::new(), SyncMode::Blocks).await?);
    }
    let address = |node: &Node<Hybrid>| {
        format!("{}/p2p/{}", node.network.addresses[0], node.network.handle.me())
    };
    let peers: Vec<String> = validators.iter().map(address).collect();
    for (name, mode) in [("blocks", SyncMode::Blocks), ("snapshot", SyncMode::Snapshot)] {
        let home = Home::new(directory.join(name));
        home.create(name, Some(genesis))?;
        let began = Instant::now();
        let observer = start(home, genesis, peers.clone(), mode).await?;
        reach(&observer, chain.height()).await?;
        let took = began.elapsed();
        let speed = chain.height().get() as f64 / took.as_secs_f64();
        println!("by {name}: {:.2} s, {speed:.0} blocks/s", took.as_secs_f64());
        assert_eq!(observer.view.head().hash, validators[0].view.head().hash);
        observer.stop().await;
    }
    for node in validators {
        node.stop().await;
    }
    Ok(())
}

async fn reach(node: &Node<Hybrid>, height: Height) -> Result<(), Failure> {
    let mut status = node.consensus.handle.status();
    let there = status.wait_for(|status| status.final_height >= height);
    tokio::time::timeout(Duration::from_secs(3600), there).await??;
    Ok(())
}
