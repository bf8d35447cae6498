//! Everything at once that the operator's diagnosis asks of a running node.

use std::sync::{Arc, Weak};

use node_api::chain::{ChainStatus, ValidatorList};
use serde::{Deserialize, Serialize};

use super::health::{Health, Progress};
use super::{Context, chain};
use crate::network::PeerInfo;

/// How a node is, in one answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeReport {
    pub health: Health,
    pub chain: ChainStatus,
    pub validators: ValidatorList,
    pub peers: Vec<PeerInfo>,
    /// Current view timeout.
    pub timeout_ms: u64,
}

/// Says how the node is, as long as it runs; cheap to clone.
///
/// It does not keep the parts alive: they hold the store, which must be free once the node stopped.
#[derive(Clone, Debug)]
pub struct Reporter {
    context: Weak<Context>,
    progress: Progress,
}

impl Reporter {
    pub(super) fn new(context: &Arc<Context>, progress: Progress) -> Self {
        Self { context: Arc::downgrade(context), progress }
    }

    /// # Errors
    /// A sentence where the node stops, or its state names no validators.
    pub fn report(&self) -> Result<NodeReport, String> {
        let context = self.context.upgrade().ok_or("the node is stopping")?;
        let timeout = context.consensus.status().borrow().timeout;
        Ok(NodeReport {
            health: context.health(&self.progress),
            chain: context.chain_status(),
            validators: chain::validators(&context, None).map_err(|error| error.to_string())?,
            peers: context.peers.peers(),
            timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        })
    }
}
