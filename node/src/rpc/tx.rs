//! Namespace `tx`.

use std::sync::Arc;
use std::time::Duration;

use chain::mempool::{HashedTransaction, RejectReason};
use chain::types::Digest;
use jsonrpsee::core::{RpcResult, async_trait};
use node_api::limits::{DEFAULT_WAIT, MAX_SUBMIT_BATCH, MAX_WAIT};
use node_api::transaction::{TxState, TxStatus};
use node_api::tx::{SubmitResult, Submitted, TxApiServer, Wait};
use node_api::{ApiError, ErrorCode, HexBytes};
use tokio::sync::Semaphore;

use super::{Context, convert, errors};
use crate::chain_view::{self, BlockStatus};
use crate::pool::{Origin, SubmitError};

pub(super) struct TxRpc {
    context: Arc<Context>,
    waiters: Arc<Semaphore>,
}

impl TxRpc {
    pub(super) const fn new(context: Arc<Context>, waiters: Arc<Semaphore>) -> Self {
        Self { context, waiters }
    }

    /// What a client hears of the pool's verdict.
    async fn verdict(
        &self,
        hash: Digest,
        verdict: Result<Digest, SubmitError>,
    ) -> Result<Digest, ApiError> {
        match verdict {
            Ok(hash) => Ok(hash),
            // The same bytes once more: whoever was not sure that they arrived now is.
            Err(SubmitError::Refused(RejectReason::Duplicate)) => Ok(hash),
            Err(error @ SubmitError::Refused(RejectReason::NonceUsed { .. })) => {
                Err(self.executed_before(hash).await.unwrap_or_else(|| errors::submit(&error)))
            }
            Err(error) => Err(errors::submit(&error)),
        }
    }

    /// The better explanation of a used nonce, where this very transaction used it.
    async fn executed_before(&self, hash: Digest) -> Option<ApiError> {
        match self.context.view.transaction(&hash).await.ok()? {
            chain_view::TxStatus::Final(at) => {
                let message = format!("the transaction is in final block {} already", at.height);
                Some(ApiError::new(ErrorCode::Duplicate, message))
            }
            _ => None,
        }
    }

    /// What clients hear of a transaction that the chain knows; `None` where it does not.
    fn told(&self, hash: Digest, status: &chain_view::TxStatus) -> Option<TxStatus> {
        convert::tx_status(hash, status, self.context.identity.finality)
    }

    async fn look(&self, hash: Digest) -> Result<TxStatus, ApiError> {
        let Context { view, pool, .. } = self.context.as_ref();
        if let Some(status) = self.told(hash, &view.recent_transaction(&hash)) {
            return Ok(status);
        }
        // What waits in the pool is in no final block. It may move there until the next look.
        if pool.is_pending(&hash) {
            return Ok(TxStatus::outside(hash, TxState::Pending));
        }
        let found = view.transaction(&hash).await.map_err(|error| errors::store(&error))?;
        Ok(self.told(hash, &found).unwrap_or_else(|| TxStatus::outside(hash, TxState::Unknown)))
    }
}

fn decode(bytes: &HexBytes) -> Result<HashedTransaction, ApiError> {
    HashedTransaction::decode(&bytes.0).map_err(|error| errors::undecodable(&error))
}

#[async_trait]
impl TxApiServer for TxRpc {
    async fn submit(&self, transaction: HexBytes) -> RpcResult<Submitted> {
        let transaction = decode(&transaction)?;
        let hash = transaction.hash();
        let verdict = self.context.pool.submit(transaction).await;
        Ok(Submitted { hash: self.verdict(hash, verdict).await? })
    }

    async fn submit_batch(&self, transactions: Vec<HexBytes>) -> RpcResult<Vec<SubmitResult>> {
        let count = transactions.len();
        if count > MAX_SUBMIT_BATCH {
            let problem = format!("{count} transactions where at most {MAX_SUBMIT_BATCH} may come");
            return Err(errors::invalid(problem).into());
        }
        let mut good = Vec::with_capacity(count);
        let mut hashes: Vec<Result<Digest, ApiError>> = Vec::with_capacity(count);
        for bytes in transactions {
            hashes.push(decode(&bytes).map(|transaction| {
                let hash = transaction.hash();
                good.push(transaction);
                hash
            }));
        }
        let mut verdicts = self.context.pool.submit_many(good, Origin::Local).await.into_iter();
        let mut results = Vec::with_capacity(count);
        for hash in hashes {
            let result = match hash {
                Ok(hash) => {
                    let verdict = verdicts.next().unwrap_or(Err(SubmitError::Closed));
                    self.verdict(hash, verdict).await
                }
                Err(error) => Err(error),
            };
            results.push(result.into());
        }
        Ok(results)
    }

    async fn status(
        &self,
        hash: Digest,
        wait: Option<Wait>,
        timeout_ms: Option<u64>,
    ) -> RpcResult<TxStatus> {
        let Some(wait) = wait else {
            return Ok(self.look(hash).await?);
        };
        let timeout = timeout_ms.map_or(DEFAULT_WAIT, Duration::from_millis).min(MAX_WAIT);
        let Ok(_place) = self.waiters.try_acquire() else {
            return Err(errors::overloaded("too many calls wait for transactions already").into());
        };
        let status = match wait {
            Wait::Ordered => BlockStatus::Ordered,
            Wait::Final => BlockStatus::Final,
        };
        match tokio::time::timeout(timeout, self.context.view.wait(&hash, status)).await {
            Ok(Ok(found)) => {
                let unknown = || TxStatus::outside(hash, TxState::Unknown);
                Ok(self.told(hash, &found).unwrap_or_else(unknown))
            }
            Ok(Err(error)) => Err(errors::store(&error).into()),
            Err(_) => Ok(self.look(hash).await?),
        }
    }
}
