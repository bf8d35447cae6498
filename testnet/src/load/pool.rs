//! Transactions signed ahead of time.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context, bail};
use chain::codec;
use chain::crypto::Keypair;
use chain::transaction::SignedTransaction;
use chain::types::{Address, Digest, Height};
use node_api::{AccountApiClient, ChainApiClient};
use rayon::prelude::*;

use super::mixed;
use crate::cli::PayloadKind;
use crate::cluster::Cluster;
use crate::rpc;
use crate::transfer::{LIFETIME, Slot};

/// How many are signed at once where more are needed than were made ahead.
const CHUNK: usize = 1024;

/// A signed transaction in the form in which it is handed in.
#[derive(Clone, Debug)]
pub struct Ready {
    pub hash: Digest,
    pub bytes: Vec<u8>,
}

/// Transactions of many senders in turn: number `k` comes from sender `k mod senders`.
#[derive(Debug)]
pub struct Pool {
    senders: Vec<Sender>,
    addresses: Vec<Address>,
    chain_id: Digest,
    payload: PayloadKind,
    expiry: Height,
    ready: Vec<Ready>,
    by_hash: HashMap<Digest, usize>,
}

#[derive(Debug)]
struct Sender {
    key: Keypair,
    /// Of its first transaction here.
    nonce: u64,
}

impl Pool {
    /// Asks the network for the nonces of the first accounts.
    ///
    /// # Errors
    /// Where the testnet has too few accounts or does not answer.
    pub async fn open(
        cluster: &Cluster,
        senders: usize,
        payload: PayloadKind,
    ) -> anyhow::Result<Self> {
        Self::of(cluster, 0..senders as u32, payload).await
    }

    /// The same for any accounts, by their numbers.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn of(
        cluster: &Cluster,
        senders: Range<u32>,
        payload: PayloadKind,
    ) -> anyhow::Result<Self> {
        let accounts = cluster.accounts()?;
        // The last account is the testnet's own.
        let most = accounts.count.saturating_sub(1);
        if senders.end > most {
            bail!(
                "{} senders, but this testnet has {most} accounts: give --senders {most}, \
                 or `testnet up --accounts` more",
                senders.end
            );
        }
        let keys: Vec<Keypair> = senders
            .clone()
            .into_par_iter()
            .map(|index| genesis::accounts::derive(&accounts.dev_seed, index))
            .collect();
        let nodes = cluster.manifest()?.nodes;
        let node = nodes
            .iter()
            .find(|node| node.is_alive())
            .context("no validator runs: start the testnet with `testnet up`")?;
        let client = rpc::websocket(node).await?;
        let status = ChainApiClient::status(&client).await?;
        let mut open = Vec::with_capacity(senders.len());
        for keys in keys.chunks(256) {
            let asked = keys.iter().map(|key| client.get(key.public().address()));
            open.extend(futures::future::try_join_all(asked).await?);
        }
        let addresses = keys.iter().map(|key| key.public().address()).collect();
        let senders = keys
            .into_iter()
            .zip(open)
            .map(|(key, account)| Sender { key, nonce: account.next_nonce })
            .collect();
        Ok(Self {
            addresses,
            senders,
            chain_id: status.chain_id,
            payload,
            expiry: Height::new(status.height_final.get() + LIFETIME),
            ready: Vec::new(),
            by_hash: HashMap::new(),
        })
    }

    /// The chain is so high now: what is signed from now on lives from there.
    pub fn renew(&mut self, height: Height) {
        self.expiry = Height::new(height.get() + LIFETIME);
    }

    /// Signs ahead until there are `count`.
    pub fn fill(&mut self, count: usize) {
        let made = self.ready.len();
        let new: Vec<Ready> =
            (made..count.max(made)).into_par_iter().map(|number| self.make(number)).collect();
        self.by_hash.extend(new.iter().enumerate().map(|(k, ready)| (ready.hash, made + k)));
        self.ready.extend(new);
    }

    fn make(&self, number: usize) -> Ready {
        let transaction = self.sign(number);
        Ready { hash: transaction.hash(), bytes: codec::encode(&transaction) }
    }

    fn sign(&self, number: usize) -> SignedTransaction {
        let count = self.senders.len();
        let sender = &self.senders[number % count];
        let nonce = sender.nonce + (number / count) as u64;
        let slot = Slot { chain_id: self.chain_id, nonce, expiry: self.expiry };
        match self.payload {
            PayloadKind::Transfer => {
                let to = self.senders[(number + 1) % count].key.public().address();
                slot.load_transfer(&sender.key, to)
            }
            PayloadKind::Put => slot.load_put(&sender.key),
            PayloadKind::Mixed => {
                let body = mixed::body(number as u64, &sender.key, &self.addresses);
                slot.sign(&sender.key, body)
            }
        }
    }

    pub fn senders(&self) -> usize {
        self.senders.len()
    }

    /// Transaction number `number`, signed now if it was not ahead of time.
    pub fn get(&mut self, number: usize) -> &Ready {
        if number >= self.ready.len() {
            self.fill(number + CHUNK);
        }
        &self.ready[number]
    }

    /// Transaction number `number` is not handed in any more.
    pub fn release(&mut self, number: usize) {
        self.ready[number].bytes = Vec::new();
    }

    /// The number of the transaction with this hash.
    pub fn number(&self, hash: &Digest) -> Option<usize> {
        self.by_hash.get(hash).copied()
    }
}
