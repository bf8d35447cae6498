//! Namespace `proof`: facts with everything that an outsider needs to check them.

use chain::types::{Address, Digest, Epoch};
use jsonrpsee::core::RpcResult;
use jsonrpsee::proc_macros::rpc;
use serde::{Deserialize, Serialize};

use crate::bytes::HexBytes;

/// What is to be proven, like `{"account": "cat1…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// That a transaction is final, with its receipt; by its hash.
    Transaction(Digest),
    /// What an account owns after the last final block.
    Account(Address),
    /// What a key of the key-value store holds after the last final block.
    Key(HexBytes),
    /// Who validates an epoch.
    Validators(Epoch),
    /// Any record of the state after the last final block, by the canonical encoding of its key.
    Record(HexBytes),
    /// That a validator equivocated; by the hash of the evidence.
    Evidence(Digest),
}

/// Answer of `proof_get`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofFile {
    /// The text of the proof file, byte for byte.
    pub file: String,
}

#[rpc(server, client, namespace = "proof")]
pub trait ProofApi {
    /// A self-contained proof, to be checked with nothing but the genesis file. What is about a key
    /// that is not open to everybody needs `auth`, as the reads of namespace `kv` do.
    #[method(name = "get")]
    async fn get(&self, subject: Subject, auth: Option<HexBytes>) -> RpcResult<ProofFile>;
}
