//! Namespace `account`.

use chain::access::Role;
use chain::crypto::PublicKey;
use chain::types::{Address, Amount, Height};
use jsonrpsee::core::RpcResult;
use jsonrpsee::proc_macros::rpc;
use serde::{Deserialize, Serialize};

/// Answer of `account_get`. An address that nobody used has a zero balance and nonce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub address: Address,
    /// After the last final block.
    pub balance: Amount,
    /// Number of its transactions in final blocks.
    pub nonce: u64,
    /// The nonce for its next transaction, those pending here counted.
    pub next_nonce: u64,
    /// The key that signs for the account; `null`: the one that its address is made from.
    pub key: Option<PublicKey>,
    /// What governance granted to the address. Validators may do all of it by nature.
    pub roles: Vec<Role>,
    /// The final block that this is the state after.
    pub height: Height,
}

#[rpc(server, client, namespace = "account")]
pub trait AccountApi {
    /// Balance, nonce, key and roles of an address.
    #[method(name = "get")]
    async fn get(&self, address: Address) -> RpcResult<Account>;
}
