//! Namespace `tx`: handing transactions in and following them.

use chain::types::Digest;
use jsonrpsee::core::RpcResult;
use jsonrpsee::proc_macros::rpc;
use serde::{Deserialize, Serialize};

use crate::bytes::HexBytes;
use crate::error::ApiError;
use crate::transaction::TxStatus;

/// Answer of `tx_submit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    pub hash: Digest,
}

/// What became of one transaction of `tx_submit_batch`: a hash or an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SubmitResult {
    Accepted { hash: Digest },
    Refused { error: ApiError },
}

impl From<Result<Digest, ApiError>> for SubmitResult {
    fn from(result: Result<Digest, ApiError>) -> Self {
        match result {
            Ok(hash) => Self::Accepted { hash },
            Err(error) => Self::Refused { error },
        }
    }
}

/// What `tx_status` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// `ordered`, `final` or `failed`.
    Ordered,
    /// `final` or `failed`.
    Final,
}

#[rpc(server, client, namespace = "tx")]
pub trait TxApi {
    /// Takes the canonical encoding of a signed transaction. It is checked in full and pending
    /// when this returns. Handing in the same bytes again is safe.
    #[method(name = "submit")]
    async fn submit(&self, transaction: HexBytes) -> RpcResult<Submitted>;

    /// Takes several, at most [`MAX_SUBMIT_BATCH`](crate::limits::MAX_SUBMIT_BATCH); one result
    /// each, in order. Cheaper than as many calls: signatures are verified together.
    #[method(name = "submit_batch")]
    async fn submit_batch(&self, transactions: Vec<HexBytes>) -> RpcResult<Vec<SubmitResult>>;

    /// The fate of a transaction. With `wait` the answer comes as soon as that much is known, at
    /// the latest after `timeout_ms`
    /// ([`DEFAULT_WAIT`](crate::limits::DEFAULT_WAIT), at most
    /// [`MAX_WAIT`](crate::limits::MAX_WAIT)), and is then whatever holds.
    #[method(name = "status")]
    async fn status(
        &self,
        hash: Digest,
        wait: Option<Wait>,
        timeout_ms: Option<u64>,
    ) -> RpcResult<TxStatus>;
}
