//! How long a block of transfers takes: `cargo run -p chain --example execution_speed`.
//!
//! Prints, for several sizes of the state, the best of several runs of building, of executing
//! with all signatures known, of executing with none known, and of executing an empty block.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chain::block::{Block, Header, Justification, Mode, SealedBlock};
use chain::crypto::{Ed25519, Keypair, Signature};
use chain::genesis::genesis_state;
use chain::governance::Parameters;
use chain::ledger::{BuildKind, BuildLimits, BuildTask, Built, Ledger, Tip};
use chain::mempool::VerifiedTransaction;
use chain::transaction::{Body, Payload};
use chain::types::{Address, Amount, Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::{Validator, ValidatorSet};

const CHAIN: Digest = Digest([7; 32]);
const SENDERS: u64 = 1000;
const RUNS: usize = 7;

fn main() {
    for accounts in [1_000, 100_000, 1_000_000] {
        measure(accounts);
    }
}

fn measure(accounts: u64) {
    let senders: Vec<Keypair> = (0..SENDERS).map(keypair).collect();
    let validators = validators();
    let validators_hash = validators.hash(&CHAIN);
    let balances = senders
        .iter()
        .map(|sender| sender.public().address())
        .chain((SENDERS..accounts).map(stranger))
        .map(|address| (address, Amount::new(1_000_000)));
    let state = genesis_state(balances, validators, Parameters::default(), [])
        .expect("the example's genesis is valid");
    let tip = Tip::genesis(CHAIN, 0, validators_hash);
    let transfers: Vec<Arc<VerifiedTransaction>> = senders
        .iter()
        .zip(0..)
        .map(|(sender, number)| transfer(sender, stranger((number * 7919) % accounts)))
        .collect();

    let mut best = [Duration::MAX; 5];
    for _ in 0..RUNS {
        let ledger = || Ledger::new(CHAIN, Arc::new(Ed25519), tip, state.clone());
        let mut leader = ledger();
        let task = BuildTask {
            parent: CHAIN,
            view: View::new(0),
            kind: BuildKind::Ordinary,
            evidence: &[],
            now_ms: 1,
        };
        let start = Instant::now();
        let built = leader
            .build(&task, transfers.iter().cloned(), &BuildLimits::default())
            .expect("the parent is the genesis");
        best[0] = best[0].min(start.elapsed());
        assert_eq!(built.transactions.len(), transfers.len());

        let block = seal(built, validators_hash);
        best[1] = best[1].min(timed(|| leader.execute(&block, &|_| true)));
        let received =
            || SealedBlock::from_encoded(block.encoded().to_vec()).expect("it was just encoded");
        let (mut follower, copy) = (ledger(), received());
        best[2] = best[2].min(timed(|| follower.execute(&copy, &|_| true)));
        let (mut stranger, copy) = (ledger(), received());
        best[3] = best[3].min(timed(|| stranger.execute(&copy, &|_| false)));

        let built = ledger().build(&task, [], &BuildLimits::default());
        let empty = seal(built.expect("the parent is the genesis"), validators_hash);
        let mut follower = ledger();
        best[4] = best[4].min(timed(|| follower.execute(&empty, &|_| true)));
    }
    println!(
        "{SENDERS} transfers, {accounts:>7} accounts: build {:?}, own block again {:?}, \
         signatures known {:?}, unknown {:?}; an empty block {:?}",
        best[0], best[1], best[2], best[3], best[4]
    );
}

fn timed<T, E: std::fmt::Debug>(run: impl FnOnce() -> Result<T, E>) -> Duration {
    let start = Instant::now();
    run().expect("the block is valid");
    start.elapsed()
}

fn seal(built: Built, validators_hash: Digest) -> SealedBlock {
    let justification = Justification::default();
    let header = Header {
        chain_id: CHAIN,
        epoch: Epoch::new(0),
        view: View::new(0),
        height: Height::new(1),
        mode: Mode::Fast,
        kind: built.kind,
        parent: CHAIN,
        proposer: ValidatorIndex::new(0),
        timestamp_ms: built.timestamp_ms,
        transactions_root: built.transactions_root,
        receipts_root: built.receipts_root,
        state_root: built.state_root,
        validators_hash,
        next_validators_hash: built.next_validators_hash,
        justification_hash: justification.hash(&CHAIN),
    };
    SealedBlock::new(Block {
        header,
        signature: Signature([0; 64]),
        justification,
        transactions: built.transactions,
    })
}

fn transfer(sender: &Keypair, to: Address) -> Arc<VerifiedTransaction> {
    let payload = Payload {
        chain_id: CHAIN,
        account: None,
        sender: sender.public(),
        nonce: 0,
        expiry: Height::new(100),
        body: Body::Transfer { to, amount: Amount::new(1), memo: Vec::new() },
    };
    VerifiedTransaction::check(payload.sign(sender), &Ed25519).expect("just signed")
}

fn validators() -> ValidatorSet {
    let validators = (0..4).map(|number| Validator {
        consensus_key: keypair(1_000_000 + number).public(),
        network_key: keypair(2_000_000 + number).public(),
        governance_key: keypair(3_000_000 + number).public(),
        jailed: false,
        accused: false,
        since: Epoch::new(0),
    });
    ValidatorSet::new(Epoch::new(0), View::new(0), 1, validators)
}

fn keypair(number: u64) -> Keypair {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    Keypair::from_seed(&seed)
}

fn stranger(number: u64) -> Address {
    let mut bytes = [0xaa; 20];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    Address(bytes)
}
