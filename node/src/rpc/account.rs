//! Namespace `account`: the state after the last final block.

use std::sync::Arc;

use chain::access::Role;
use chain::types::Address;
use jsonrpsee::core::{RpcResult, async_trait};
use node_api::account::{Account, AccountApiServer};

use super::Context;

pub(super) struct AccountRpc(pub(super) Arc<Context>);

#[async_trait]
impl AccountApiServer for AccountRpc {
    async fn get(&self, address: Address) -> RpcResult<Account> {
        let head = self.0.view.head();
        let account = head.state.account(&address);
        let roles = head.state.roles(&address);
        Ok(Account {
            address,
            balance: account.balance,
            nonce: account.nonce,
            // The pool may not have followed the chain yet.
            next_nonce: self.0.pool.next_nonce(&address).max(account.nonce),
            key: account.key,
            roles: Role::ALL.into_iter().filter(|role| roles.has(*role)).collect(),
            height: head.height,
        })
    }
}
