//! `node run`.

use std::net::SocketAddr;

use chain::snapshot::Checkpoint;
use clap::{Args, ValueEnum};
use node::assembly::{self, NodeError, Options, Untouched};
use node::config::{LogFormat, Overrides, SyncMode};
use node::logging;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, HomeArg};

const EXAMPLES: &str = "\
Examples:
  node run --home ~/node
  node run --home ~/node --log-format json --log-level info,node::network=debug
  NODE_RPC_LISTEN=127.0.0.1:8080 node run --home ~/node
  node run --home ~/observer --sync snapshot
  node run --home ~/observer --checkpoint 1200:4a0f… (the whole hash)

Flags override the environment, which overrides config.toml. Logs go to stderr. SIGINT and SIGTERM
end it after the block at hand; a second signal ends it at once, which costs nothing but time at
the next start.";

/// Run the node until it is told to stop (SIGINT or SIGTERM)
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    #[command(flatten)]
    home: HomeArg,
    /// Name of the node in logs and status
    #[arg(long, value_name = "NAME")]
    moniker: Option<String>,
    /// Multiaddress to listen on for peers, like /ip4/0.0.0.0/tcp/26656
    #[arg(long, value_name = "MULTIADDR")]
    p2p_listen: Option<String>,
    /// Address to listen on for clients, like 127.0.0.1:26657
    #[arg(long, value_name = "ADDR:PORT")]
    rpc_listen: Option<SocketAddr>,
    /// How a node that lacks much of the chain gets it
    #[arg(long, value_name = "HOW")]
    sync: Option<Sync>,
    /// A block that the chain must have, as HEIGHT:HASH; the node stops where it has another
    #[arg(long, value_name = "HEIGHT:HASH")]
    checkpoint: Option<Checkpoint>,
    /// Form of the log
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<Format>,
    /// error, warn, info, debug, trace, or a filter like info,node::network=debug
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Sync {
    /// Every block from the genesis on, executed again
    Blocks,
    /// The state of a late block, proven from the genesis, and the blocks above
    Snapshot,
}

impl Run {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let home = self.home.home();
        let overrides = Overrides {
            moniker: self.moniker,
            p2p_listen: self.p2p_listen,
            rpc_listen: self.rpc_listen,
            log_level: self.log_level,
            sync: self.sync.map(|sync| match sync {
                Sync::Blocks => SyncMode::Blocks,
                Sync::Snapshot => SyncMode::Snapshot,
            }),
            checkpoint: self.checkpoint,
            log_format: self.log_format.map(|format| match format {
                Format::Text => LogFormat::Text,
                Format::Json => LogFormat::Json,
            }),
        };
        let config = home.config(&overrides).map_err(Failure::usage)?;
        logging::init(&config.log).map_err(Failure::usage)?;
        let options = Options { home, config, layer: Untouched };
        let runtime = assembly::runtime().map_err(Failure::failed)?;
        runtime.block_on(async {
            let shutdown = shutdown().map_err(Failure::failed)?;
            assembly::run(options, shutdown).await.map_err(Failure::from)
        })
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Home(_)
            | NodeError::Genesis(_)
            | NodeError::NetworkKey
            | NodeError::Address { .. } => Self::usage(error),
            NodeError::Open(_)
            | NodeError::Store(_)
            | NodeError::Network(_)
            | NodeError::Checkpoint(_)
            | NodeError::Begin(_)
            | NodeError::Thread(_)
            | NodeError::Consensus(_)
            | NodeError::Rpc(_)
            | NodeError::Admin(_)
            | NodeError::Ended(_) => Self::failed(error),
        }
    }
}

/// Ends with the first signal that asks for an end; the second one ends the process.
fn shutdown() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let mut next = async move || {
            tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            }
        };
        let name = next().await;
        tracing::info!(signal = name, "stopping");
        tokio::spawn(async move {
            let name = next().await;
            tracing::warn!(signal = name, "stopping at once");
            std::process::exit(1);
        });
    })
}
