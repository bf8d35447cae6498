//! Every error of the node as clients see it.

use chain::codec::CodecError;
use chain::mempool::RejectReason;
use chain::transaction::MalformedTransaction;
use node_api::{ApiError, ErrorCode};

use crate::consensus_host::ReadError;
use crate::pool::SubmitError;
use crate::storage::StoreError;

pub(super) fn not_found(what: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::NotFound, what)
}

pub(super) fn invalid(problem: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidParams, problem)
}

pub(super) fn overloaded(problem: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::Overloaded, problem)
}

/// The store failed under a reader. Details are for the log: they are about this machine. What is
/// pruned is no failure.
pub(super) fn store(error: &StoreError) -> ApiError {
    if matches!(error, StoreError::Pruned { .. }) {
        return ApiError::new(ErrorCode::Pruned, error.to_string());
    }
    tracing::error!(%error, "reading the store for a client failed");
    ApiError::new(ErrorCode::Internal, "the node cannot read its store; its log says why")
}

/// A task of the node panicked.
pub(super) fn panicked(_: tokio::task::JoinError) -> ApiError {
    ApiError::new(ErrorCode::Internal, "a fault of the node; its log says more")
}

pub(super) fn undecodable(error: &CodecError) -> ApiError {
    let code = match error {
        CodecError::TooLarge { .. } => ErrorCode::TooLarge,
        CodecError::Trailing { .. } | CodecError::Malformed(_) => ErrorCode::Malformed,
    };
    ApiError::new(code, format!("not the encoding of a signed transaction: {error}"))
}

pub(super) fn submit(error: &SubmitError) -> ApiError {
    let code = match error {
        SubmitError::Refused(reason) => refused(reason),
        SubmitError::Overloaded => ErrorCode::Overloaded,
        SubmitError::Closed => ErrorCode::Unavailable,
    };
    ApiError::new(code, error.to_string())
}

pub(super) fn read(error: &ReadError) -> ApiError {
    let code = match error {
        ReadError::Overloaded => ErrorCode::Overloaded,
        ReadError::NotAValidator | ReadError::Unconfirmed(_) | ReadError::Stopping => {
            ErrorCode::Unavailable
        }
    };
    ApiError::new(code, error.to_string())
}

const fn refused(reason: &RejectReason) -> ErrorCode {
    match reason {
        RejectReason::Malformed(malformed) => match malformed {
            MalformedTransaction::OtherChain(_) => ErrorCode::OtherChain,
            MalformedTransaction::TooLong { .. } => ErrorCode::TooLarge,
            MalformedTransaction::EmptyKey
            | MalformedTransaction::RedundantAccount
            | MalformedTransaction::NamespaceName
            | MalformedTransaction::TooManyAccounts(_) => ErrorCode::Malformed,
            MalformedTransaction::BadSignature => ErrorCode::BadSignature,
        },
        RejectReason::Expired { .. } => ErrorCode::Expired,
        RejectReason::ExpiryTooFar { .. } => ErrorCode::ExpiryTooFar,
        RejectReason::Duplicate => ErrorCode::Duplicate,
        RejectReason::NonceUsed { .. } | RejectReason::NonceWaiting { .. } => ErrorCode::BadNonce,
        RejectReason::NonceGap { .. } => ErrorCode::NonceGap,
        RejectReason::WrongKey => ErrorCode::WrongKey,
        RejectReason::NotAMember => ErrorCode::NotAMember,
        RejectReason::InsufficientBalance { .. } => ErrorCode::InsufficientBalance,
        RejectReason::SenderFull { .. } => ErrorCode::SenderLimit,
        RejectReason::PoolFull => ErrorCode::Overloaded,
    }
}
