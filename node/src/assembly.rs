//! Puts the parts of a node together, runs them, and takes them apart again.
//!
//! ```text
//!  home ──▶ store ──▶ ports ──▶ network ──▶ pool ──▶ consensus thread ──▶ RPC, admin socket
//! ```
//!
//! They stop in the opposite order, so that nothing speaks to a part that is gone. The genesis names
//! the engine; from here down every part is generic over it.

mod access;
mod begin;
mod gossip;
mod layer;
mod node;
mod observer;
mod watched;

use std::pin::{Pin, pin};
use std::time::Duration;

use consensus::engine::Engine;
use consensus::registry::Visitor;
use genesis::Genesis;
use genesis::config::NodeConfig;
use tokio_util::sync::CancellationToken;

pub use layer::{Chooser, EngineLayer, LayerContext, MessageOutbox, Moment, Untouched, Watcher};
pub(crate) use node::Ended;
pub use node::Node;

use crate::admin::AdminError;
use crate::consensus_host::HostError;
use crate::home::{Home, HomeError};
use crate::joining::Turn;
use crate::network::NetworkError;
use crate::rpc::RpcError;
use crate::storage::{OpenError, StoreError};
use crate::sync::{BeginError, CheckpointError};

/// How long a node that starts anew in its process waits until the store is free.
const RELEASE_PATIENCE: Duration = Duration::from_secs(30);

/// What a node runs with.
#[derive(Clone)]
pub struct Options<L = Untouched> {
    pub home: Home,
    pub config: NodeConfig,
    /// Put around what leaves the consensus thread.
    pub layer: L,
}

impl<L> std::fmt::Debug for Options<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Why a node does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error("the genesis makes no state: {0}")]
    Genesis(#[from] chain::genesis::GenesisError),
    #[error(
        "keys/network.json is not the network key that the chain knows of this validator: put the \
         right one there"
    )]
    NetworkKey,
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{what} is not a multiaddress: {error}")]
    Address { what: String, error: String },
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("the system starts no thread: {0}")]
    Thread(std::io::Error),
    #[error(transparent)]
    Consensus(#[from] HostError),
    #[error(transparent)]
    Rpc(#[from] RpcError),
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("cannot begin with a snapshot: {0}")]
    Begin(#[from] BeginError),
    #[error("{0} ended, which it never should; see the message above")]
    Ended(&'static str),
}

/// The runtime that a node process needs: its work is on threads of its own, so that a few nodes
/// may share a machine.
///
/// # Errors
/// Where the system starts no thread.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// Runs a node until `shutdown` is done, or it cannot go on.
///
/// # Errors
/// [`NodeError`] with what to do about it.
pub async fn run<L: EngineLayer + 'static>(
    options: Options<L>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), NodeError> {
    let genesis = options.home.genesis()?;
    genesis.engine.visit(Running { options, genesis, shutdown }).await
}

/// A node to run until its shutdown, once it is known of which engine.
struct Running<L, S> {
    options: Options<L>,
    genesis: Genesis,
    shutdown: S,
}

impl<L, S> Visitor for Running<L, S>
where
    L: EngineLayer + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    type Output = Pin<Box<dyn Future<Output = Result<(), NodeError>> + Send>>;

    fn visit<E: Engine>(self) -> Self::Output {
        Box::pin(run_engine::<E, L>(self.options, self.genesis, self.shutdown))
    }
}

async fn run_engine<E: Engine, L: EngineLayer>(
    options: Options<L>,
    genesis: Genesis,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), NodeError> {
    let mut shutdown = pin!(shutdown);
    loop {
        let starting = start_until::<E, L>(options.clone(), genesis.clone(), shutdown.as_mut());
        let Some(mut node) = starting.await? else {
            return Ok(());
        };
        let ended = tokio::select! {
            () = shutdown.as_mut() => None,
            ended = node.ended() => Some(ended),
        };
        if let Some(Ended::Failed(error)) = &ended {
            tracing::error!(%error, "the node stops: it cannot go on");
        } else {
            tracing::info!("shutting down");
        }
        let closed = node.view.closed();
        node.stop().await;
        match ended {
            Some(Ended::Turn(Turn::NewKeys)) => {
                // Reads that were on their way hold the store a little longer. Where they do not
                // end, opening it says so.
                let _ = tokio::time::timeout(RELEASE_PATIENCE, closed.cancelled()).await;
            }
            Some(Ended::Failed(error)) => return Err(error),
            None | Some(Ended::Turn(Turn::Retired)) => return Ok(()),
        }
    }
}

/// Starts a node; `None` where it was shut down meanwhile.
async fn start_until<E: Engine, L: EngineLayer>(
    options: Options<L>,
    genesis: Genesis,
    shutdown: Pin<&mut (impl Future<Output = ()> + Send)>,
) -> Result<Option<Node<E>>, NodeError> {
    let stop = CancellationToken::new();
    let mut starting = pin!(Node::<E>::start(options, genesis, stop.clone()));
    tokio::select! {
        started = &mut starting => return started.map(Some),
        () = shutdown => stop.cancel(),
    }
    // To its end: what was started is not to be left behind.
    match starting.await {
        Ok(node) => {
            node.stop().await;
            Ok(None)
        }
        Err(NodeError::Open(OpenError::Stopped)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
