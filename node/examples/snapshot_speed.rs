//! How long a node takes to join a chain by snapshot, and by replay:
//! `cargo build --workspace --example snapshot_speed`, then
//! `target/debug/examples/snapshot_speed [BLOCKS] [TRANSACTIONS PER BLOCK]`.
//!
//! Makes a chain of four validators in a store of its own (50,000 blocks of 2 transfers), then
//! brings it into two fresh stores: once block by block, every certificate and signature checked,
//! every block executed and committed; once as a snapshot through a file, everything in it checked.
//! Neither has a network or an engine in it.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chain::block::{Block, Header, Justification, Mode, SealedBlock, proposal_digest};
use chain::certificate::{Ballot, Certificate, Signatures, VoteKind};
use chain::crypto::{Ed25519, Keypair, Signer as _};
use chain::finality::FinalityProof;
use chain::genesis::genesis_state;
use chain::governance::Parameters;
use chain::ledger::{BuildKind, BuildLimits, BuildTask, Ledger};
use chain::mempool::VerifiedTransaction;
use chain::transaction::{Body, Payload};
use chain::types::{Amount, Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::{Validator, ValidatorSet};
use consensus::registry::EngineName;
use node::snapshot::{Judge, Snapshot, file};
use node::storage::{CheckpointPolicy, FinalBlock, GenesisState, Opened, Store};
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn Error>;
/// What the store keeps for an engine; there is none here.
type NoRecord = chain::certificate::Vote;

const CHAIN: Digest = Digest([7; 32]);
const VALIDATORS: u16 = 4;
const QUORUM: u16 = 3;
const SENDERS: u64 = 1000;
/// Bytes of blocks in one run of the replay.
const RUN_BYTES: usize = 4 * 1024 * 1024;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse());
    let (blocks, transactions) = (number(50_000)?, number(2)?);
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name);
    let genesis = genesis()?;

    let (source, built) = timed(|| build(&path("source"), &genesis, blocks, transactions));
    let source = source?;
    say("made", blocks, built);

    let (replayed, replay) = timed(|| replayed(&path("replayed"), &genesis, &source.store));
    let replayed = replayed?;
    say("replay", blocks, replay);

    let (joined, snapshot) = timed(|| joined(&directory.path().join("chain"), &genesis, &source));
    let joined = joined?;
    say("snapshot", blocks, snapshot);

    let root = source.ledger.state().root();
    assert_eq!(replayed.ledger.state().root(), root);
    assert_eq!(joined.ledger.state().root(), root);
    println!("same state everywhere: {root}");
    let times = replay.as_secs_f64() / snapshot.as_secs_f64();
    println!("the snapshot takes 1/{times:.0} of the time of the replay");
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let result = work();
    (result, begun.elapsed())
}

fn say(what: &str, blocks: u64, took: Duration) {
    let seconds = took.as_secs_f64();
    println!(
        "{what:<9} {blocks} blocks  {seconds:8.2} s  {:9.0} blocks/s",
        blocks as f64 / seconds
    );
}

fn validator(number: u16) -> Keypair {
    keypair(1, u64::from(number))
}

fn keypair(kind: u8, number: u64) -> Keypair {
    let mut seed = [kind; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    Keypair::from_seed(&seed)
}

fn genesis() -> Result<GenesisState, Failure> {
    let members = (0..VALIDATORS).map(|number| Validator {
        consensus_key: validator(number).public(),
        network_key: keypair(2, u64::from(number)).public(),
        governance_key: keypair(3, u64::from(number)).public(),
        jailed: false,
        accused: false,
        since: Epoch::new(0),
    });
    let validators = ValidatorSet::new(Epoch::new(0), View::new(0), 1, members);
    let balances = (0..SENDERS)
        .map(|number| (keypair(4, number).public().address(), Amount::new(1_000_000_000)));
    let state = genesis_state(balances, validators, Parameters::default(), [])?;
    let engine = EngineName::Hybrid;
    Ok(GenesisState { chain_id: CHAIN, time_ms: 1_700_000_000_000, engine, state })
}

fn open(directory: &Path, genesis: &GenesisState) -> Result<Opened<NoRecord>, Failure> {
    let stop = CancellationToken::new();
    let policy = CheckpointPolicy::default();
    Ok(Store::open(directory, genesis, Arc::new(Ed25519), policy, &stop)?)
}

/// The chain in a store.
fn build(
    directory: &Path,
    genesis: &GenesisState,
    blocks: u64,
    transactions: u64,
) -> Result<Opened<NoRecord>, Failure> {
    let mut opened = open(directory, genesis)?;
    let mut sent = 0;
    for _ in 0..blocks {
        let transfers = (sent..sent + transactions).map(transfer).collect::<Result<Vec<_>, _>>()?;
        sent += transactions;
        let block = next_block(&mut opened.ledger, transfers)?;
        opened.ledger.execute(&block, &|_| true)?;
        let proof = proof(&block);
        commit(&mut opened, &[block], Some(proof))?;
    }
    Ok(opened)
}

fn transfer(number: u64) -> Result<Arc<VerifiedTransaction>, Failure> {
    let sender = keypair(4, number % SENDERS);
    let to = keypair(4, (number * 7919 + 1) % SENDERS).public().address();
    let (nonce, expiry) = (number / SENDERS, Height::new(u64::MAX));
    let body = Body::Transfer { to, amount: Amount::new(1), memo: Vec::new() };
    let payload =
        Payload { chain_id: CHAIN, sender: sender.public(), account: None, nonce, expiry, body };
    Ok(VerifiedTransaction::check(payload.sign(&sender), &Ed25519)?)
}

fn next_block(
    ledger: &mut Ledger,
    transfers: Vec<Arc<VerifiedTransaction>>,
) -> Result<SealedBlock, Failure> {
    let (parent, view) = (*ledger.tip(), View::new(0));
    let task = BuildTask {
        parent: parent.hash,
        view,
        kind: BuildKind::Ordinary,
        evidence: &[],
        now_ms: 0,
    };
    let count = transfers.len();
    let built = ledger.build(&task, transfers, &BuildLimits::default())?;
    assert_eq!(built.transactions.len(), count, "every transfer has its place");
    let justification = Justification::default();
    let header = Header {
        chain_id: CHAIN,
        epoch: Epoch::new(0),
        view,
        height: parent.height.next(),
        mode: Mode::Fast,
        kind: built.kind,
        parent: parent.hash,
        proposer: ValidatorIndex::new(0),
        timestamp_ms: built.timestamp_ms,
        transactions_root: built.transactions_root,
        receipts_root: built.receipts_root,
        state_root: built.state_root,
        validators_hash: ledger.state().validators().hash(&CHAIN),
        next_validators_hash: built.next_validators_hash,
        justification_hash: justification.hash(&CHAIN),
    };
    let signature = validator(0).sign(&proposal_digest(&CHAIN, &header.hash(&CHAIN)));
    let transactions = built.transactions;
    Ok(SealedBlock::new(Block { header, signature, justification, transactions }))
}

fn proof(block: &SealedBlock) -> FinalityProof {
    let (position, block) = (block.header.position(), block.hash());
    let ballot = Ballot { kind: VoteKind::Commit, position, block };
    let digest = ballot.digest(&CHAIN);
    let signatures: Vec<_> = (0..QUORUM)
        .map(|number| (ValidatorIndex::new(number), validator(number).sign(&digest)))
        .collect();
    let signatures = Signatures::new(usize::from(VALIDATORS), &signatures);
    FinalityProof { certificate: Certificate { ballot, signatures }, headers: Vec::new() }
}

fn commit(
    opened: &mut Opened<NoRecord>,
    blocks: &[SealedBlock],
    proof: Option<FinalityProof>,
) -> Result<(), Failure> {
    let last = blocks.last().ok_or("nothing to commit")?;
    let committed = opened.ledger.commit(&last.hash())?;
    let finals: Vec<FinalBlock> = blocks
        .iter()
        .zip(committed)
        .map(|(block, item)| FinalBlock {
            block: block.clone(),
            proof: (block == last).then(|| proof.clone()).flatten(),
            executed: item.executed,
        })
        .collect();
    Ok(opened.store.commit_blocks(&finals)?)
}

/// A fresh store that takes the chain block by block, as it came from a peer.
fn replayed(
    directory: &Path,
    genesis: &GenesisState,
    source: &Store,
) -> Result<Opened<NoRecord>, Failure> {
    let mut opened = open(directory, genesis)?;
    let set = genesis.state.validators();
    while let Some(finals) = source.final_run(opened.ledger.tip().height.next(), RUN_BYTES)? {
        let last = finals.blocks.last().ok_or("an empty run")?;
        let proof = finals.proof.as_ref().ok_or("no proof")?;
        if !proof.verify(&last.hash(), &CHAIN, set, &Ed25519) {
            return Err("a proof that does not hold".into());
        }
        for block in &finals.blocks {
            opened.ledger.execute(block, &|_| false)?;
        }
        commit(&mut opened, &finals.blocks, finals.proof.clone())?;
    }
    Ok(opened)
}

/// A fresh store that begins with a snapshot: taken, written to a file, checked, installed, opened.
fn joined(
    path: &Path,
    genesis: &GenesisState,
    source: &Opened<NoRecord>,
) -> Result<Opened<NoRecord>, Failure> {
    let (height, state) = (source.ledger.tip().height, source.ledger.state().clone());
    let snapshot = Snapshot::take(&source.store, height, state)?.ok_or("no proof")?;
    let bytes = file::write(&path.with_extension("snapshot"), &snapshot, &mut |_, _| {})?;
    println!("snapshot file: {bytes} bytes, {} chunks", snapshot.len());
    let judge = Judge::new(genesis, None, false);
    let sink = file::load(&path.with_extension("snapshot"), &judge, &Ed25519, &mut |_, _| {})?;
    sink.install(path)?;
    open(path, genesis)
}
