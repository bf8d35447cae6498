//! What a transaction costs a pool: `cargo run -p chain --example pool_speed`.
//!
//! A pool at saturation: 1,024 senders, four transactions of each wait, and every block takes 650 of them
//! while as many come. Prints microseconds per transaction, the median of the blocks, of each step.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chain::crypto::{PublicKey, Signature, SignatureItem, Verifier};
use chain::execute::{BlockContext, Execution, execute};
use chain::genesis::genesis_state;
use chain::governance::{Parameters, RecentBlock};
use chain::mempool::{HashedTransaction, Mempool, MempoolLimits, VerifiedTransaction};
use chain::state::State;
use chain::transaction::{Body, Payload, SignedTransaction, Transaction};
use chain::types::{Amount, Digest, Epoch, Height, View};
use chain::validator::{Validator, ValidatorSet};

const CHAIN: Digest = Digest([7; 32]);
const SENDERS: usize = 1024;
const WAITING: usize = 4 * SENDERS;
const PER_BLOCK: usize = 650;
const BLOCKS: u64 = 200;
/// So that a transfer has 200 bytes.
const MEMO: usize = 7;

/// Signatures are measured elsewhere.
#[derive(Debug)]
struct Trusting;

impl Verifier for Trusting {
    fn verify(&self, _: &PublicKey, _: &Digest, _: &Signature) -> bool {
        true
    }

    fn verify_batch(&self, items: &[SignatureItem<'_>]) -> Vec<bool> {
        vec![true; items.len()]
    }
}

const STEPS: [&str; 5] = ["decode and hash", "precheck", "insert", "candidates", "advance"];

fn main() {
    let mut world = World::new();
    world.submit(WAITING);
    let mut times: [Vec<Duration>; STEPS.len()] = Default::default();
    for _ in 0..BLOCKS {
        let arrived = world.submit(PER_BLOCK);
        let taken = world.commit();
        for (times, time) in times.iter_mut().zip(arrived.into_iter().chain(taken)) {
            times.push(time);
        }
    }
    let mut sum = 0.0;
    for (step, mut times) in STEPS.into_iter().zip(times) {
        times.sort_unstable();
        let median = times[times.len() / 2].as_secs_f64() * 1e6 / PER_BLOCK as f64;
        println!("{step:>16} {median:.3}");
        sum += median;
    }
    println!("{:>16} {sum:.3}", "together");
}

struct World {
    pool: Mempool,
    state: State,
    height: Height,
    /// Of the next transaction, as the senders count together.
    number: usize,
    /// A block that is executed and not yet committed.
    above: Option<Execution>,
}

impl World {
    fn new() -> Self {
        let balances = (0..SENDERS).map(|number| (key(number).address(), Amount::new(1 << 40)));
        let state = genesis_state(balances, validators(), Parameters::default(), [])
            .expect("the example's genesis is valid");
        let height = Height::new(0);
        let pool = Mempool::new(CHAIN, MempoolLimits::default(), state.clone(), height);
        Self { pool, state, height, number: 0, above: None }
    }

    /// Hands in transfers of the senders in turn; tells how long the first three steps took.
    fn submit(&mut self, count: usize) -> [Duration; 3] {
        let encoded: Vec<Vec<u8>> = (self.number..self.number + count)
            .map(|number| chain::codec::encode(&transfer(number)))
            .collect();
        self.number += count;
        let (hash, hashed) = timed(|| {
            let decoded = encoded.iter().map(|bytes| HashedTransaction::decode(bytes));
            decoded.collect::<Result<Vec<_>, _>>().expect("they were just encoded")
        });
        let (precheck, ()) = timed(|| {
            for transaction in &hashed {
                self.pool.precheck(transaction).expect("nothing is wrong with it");
            }
        });
        let known = vec![true; hashed.len()];
        let verified = VerifiedTransaction::check_batch(hashed, &known, &Trusting);
        let verified: Vec<_> = verified.into_iter().flatten().collect();
        let (insert, ()) = timed(|| {
            for transaction in verified {
                self.pool.insert(transaction).expect("there is room");
            }
        });
        [hash, precheck, insert]
    }

    /// Builds and executes a block on the newest one and commits the one below; tells how long the
    /// last two steps took.
    fn commit(&mut self) -> [Duration; 2] {
        let newest = self.above.as_ref().map_or(&self.state, |above| &above.state);
        let (candidates, chosen) = timed(|| self.pool.candidates(newest, PER_BLOCK));
        let next = execute(newest, &context(self.height), &block(&chosen))
            .expect("every candidate can be executed");
        let Some(below) = self.above.replace(next) else {
            return [candidates, Duration::ZERO];
        };
        self.height = self.height.next();
        let _old = std::mem::replace(&mut self.state, below.state.clone());
        let (advance, ()) = timed(|| self.pool.advance(below.state, self.height, &below.changes));
        drop(chosen);
        [candidates, advance]
    }
}

fn timed<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = run();
    (start.elapsed(), result)
}

fn block(chosen: &[Arc<VerifiedTransaction>]) -> Vec<Transaction> {
    assert_eq!(chosen.len(), PER_BLOCK);
    chosen.iter().map(|item| Transaction::Signed(item.transaction().clone())).collect()
}

fn context(parent: Height) -> BlockContext<'static> {
    let parent = RecentBlock { height: parent, hash: CHAIN, signers: None };
    BlockContext { chain_id: CHAIN, parent, view: View::new(0), verifier: &Trusting }
}

/// One unit from a sender to another one.
fn transfer(number: usize) -> SignedTransaction {
    let (sender, nonce) = (number % SENDERS, number / SENDERS);
    let to = key((number * 7919) % SENDERS).address();
    let body = Body::Transfer { to, amount: Amount::new(1), memo: vec![0; MEMO] };
    let payload = Payload {
        chain_id: CHAIN,
        account: None,
        sender: key(sender),
        nonce: nonce as u64,
        expiry: Height::new(50_000),
        body,
    };
    SignedTransaction { payload, signature: Signature([0; 64]) }
}

fn validators() -> ValidatorSet {
    let validators = (0..4).map(|number| Validator {
        consensus_key: key(1_000_000 + number),
        network_key: key(2_000_000 + number),
        governance_key: key(3_000_000 + number),
        jailed: false,
        accused: false,
        since: Epoch::new(0),
    });
    ValidatorSet::new(Epoch::new(0), View::new(0), 1, validators)
}

/// Bytes in the place of a key: nobody signs with it.
fn key(number: usize) -> PublicKey {
    let mut key = [1; 32];
    key[..8].copy_from_slice(&(number as u64).to_le_bytes());
    PublicKey(key)
}
