//! Namespace `consensus`.

use std::sync::Arc;

use jsonrpsee::PendingSubscriptionSink;
use jsonrpsee::core::{RpcResult, SubscriptionResult, async_trait};
use node_api::block::CertificateSummary;
use node_api::consensus::{ConsensusApiServer, ConsensusEvent, ConsensusState};
use tokio::sync::broadcast::error::RecvError;

use super::relay::json;
use super::{Context, convert, errors};

/// Changes of mode in one answer, the newest ones.
const MODE_HISTORY: usize = 64;

pub(super) struct ConsensusRpc(pub(super) Arc<Context>);

#[async_trait]
impl ConsensusApiServer for ConsensusRpc {
    async fn state(&self) -> RpcResult<ConsensusState> {
        let status = self.0.consensus.status().borrow().clone();
        let history = self.0.view.mode_history(MODE_HISTORY).await;
        let history = history.map_err(|error| errors::store(&error))?;
        Ok(ConsensusState {
            role: convert::role(status.role),
            validator: status.me,
            epoch: status.epoch,
            view: status.view,
            leader: status.leader,
            mode: self.0.mode(&status),
            mode_reason: status.mode_reason,
            timeout_ms: u64::try_from(status.timeout.as_millis()).unwrap_or(u64::MAX),
            pacing: status.pacing,
            finality: self.0.identity.finality,
            height_final: status.final_height,
            height_ordered: status.ordered_height,
            height_head: status.head_height,
            quorums: self.0.view.head().state.validators().quorums(),
            pending: self.0.pool.size().0 as u64,
            evidence_pending: status.evidence_pending as u64,
            certificate: status.certificate.as_ref().map(CertificateSummary::from),
            mode_history: history.iter().map(convert::mode_change).collect(),
        })
    }

    async fn subscribe_events(&self, pending: PendingSubscriptionSink) -> SubscriptionResult {
        let mut events = self.0.consensus.events();
        let sink = pending.accept().await?;
        let _count = self.0.metrics.rpc().subscription();
        loop {
            let event = tokio::select! {
                () = sink.closed() => return Ok(()),
                event = events.recv() => event,
            };
            let event = match event {
                Ok(event) => convert::event(&event, &self.0.identity.chain_id),
                Err(RecvError::Lagged(missed)) => Some(ConsensusEvent::Lagged { missed }),
                Err(RecvError::Closed) => return Ok(()),
            };
            if let Some(event) = event {
                sink.send(json(&event)).await?;
            }
        }
    }
}
