//! `testnet dashboard`: a page that shows consensus happen, breaks it, and rewinds it.
//!
//! ```text
//!  nodes ──▶ live: followers, sampler ──▶ stream ──▶ http ──▶ page
//!  page  ──▶ http: token ──▶ control ──▶ what the commands call
//!  page  ──▶ http ──▶ lab ──▶ consensus-sim
//! ```
//!
//! docs/dashboard.md says what the page gets and why nobody else does.

mod class;
pub mod control;
mod detached;
mod event;
mod evidence;
mod http;
mod lab;
mod live;
mod load;
mod proof;
mod proxy;
mod stage;
mod stream;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use tokio::task::JoinSet;

use crate::cluster::Cluster;
use control::Control;
pub use detached::{note, start_detached, take_port};
pub use http::Port;
use live::Live;
use proof::Checker;
use stage::Stage;

/// Most nodes that are followed by their addresses.
const MAX_URLS: usize = 64;

/// A running server; ends when dropped.
#[derive(Debug)]
pub struct Dashboard {
    url: String,
    tasks: JoinSet<()>,
}

impl Dashboard {
    /// Shows a testnet of this machine, and lets the page break it.
    ///
    /// # Errors
    /// Where the testnet's directory is gone.
    pub fn of_testnet(port: Port, cluster: Arc<Cluster>) -> anyhow::Result<Self> {
        let checker = Checker::new(Some(&cluster.genesis_path()))?;
        let (live, mut tasks) = Live::start(Stage::Testnet(Arc::clone(&cluster)))?;
        let control = Arc::new(Control::new(&live, &cluster));
        let url = port.url();
        http::serve(&mut tasks, port, live, Some(control), checker);
        Ok(Self { url, tasks })
    }

    /// Shows nodes by the addresses of their JSON-RPC: read only.
    ///
    /// # Errors
    /// Where an address is none, or the genesis cannot be read.
    pub fn of_nodes(
        port: Port,
        addresses: Vec<String>,
        genesis: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        if addresses.len() > MAX_URLS {
            bail!("{} nodes: at most {MAX_URLS} are shown", addresses.len());
        }
        for address in &addresses {
            if !(address.starts_with("http://") || address.starts_with("https://")) {
                bail!("{address:?} is no address of a node: write one like http://127.0.0.1:26657");
            }
        }
        let checker = Checker::new(genesis.as_deref())?;
        let (live, mut tasks) = Live::start(Stage::Nodes(addresses))?;
        let url = port.url();
        http::serve(&mut tasks, port, live, None, checker);
        Ok(Self { url, tasks })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until a part ends that should not: only ever by a panic.
    pub async fn failed(&mut self) {
        self.tasks.join_next().await;
    }
}
