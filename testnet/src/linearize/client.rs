//! One client: reads, writes and compares-and-swaps a few keys through changing nodes.
//!
//! A client that does not learn the outcome of a write cannot know its next nonce. It goes on as
//! somebody else, with a new account, through another node.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chain::codec;
use chain::crypto::Keypair;
use chain::transaction::{Body, Expected};
use chain::types::{Address, Digest, Height};
use consensus::engine::Time;
use consensus_sim::linearizability::{Call, CasAccess};
use jsonrpsee::ws_client::WsClient;
use node_api::kv::ReadLevel;
use node_api::transaction::{TxState, TxStatus};
use node_api::tx::Wait;
use node_api::{ApiError, ChainApiClient, HexBytes, KvApiClient, TxApiClient};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::timeout;

use super::history::Entry;
use crate::cluster::manifest::NodeEntry;
use crate::rpc;
use crate::transfer::{LIFETIME, Slot};

/// How long a client waits for the outcome of a call.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long it waits for a connection.
const CONNECT: Duration = Duration::from_millis(500);
/// How long it rests where a node cannot be reached or refuses.
const REST: Duration = Duration::from_millis(20);

/// What all clients of a history share.
#[derive(Debug)]
pub(super) struct Setting {
    pub nodes: Vec<NodeEntry>,
    pub chain_id: Digest,
    /// No other history has these.
    pub keys: Vec<Vec<u8>>,
    pub reads: ReadLevel,
    /// Decides what clients do, and their accounts.
    pub seed: u64,
    pub clients: usize,
    pub started: Instant,
    /// Calls that are still to be made.
    pub left: AtomicUsize,
}

impl Setting {
    fn now(&self) -> Time {
        let nanos = self.started.elapsed().as_nanos();
        Time::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Takes one of the calls that are to be made.
    fn take(&self) -> bool {
        let take = |left: usize| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// A call that was refused, or a read without an answer, says nothing: it does not count.
    fn give_back(&self) {
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}

/// What became of a write.
enum Fate {
    /// It is final, with this receipt.
    Settled(TxStatus),
    /// A node said that it does not take it.
    Refused,
    Unknown,
}

pub(super) struct Client {
    setting: Arc<Setting>,
    number: usize,
    random: ChaCha8Rng,
    node: usize,
    connection: Option<Arc<WsClient>>,
    key: Keypair,
    nonce: u64,
    /// The highest final block it heard of.
    height: Height,
    /// Values made so far: no two writes of a history write the same.
    made: u64,
    /// What it last saw of each key.
    seen: Vec<Option<u64>>,
    entries: Vec<Entry>,
    /// Of the accounts that it gave up.
    written: Vec<Written>,
}

/// What a client knows of the writes of one account.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub account: Address,
    /// How many it was told are final.
    pub known: u64,
    /// Whether one more may be.
    pub unknown: bool,
    /// The highest final block that the client had heard of.
    pub height: Height,
}

impl Client {
    pub(super) fn new(setting: Arc<Setting>, number: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(setting.seed);
        random.set_stream(number as u64);
        Self {
            number,
            key: new_account(&mut random),
            random,
            node: number % setting.nodes.len(),
            connection: None,
            nonce: 0,
            height: Height::default(),
            made: 0,
            seen: vec![None; setting.keys.len()],
            entries: Vec::new(),
            written: Vec::new(),
            setting,
        }
    }

    /// Makes calls until enough were made, and tells what it saw.
    pub(super) async fn run(mut self) -> (Vec<Entry>, Vec<Written>) {
        while self.setting.take() {
            if self.random.random_ratio(1, 20) {
                self.leave();
            }
            let connection = self.connect().await;
            let key = self.random.random_range(0..self.setting.keys.len());
            let recorded = self.entries.len();
            match self.random.random_range(0..4) {
                0 | 1 => self.read(&connection, key).await,
                2 => self.write(&connection, key).await,
                _ => self.compare_and_swap(&connection, key).await,
            }
            if self.entries.len() == recorded {
                self.setting.give_back();
            }
        }
        self.note_account(false);
        (self.entries, self.written)
    }

    fn note_account(&mut self, unknown: bool) {
        let (account, known) = (self.key.public().address(), self.nonce);
        self.written.push(Written { account, known, unknown, height: self.height });
    }

    /// Goes on through another node.
    fn leave(&mut self) {
        self.connection = None;
        let others = self.setting.nodes.len() - 1;
        let step = 1 + self.random.random_range(0..others.max(1));
        self.node = (self.node + step) % self.setting.nodes.len();
    }

    async fn connect(&mut self) -> Arc<WsClient> {
        loop {
            if let Some(connection) = &self.connection {
                return Arc::clone(connection);
            }
            let attempt = async {
                let connection = rpc::websocket(&self.setting.nodes[self.node]).await?;
                let status = ChainApiClient::status(&connection).await?;
                anyhow::Ok((connection, status.height_final))
            };
            if let Ok(Ok((connection, height))) = timeout(CONNECT, attempt).await {
                self.height = self.height.max(height);
                self.connection = Some(Arc::new(connection));
            } else {
                self.leave();
                tokio::time::sleep(REST).await;
            }
        }
    }

    async fn read(&mut self, connection: &WsClient, key: usize) {
        let asked = self.setting.now();
        let bytes = HexBytes(self.setting.keys[key].clone());
        let level = self.setting.reads;
        match timeout(PATIENCE, KvApiClient::get(connection, bytes, Some(level), None)).await {
            Ok(Ok(found)) => {
                let value = found.value.map(|bytes| number(&bytes.0));
                self.seen[key] = value;
                self.record(key, CasAccess::Read(value), asked, true);
            }
            // A read that nobody saw the answer of says nothing.
            Ok(Err(_)) | Err(_) => self.leave(),
        }
    }

    async fn write(&mut self, connection: &WsClient, key: usize) {
        let value = self.new_value();
        let asked = self.setting.now();
        let body = Body::Put { key: self.setting.keys[key].clone(), value: bytes(value) };
        let known = match self.submit(connection, body).await {
            Fate::Settled(_) => true,
            Fate::Unknown => false,
            Fate::Refused => return,
        };
        self.seen[key] = Some(value);
        self.record(key, CasAccess::Write(value), asked, known);
    }

    async fn compare_and_swap(&mut self, connection: &WsClient, key: usize) {
        let (expected, value) = (self.seen[key], self.new_value());
        let asked = self.setting.now();
        let body = Body::CompareAndSwap {
            key: self.setting.keys[key].clone(),
            expected: expected.map_or(Expected::Absent, |value| Expected::Value(bytes(value))),
            value: bytes(value),
        };
        let swapped = CasAccess::Swapped { expected, value };
        match self.submit(connection, body).await {
            Fate::Settled(status) if status.status == TxState::Final => {
                self.seen[key] = Some(value);
                self.record(key, swapped, asked, true);
            }
            Fate::Settled(_) => self.record(key, CasAccess::Mismatch { expected }, asked, true),
            Fate::Unknown => self.record(key, swapped, asked, false),
            Fate::Refused => {}
        }
    }

    fn record(&mut self, key: usize, operation: CasAccess, asked: Time, known: bool) {
        let answered = known.then(|| self.setting.now());
        let call = Call { operation, asked, answered };
        self.entries.push(Entry { key, client: self.number, node: self.node, call });
    }

    /// Hands a transaction in and waits until it is final.
    async fn submit(&mut self, connection: &WsClient, body: Body) -> Fate {
        let expiry = Height::new(self.height.get() + LIFETIME);
        let slot = Slot { chain_id: self.setting.chain_id, nonce: self.nonce, expiry };
        let encoded = codec::encode(&slot.sign(&self.key, body));
        let fate = timeout(PATIENCE, settle(connection, encoded)).await.unwrap_or(Fate::Unknown);
        match &fate {
            Fate::Settled(status) => {
                self.nonce += 1;
                self.height = self.height.max(status.height.unwrap_or_default());
            }
            Fate::Refused => tokio::time::sleep(REST).await,
            Fate::Unknown => {
                self.note_account(true);
                self.key = new_account(&mut self.random);
                self.nonce = 0;
            }
        }
        if !matches!(fate, Fate::Settled(_)) {
            self.leave();
        }
        fate
    }

    fn new_value(&mut self) -> u64 {
        self.made += 1;
        self.made * self.setting.clients as u64 + self.number as u64
    }
}

async fn settle(connection: &WsClient, transaction: Vec<u8>) -> Fate {
    let submitted = match TxApiClient::submit(connection, HexBytes(transaction)).await {
        Ok(submitted) => submitted,
        Err(error) if ApiError::from_client(&error).is_some() => return Fate::Refused,
        Err(_) => return Fate::Unknown,
    };
    let patience = u64::try_from(PATIENCE.as_millis()).ok();
    let status = TxApiClient::status(connection, submitted.hash, Some(Wait::Final), patience).await;
    match status {
        Ok(status) if status.status.is_settled() => Fate::Settled(status),
        Ok(_) | Err(_) => Fate::Unknown,
    }
}

/// Accounts need no funds to write: nothing on this chain costs any.
fn new_account(random: &mut ChaCha8Rng) -> Keypair {
    Keypair::from_seed(&random.random())
}

fn bytes(value: u64) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

/// The number in a value; whatever no client wrote is a number that none has.
fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(u64::MAX, u64::from_be_bytes)
}
