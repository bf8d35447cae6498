//! Validators in one thread with next to nothing between them: what engines cost, not what they
//! survive.
//!
//! A round takes a microsecond and nothing times out once there is a leader, disks are memory,
//! transactions are opaque bytes that nobody checks. The drivers and engines are those of
//! production. In a *round* every validator that has something to do takes one turn over what was
//! sent in the round before.

mod opaque;

use std::ops::Range;
use std::time::Duration;

use chain::codec;
use chain::crypto::{Domain, Hasher, PublicKey, Signature};
use chain::transaction::{Body, Payload, SignedTransaction, Transaction};
use chain::types::{Digest, Height, ValidatorIndex};
use chain::validator::ValidatorSet;
use consensus::driver::{Driver, Incoming, Outbox};
use consensus::engine::{Engine, FaultModel, Recipients, Recovered, Role, Time};

use crate::genesis::Genesis;
use crate::plan::EngineOptions;
use crate::scenarios;
use crate::signatures::{SignatureCounts, SignatureRule};
use opaque::{Memory, Opaque};

const SEED: u64 = 1;
const ROUND: Duration = Duration::from_micros(1);
/// A network without faults has a leader within so many timeouts.
const ELECTION_TIMEOUTS: usize = 100;
/// Rounds after which a network that still talks talks for ever.
const MAX_ROUNDS: usize = 10_000;

/// How a message gets from one validator to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carriage {
    /// As it is: blocks stay shared, with what was computed of them once.
    Shared,
    /// Encoded once by its sender and decoded by each receiver, as between machines.
    Encoded,
}

/// What network to make.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub validators: usize,
    pub signatures: SignatureRule,
    pub options: EngineOptions,
    pub carriage: Carriage,
    /// Most transactions in one block.
    pub block_transactions: usize,
}

impl Setup {
    /// Real signatures, messages as between machines, and blocks that are made as soon as anything
    /// waits.
    pub fn new(validators: usize, options: EngineOptions, block_transactions: usize) -> Self {
        const HOUR: Duration = Duration::from_secs(3_600);
        let options = EngineOptions {
            timeout_min: HOUR * 10,
            timeout_max: HOUR * 80,
            heartbeat: HOUR,
            block_interval: ROUND,
            batch: 1,
            ..options
        };
        Self {
            validators,
            signatures: SignatureRule::Ed25519,
            options,
            carriage: Carriage::Encoded,
            block_transactions,
        }
    }
}

/// What all validators together did since the start. Bytes are counted where messages are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Costs {
    /// Final at the leader.
    pub blocks: u64,
    /// In those.
    pub transactions: u64,
    pub messages: u64,
    pub bytes: u64,
    pub signed: u64,
    pub checked: u64,
    /// Synced writes.
    pub syncs: u64,
}

impl std::ops::Sub for Costs {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            blocks: self.blocks - earlier.blocks,
            transactions: self.transactions - earlier.transactions,
            messages: self.messages - earlier.messages,
            bytes: self.bytes - earlier.bytes,
            signed: self.signed - earlier.signed,
            checked: self.checked - earlier.checked,
            syncs: self.syncs - earlier.syncs,
        }
    }
}

type NodeDriver<E> = Driver<E, Opaque, Memory>;

/// The validators.
pub struct Direct<E: Engine> {
    drivers: Vec<NodeDriver<E>>,
    inboxes: Vec<Vec<Incoming<E::Message>>>,
    sent: Sent<E::Message>,
    chain_id: Digest,
    carriage: Carriage,
    now: Time,
    leader: usize,
    /// Transactions came since the last round.
    woken: bool,
    signatures: SignatureCounts,
    messages: u64,
    bytes: u64,
}

impl<E: Engine> std::fmt::Debug for Direct<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Direct").field("leader", &self.leader).finish_non_exhaustive()
    }
}

/// What one turn sends.
struct Sent<M>(Vec<(Recipients, M)>);

impl<M: Clone> Outbox<M> for Sent<M> {
    fn send(&mut self, to: Recipients, message: &M) {
        self.0.push((to, message.clone()));
    }

    fn seat(&mut self, _sets: &[ValidatorSet]) {}
}

impl<E: Engine> Direct<E> {
    /// Starts the validators and lets them find a leader.
    pub fn new(setup: Setup) -> Self {
        let calm = scenarios::calm(SEED, setup.validators);
        let max_faulty = match E::FAULT_MODEL {
            FaultModel::Crash => 0,
            FaultModel::Byzantine => calm.max_faulty,
        };
        let set = Genesis::validators(setup.signatures, SEED, setup.validators, max_faulty);
        let chain_id = Hasher::new(Domain::Genesis).value(&(SEED, &set)).finish();
        let mut direct = Self {
            drivers: Vec::new(),
            inboxes: (0..setup.validators).map(|_| Vec::new()).collect(),
            sent: Sent(Vec::new()),
            chain_id,
            carriage: setup.carriage,
            now: Time::default(),
            leader: 0,
            woken: false,
            signatures: SignatureCounts::default(),
            messages: 0,
            bytes: 0,
        };
        for node in 0..setup.validators {
            let driver = direct.start(&setup, &set, node);
            direct.drivers.push(driver);
            direct.deliver(node);
        }
        direct.elect();
        direct
    }

    fn start(&mut self, setup: &Setup, set: &ValidatorSet, node: usize) -> NodeDriver<E> {
        let signer = self.signatures.signer(Genesis::signer(setup.signatures, SEED, node));
        let verifier = self.signatures.verifier(setup.signatures.verifier());
        let config = setup.options.config(self.chain_id, signer.public(), verifier);
        let recovered = Recovered {
            validators: set.clone(),
            final_height: Height::default(),
            final_hash: self.chain_id,
            final_block: None,
            final_proof: None,
            opening_height: Height::default(),
            opening_hash: self.chain_id,
            opening_mode: chain::block::Mode::Fast,
            recent: Vec::new(),
            blocks: Vec::new(),
            record: None,
        };
        let application = Opaque::new(set.hash(&self.chain_id), setup.block_transactions);
        let storage = Memory::new(self.chain_id);
        Driver::start(config, recovered, signer, application, storage, self.now, &mut self.sent)
            .expect("memory does not fail")
    }

    /// Lets timeouts happen until somebody leads and everything is said.
    fn elect(&mut self) {
        for _ in 0..ELECTION_TIMEOUTS {
            self.settle();
            let roles = self.drivers.iter().map(|driver| driver.status().role);
            if let Some(leader) = roles.into_iter().position(|role| role == Role::Leader) {
                self.leader = leader;
                return;
            }
            let due = self.drivers.iter().filter_map(Driver::next_timeout).min();
            self.now = due.expect("a network without a leader has a timeout").max(self.now);
            self.round();
        }
        panic!("{} elects no leader in {ELECTION_TIMEOUTS} timeouts", E::NAME);
    }

    /// Transactions of these numbers, each padded to a size of its encoding.
    pub fn transactions(
        &self,
        numbers: Range<u64>,
        size: usize,
    ) -> impl Iterator<Item = Transaction> + use<E> {
        let first = padded(self.chain_id, size);
        numbers.map(move |number| {
            let mut transaction = first.clone();
            transaction.payload.nonce = number;
            Transaction::Signed(transaction)
        })
    }

    /// Hands transactions to the leader.
    pub fn submit(&mut self, transactions: impl IntoIterator<Item = Transaction>) {
        self.woken = true;
        self.drivers[self.leader].application_mut().submit(transactions);
    }

    /// Every validator that has something to do takes one turn over what was sent in the round
    /// before.
    pub fn round(&mut self) {
        self.now = self.now + ROUND;
        let waiting: Vec<_> = self.inboxes.iter_mut().map(std::mem::take).collect();
        let woken = std::mem::take(&mut self.woken).then_some(self.leader);
        for (node, incoming) in waiting.into_iter().enumerate() {
            let driver = &mut self.drivers[node];
            let due = driver.next_timeout().is_some_and(|due| due <= self.now);
            if due || !incoming.is_empty() || woken == Some(node) {
                driver.turn(self.now, incoming, &mut self.sent).expect("memory does not fail");
                self.deliver(node);
            }
        }
    }

    /// Goes on until no message is on its way and nothing that waits can be proposed.
    pub fn settle(&mut self) {
        for _ in 0..MAX_ROUNDS {
            self.round();
            if self.inboxes.iter().all(Vec::is_empty) {
                return;
            }
        }
        panic!("{} still talks after {MAX_ROUNDS} rounds", E::NAME);
    }

    /// Puts what a node's turn sent into the inboxes.
    fn deliver(&mut self, node: usize) {
        let from = ValidatorIndex::new(u16::try_from(node).expect("at most 128 validators"));
        for (recipients, message) in std::mem::take(&mut self.sent.0) {
            let encoded = match self.carriage {
                Carriage::Shared => None,
                Carriage::Encoded => Some(codec::encode(&message)),
            };
            for to in (0..self.inboxes.len()).filter(|to| *to != node) {
                if matches!(recipients, Recipients::One(one) if one.as_usize() != to) {
                    continue;
                }
                let message = match &encoded {
                    None => message.clone(),
                    Some(bytes) => codec::decode(bytes).expect("a message decodes"),
                };
                self.messages += 1;
                self.bytes += encoded.as_ref().map_or(0, |bytes| bytes.len() as u64);
                self.inboxes[to].push(Incoming { from, message });
            }
        }
    }

    pub fn costs(&self) -> Costs {
        let application = self.drivers[self.leader].application();
        Costs {
            blocks: application.blocks(),
            transactions: application.transactions(),
            messages: self.messages,
            bytes: self.bytes,
            signed: self.signatures.made(),
            checked: self.signatures.checked(),
            syncs: self.drivers.iter().map(|driver| driver.storage().syncs()).sum(),
        }
    }

    /// What `blocks` blocks of `transactions` transactions of `size` bytes cost, one proposed in
    /// every round: the pipeline is as full as it gets.
    pub fn pipelined(&mut self, blocks: u64, transactions: u64, size: usize) -> Costs {
        // By then what a block causes has happened to an earlier one in every round.
        const WARM_UP: u64 = 36;
        for _ in 0..WARM_UP {
            self.flow(transactions, size);
        }
        let before = self.costs();
        for _ in 0..blocks {
            self.flow(transactions, size);
        }
        self.costs() - before
    }

    /// A round in which a block of so many transactions of `size` bytes is proposed.
    pub fn flow(&mut self, transactions: u64, size: usize) {
        self.submit_new(transactions, size);
        self.round();
    }

    /// What one block of so many transactions costs that comes alone, until nobody says anything.
    pub fn alone(&mut self, transactions: u64, size: usize) -> Costs {
        let before = self.costs();
        self.submit_new(transactions, size);
        self.settle();
        self.costs() - before
    }

    fn submit_new(&mut self, count: u64, size: usize) {
        let made = self.transactions(0..count, size);
        self.submit(made);
    }
}

/// A put that nobody signed: opaque to those who order it.
fn padded(chain_id: Digest, size: usize) -> SignedTransaction {
    let of = |filler: usize| {
        let payload = Payload {
            chain_id,
            account: None,
            sender: PublicKey([7; 32]),
            nonce: 0,
            expiry: Height::new(1),
            body: Body::Put { key: vec![0], value: vec![0; filler] },
        };
        SignedTransaction { payload, signature: Signature([0; 64]) }
    };
    let bare = Transaction::Signed(of(0)).encoded_len();
    of(size.saturating_sub(bare))
}

#[cfg(test)]
mod tests;
