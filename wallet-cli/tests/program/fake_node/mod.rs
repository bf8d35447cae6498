//! A server of the node's interface with a ledger in a map and blocks of one transaction.

mod api;
mod governance;
mod kv;
mod ledger;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use chain::crypto::{Keypair, PublicKey};
use chain::state::Entry;
use chain::transaction::SignedTransaction;
use chain::types::{Address, Digest};
use jsonrpsee::server::{Server, ServerHandle};

use self::api::Api;
use self::ledger::Ledger;

pub(crate) const CHAIN: Digest = Digest([0xcc; 32]);

/// What happens to transactions that are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Final at once.
    #[default]
    Final,
    /// Ordered at once, never final.
    Ordered,
    /// Never in a block.
    Pending,
    /// In a final block, refused by execution.
    Failed,
    /// Forgotten, and the chain runs past its expiry.
    Expired,
}

/// A running server; stops when it is dropped.
pub(crate) struct FakeNode {
    pub(crate) url: String,
    pub(crate) port: u16,
    ledger: Arc<Mutex<Ledger>>,
    server: ServerHandle,
    _runtime: tokio::runtime::Runtime,
}

impl FakeNode {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let ledger = Arc::new(Mutex::new(Ledger { height: 10, ..Ledger::default() }));
        let api = Api(ledger.clone());
        let (address, server) = runtime.block_on(async {
            let server = Server::builder()
                .build(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
                .await
                .expect("a port");
            (server.local_addr().expect("an address"), server.start(api.methods()))
        });
        Self {
            url: format!("http://{address}"),
            port: address.port(),
            ledger,
            server,
            _runtime: runtime,
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no panic in the server")
    }

    /// Gives the development account of `seed` an amount, and says its address.
    pub(crate) fn fund(&self, seed: u8, amount: u128) -> Address {
        let address = address(seed);
        self.ledger().balances.insert(address, amount);
        address
    }

    pub(crate) fn set_fate(&self, fate: Fate) {
        self.ledger().fate = fate;
    }

    pub(crate) fn stop_after_watch(&self) {
        self.ledger().stop_after_watch = Some(self.server.clone());
    }

    pub(crate) fn put(&self, key: &str, value: &[u8]) {
        let entry = Entry { value: value.to_vec(), version: 1 };
        self.ledger().store.insert(key.into(), entry);
    }

    pub(crate) fn balance(&self, address: Address) -> u128 {
        self.ledger().balances.get(&address).copied().unwrap_or(0)
    }

    /// The key that signs for an account, where it is not the account's own.
    pub(crate) fn key_of(&self, address: Address) -> Option<PublicKey> {
        self.ledger().keys.get(&address).copied()
    }

    /// Transactions that were handed in and well formed.
    pub(crate) fn submitted(&self) -> Vec<SignedTransaction> {
        self.ledger().submitted.clone()
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        let _ = self.server.stop();
    }
}

/// Seed of all keys of the fake validator with this index.
pub(crate) const fn validator(index: u8) -> u8 {
    200 + index
}

pub(crate) fn address(seed: u8) -> Address {
    Keypair::from_seed(&[seed; 32]).public().address()
}
