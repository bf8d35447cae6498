//! Identities that nobody asked for dial a validator: guests of an open chain, and nodes of another.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use chain::crypto::{Ed25519, Keypair};
use chain::types::{Address, Digest};
use consensus::engine::FaultModel;
use consensus::hybrid::Message;
use genesis::peer_id::peer_id;
use node::network::{AccessPolicy, Network, NetworkConfig};
use node_api::ChainApiClient;
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::cluster::manifest::NodeEntry;
use crate::rpc;

/// That dial at one time.
const AT_ONCE: usize = 20;
/// How long each goes on trying.
const STAY: Duration = Duration::from_millis(400);
/// Peers that a node may have: validators, guests, and those that hear why they are refused.
const MOST_PEERS: u32 = 3 + 32 + 8;

struct Anybody;

impl AccessPolicy for Anybody {
    fn admits(&self, _: &Address) -> bool {
        true
    }
}

/// So many new identities dial, one half as nodes of this chain, one half of another.
pub(super) async fn dial(
    cluster: &Cluster,
    victim: &NodeEntry,
    identities: usize,
    seed: u64,
) -> anyhow::Result<Value> {
    let genesis = cluster.genesis()?;
    let network_key = cluster.key(victim, chain::governance::KeyKind::Network)?.public();
    let address = format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", victim.p2p_port, peer_id(&network_key));
    let client = rpc::http(victim, rpc::PATIENCE)?;
    let mut dice = ChaCha20Rng::seed_from_u64(seed);
    let (mut dialled, mut welcomed, mut most) = (0, 0, 0);
    while dialled < identities {
        let mut crowd = Vec::new();
        for number in 0..AT_ONCE.min(identities - dialled) {
            let ours = number % 2 == 0;
            let chain_id = if ours { genesis.hash() } else { Digest([0x66; 32]) };
            let config = NetworkConfig {
                chain_id,
                key: Keypair::from_seed(&dice.random()),
                listen: "/ip4/127.0.0.1/tcp/0".parse()?,
                peers: vec![address.parse()?],
                announce: Vec::new(),
                validators: genesis.validator_set(),
                fault_model: FaultModel::Byzantine,
                verifier: Arc::new(Ed25519),
                access: Arc::new(Anybody),
            };
            crowd.push((ours, Network::<Message>::start(config).await?));
        }
        dialled += crowd.len();
        tokio::time::sleep(STAY).await;
        for (ours, (network, _transactions)) in &crowd {
            let talks = network.handle.peers().iter().any(|peer| peer.connected);
            if talks && !ours {
                bail!("a node of another chain was talked to");
            }
            welcomed += usize::from(talks);
        }
        let status = ChainApiClient::status(&client).await.context("the node does not answer")?;
        most = most.max(status.peers);
        for (_, (network, _)) in crowd {
            network.stop().await;
        }
    }
    if most > MOST_PEERS {
        bail!("the node has {most} peers, over {MOST_PEERS}");
    }
    Ok(json!({ "identities": dialled, "guests_welcomed": welcomed, "most_peers": most }))
}
