//! What comes before the node: the snapshot that its store is to begin with.

use std::sync::Arc;

use chain::crypto::{Ed25519, Verifier};
use chain::types::Address;
use consensus::engine::Engine;
use genesis::Genesis;
use genesis::config::{NodeConfig, SyncMode};
use tokio_util::sync::CancellationToken;

use super::NodeError;
use super::node::{parse_address, parse_addresses};
use crate::home::{Home, Keys};
use crate::network::{AccessPolicy, Network, NetworkConfig};
use crate::storage::{GenesisState, OpenError};
use crate::sync::Beginning;

/// Takes nobody in: there is nothing here yet.
struct Nobody;

impl AccessPolicy for Nobody {
    fn admits(&self, _: &Address) -> bool {
        false
    }
}

/// Where the settings ask for it, fetches a snapshot from the peers before the store is opened. The
/// node has a network of its own for that, which is gone when this returns.
pub(super) async fn begin<E: Engine>(
    home: &Home,
    config: &NodeConfig,
    keys: &Keys,
    genesis: &Genesis,
    stop: &CancellationToken,
) -> Result<(), NodeError> {
    if config.sync.mode == SyncMode::Blocks {
        return Ok(());
    }
    let state = GenesisState::new(genesis)?;
    let verifier: Arc<dyn Verifier> = Arc::new(Ed25519);
    // Validators of the genesis may be gone by now: whoever the operator named is asked as well.
    let (network, _transactions) = Network::<E::Message>::start(NetworkConfig {
        chain_id: state.chain_id,
        key: keys.network.duplicate(),
        listen: parse_address("/ip4/127.0.0.1/tcp/0")?,
        peers: parse_addresses(&config.p2p.peers)?,
        announce: Vec::new(),
        validators: state.state.validators().clone(),
        fault_model: E::FAULT_MODEL,
        verifier: Arc::clone(&verifier),
        access: Arc::new(Nobody),
    })
    .await?;
    let beginning = Beginning {
        genesis: state,
        verifier,
        checkpoint: config.sync.checkpoint,
        data: home.data_path(),
    };
    let outcome = tokio::select! {
        outcome = beginning.fetch(&network.handle) => outcome.map(|_| ()).map_err(NodeError::from),
        () = stop.cancelled() => Err(OpenError::Stopped.into()),
    };
    network.stop().await;
    outcome
}
