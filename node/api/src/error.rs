//! Every error of the interface: a JSON-RPC code, a stable name in `data.code`, a sentence.

use std::fmt;

use jsonrpsee::core::client::Error as ClientError;
use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee::types::error::{INTERNAL_ERROR_CODE, INVALID_PARAMS_CODE};
use serde::{Deserialize, Serialize};

/// The node refused a transaction.
pub const REFUSED: i32 = -32050;
/// What was asked for does not exist here.
pub const NOT_FOUND: i32 = -32051;
/// The node has no room now; trying again later makes sense.
pub const OVERLOADED: i32 = -32052;
/// The node is stopping or not able to answer.
pub const UNAVAILABLE: i32 = -32053;

/// The caller may not have what it asks for.
pub const FORBIDDEN: i32 = -32054;

/// What went wrong, as programs tell it apart. The text form is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A parameter is not what it should be.
    InvalidParams,
    /// No such block, epoch or transaction here.
    NotFound,
    /// The node deleted it, or never had it: its chain begins higher up.
    Pruned,
    /// The bytes are not the encoding of a transaction.
    Malformed,
    /// The transaction was made for another chain.
    OtherChain,
    /// A field of the transaction is too long or empty.
    TooLarge,
    /// The signature does not match.
    BadSignature,
    /// The signing key is not the one that signs for the account now.
    WrongKey,
    /// The chain is for members, and the sender is none.
    NotAMember,
    /// The nonce was used before: the transaction is a replay or was overtaken.
    BadNonce,
    /// The nonce is too far above the next one.
    NonceGap,
    /// The sender owns less than the transaction spends.
    InsufficientBalance,
    /// The expiry height is over.
    Expired,
    /// The expiry height is further ahead than a node lets a transaction wait.
    ExpiryTooFar,
    /// Known already: pending, or in a block.
    Duplicate,
    /// This sender has too many transactions pending.
    SenderLimit,
    /// The pool is full.
    Overloaded,
    /// The node is stopping.
    Unavailable,
    /// The rules of the chain do not let the caller read this.
    Forbidden,
    /// A fault of the node.
    Internal,
}

impl ErrorCode {
    /// Every code, for documentation and tests.
    pub const ALL: [Self; 20] = [
        Self::InvalidParams,
        Self::NotFound,
        Self::Pruned,
        Self::Malformed,
        Self::OtherChain,
        Self::TooLarge,
        Self::BadSignature,
        Self::WrongKey,
        Self::NotAMember,
        Self::BadNonce,
        Self::NonceGap,
        Self::InsufficientBalance,
        Self::Expired,
        Self::ExpiryTooFar,
        Self::Duplicate,
        Self::SenderLimit,
        Self::Overloaded,
        Self::Unavailable,
        Self::Forbidden,
        Self::Internal,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidParams => "invalid_params",
            Self::NotFound => "not_found",
            Self::Pruned => "pruned",
            Self::Malformed => "malformed",
            Self::OtherChain => "other_chain",
            Self::TooLarge => "too_large",
            Self::BadSignature => "bad_signature",
            Self::WrongKey => "wrong_key",
            Self::NotAMember => "not_a_member",
            Self::BadNonce => "bad_nonce",
            Self::NonceGap => "nonce_gap",
            Self::InsufficientBalance => "insufficient_balance",
            Self::Expired => "expired",
            Self::ExpiryTooFar => "expiry_too_far",
            Self::Duplicate => "duplicate",
            Self::SenderLimit => "sender_limit",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Forbidden => "forbidden",
            Self::Internal => "internal",
        }
    }

    /// The number in the JSON-RPC error object.
    pub const fn json_rpc(self) -> i32 {
        match self {
            Self::InvalidParams => INVALID_PARAMS_CODE,
            Self::NotFound | Self::Pruned => NOT_FOUND,
            Self::Malformed
            | Self::OtherChain
            | Self::TooLarge
            | Self::BadSignature
            | Self::WrongKey
            | Self::NotAMember
            | Self::BadNonce
            | Self::NonceGap
            | Self::InsufficientBalance
            | Self::Expired
            | Self::ExpiryTooFar
            | Self::Duplicate => REFUSED,
            Self::SenderLimit | Self::Overloaded => OVERLOADED,
            Self::Unavailable => UNAVAILABLE,
            Self::Forbidden => FORBIDDEN,
            Self::Internal => INTERNAL_ERROR_CODE,
        }
    }

    /// Whether the same call may succeed a little later.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::SenderLimit | Self::Overloaded | Self::Unavailable)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error of the interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    pub code: ErrorCode,
    /// One sentence for a person.
    pub message: String,
}

/// The `data` of an error object.
#[derive(Serialize, Deserialize)]
struct Data {
    code: ErrorCode,
}

impl ApiError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The error that a node answered with; `None` where the call failed otherwise (nobody
    /// listens, time ran out, an error of JSON-RPC itself).
    pub fn from_client(error: &ClientError) -> Option<Self> {
        let ClientError::Call(object) = error else {
            return None;
        };
        let data: Data = serde_json::from_str(object.data()?.get()).ok()?;
        Some(Self::new(data.code, object.message()))
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

impl From<ApiError> for ErrorObjectOwned {
    fn from(error: ApiError) -> Self {
        let data = Data { code: error.code };
        Self::owned(error.code.json_rpc(), error.message, Some(data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_serde_writes_and_distinct() {
        let mut names = std::collections::BTreeSet::new();
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{code}\""));
            assert!(names.insert(code.name()), "{code} twice");
        }
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn a_client_gets_back_what_the_node_said() {
        for code in ErrorCode::ALL {
            let error = ApiError::new(code, "the nonce 4 was used before");
            let object: ErrorObjectOwned = error.clone().into();
            assert_eq!(object.code(), code.json_rpc());
            assert_eq!(ApiError::from_client(&ClientError::Call(object)), Some(error));
        }
    }

    #[test]
    fn errors_of_json_rpc_itself_are_not_ours() {
        let object = ErrorObjectOwned::owned(-32601, "Method not found", None::<()>);
        assert_eq!(ApiError::from_client(&ClientError::Call(object)), None);
        assert_eq!(ApiError::from_client(&ClientError::RequestTimeout), None);
    }
}
