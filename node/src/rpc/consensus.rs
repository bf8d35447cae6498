//! Namespace `consensus`.

use std::sync::Arc;

use jsonrpsee::PendingSubscriptionSink;
use jsonrpsee::core::{RpcResult, SubscriptionResult, async_trait};
use node_api::block::CertificateSummary;
use node_api::consensus::{ConsensusApiServer, ConsensusState};

use super::event_log::EventLog;
use super::{Context, convert, errors};

/// Changes of mode in one answer, the newest ones.
const MODE_HISTORY: usize = 64;

pub(super) struct ConsensusRpc {
    context: Arc<Context>,
    log: EventLog,
}

impl ConsensusRpc {
    pub(super) const fn new(context: Arc<Context>, log: EventLog) -> Self {
        Self { context, log }
    }
}

#[async_trait]
impl ConsensusApiServer for ConsensusRpc {
    async fn state(&self) -> RpcResult<ConsensusState> {
        let status = self.context.consensus.status().borrow().clone();
        let history = self.context.view.mode_history(MODE_HISTORY).await;
        let history = history.map_err(|error| errors::store(&error))?;
        Ok(ConsensusState {
            role: convert::role(status.role),
            validator: status.me,
            epoch: status.epoch,
            view: status.view,
            leader: status.leader,
            mode: self.context.mode(&status),
            mode_reason: status.mode_reason,
            timeout_ms: u64::try_from(status.timeout.as_millis()).unwrap_or(u64::MAX),
            pacing: status.pacing,
            finality: self.context.identity.finality,
            height_final: status.final_height,
            height_ordered: status.ordered_height,
            height_head: status.head_height,
            quorums: self.context.view.head().state.validators().quorums(),
            pending: self.context.pool.size().0 as u64,
            evidence_pending: status.evidence_pending as u64,
            certificate: status.certificate.as_ref().map(CertificateSummary::from),
            mode_history: history.iter().map(convert::mode_change).collect(),
        })
    }

    async fn subscribe_events(
        &self,
        pending: PendingSubscriptionSink,
        since: Option<u64>,
        messages: Option<bool>,
    ) -> SubscriptionResult {
        let mut newest = self.log.newest();
        let mut cursor = since.unwrap_or(*newest.borrow_and_update());
        let with_traffic = messages == Some(true);
        let _watching = with_traffic.then(|| self.log.watch_traffic());
        let sink = pending.accept().await?;
        let _count = self.context.metrics.rpc().subscription();
        loop {
            let next = self.log.after(cursor, with_traffic);
            for text in next.texts {
                sink.send(text).await?;
            }
            if next.cursor > cursor {
                cursor = next.cursor;
                continue;
            }
            cursor = next.cursor;
            tokio::select! {
                () = sink.closed() => return Ok(()),
                changed = newest.changed() => if changed.is_err() { return Ok(()) },
            }
        }
    }
}
