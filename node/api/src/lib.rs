//! The JSON-RPC interface of a node: one trait and its types per namespace.
//!
//! Server and clients come from the same traits: a node implements `…ApiServer`, a program that
//! talks to one imports `…ApiClient`. Nothing here knows how a node works inside.
//!
//! Conventions of the JSON form: amounts are decimal strings, digests, keys and bytes are
//! lower-case hexadecimal, addresses start with `cat1`, times end in `_ms`, heights, views and
//! epochs are numbers.

pub mod account;
pub mod block;
pub mod bytes;
pub mod chain;
pub mod consensus;
pub mod discover;
pub mod error;
pub mod governance;
pub mod kv;
pub mod limits;
pub mod openrpc;
pub mod proof;
pub mod transaction;
pub mod tx;

pub use account::{AccountApiClient, AccountApiServer};
pub use bytes::HexBytes;
pub use chain::{ChainApiClient, ChainApiServer};
pub use consensus::{ConsensusApiClient, ConsensusApiServer};
pub use discover::{RpcApiClient, RpcApiServer};
pub use error::{ApiError, ErrorCode};
pub use governance::{GovernanceApiClient, GovernanceApiServer};
pub use kv::{KvApiClient, KvApiServer};
pub use proof::{ProofApiClient, ProofApiServer};
pub use tx::{TxApiClient, TxApiServer};
