//! What a decided block costs every engine, exactly: messages, signatures, bytes.
//!
//! `tests/golden/block_costs.txt` holds the counts; with `REWRITE_DOCS=1` the test writes it anew.
//! What a chapter says of an engine's messages is asserted here as a formula.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use consensus::engine::Engine;
use consensus::policy::Policy;
use consensus::registry::{EngineName, Visitor};
use consensus_sim::direct::{Costs, Direct, Setup};
use consensus_sim::plan::EngineOptions;
use consensus_sim::signatures::SignatureRule;

const SIZES: [usize; 4] = [4, 7, 16, 31];
/// A multiple of the blocks after which PBFT makes a checkpoint.
const BLOCKS: u64 = 60;
const BYTES: usize = 200;

/// An engine, the hybrid with each of its modes, and what its chapter says that a block costs in
/// messages where the pipeline is full.
type Case = (&'static str, EngineName, Policy, fn(u64) -> u64);

const CASES: [Case; 5] = [
    ("hybrid-fast", EngineName::Hybrid, Policy::StaticFast, |n| 2 * (n - 1)),
    ("hybrid-pbft", EngineName::Hybrid, Policy::StaticPbft, |n| n * (n - 1)),
    ("pbft", EngineName::Pbft, Policy::Adaptive, |n| 2 * n * (n - 1) + n * (n - 1) / 6),
    ("raft", EngineName::Raft, Policy::Adaptive, |n| 2 * (n - 1)),
    ("paxos", EngineName::Paxos, Policy::Adaptive, |n| 2 * (n - 1)),
];

struct Count {
    policy: Policy,
    validators: usize,
    /// In one block that comes alone; otherwise blocks of one transaction fill the pipeline.
    alone: Option<u64>,
}

impl Visitor for Count {
    type Output = Costs;

    fn visit<E: Engine>(self) -> Costs {
        let options = EngineOptions { policy: self.policy, ..EngineOptions::default() };
        let most = usize::try_from(self.alone.unwrap_or(1)).expect("a few thousand");
        // Signatures are counted alike whatever they are.
        let signatures = SignatureRule::Cheap;
        let setup = Setup { signatures, ..Setup::new(self.validators, options, most) };
        let mut direct = Direct::<E>::new(setup);
        match self.alone {
            Some(transactions) => direct.alone(transactions, BYTES),
            None => direct.pipelined(BLOCKS, 1, BYTES),
        }
    }
}

#[test]
fn a_block_costs_what_it_did() {
    let mut found = String::new();
    for (name, engine, policy, messages) in CASES {
        for validators in SIZES {
            let costs = engine.visit(Count { policy, validators, alone: None });
            let Costs { blocks, transactions, messages: sent, bytes, signed, checked, syncs } =
                costs;
            assert_eq!((blocks, transactions), (BLOCKS, BLOCKS), "{name}, n = {validators}");
            let n = validators as u64;
            assert_eq!(sent, BLOCKS * messages(n), "messages of {name}, n = {n}");
            writeln!(
                found,
                "{name} n={n}: in {blocks} blocks {sent} messages, {bytes} bytes, {signed} \
                 signatures made, {checked} checked, {syncs} synced writes"
            )
            .expect("a string takes everything");
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/block_costs.txt");
    if std::env::var_os("REWRITE_DOCS").is_some() {
        fs::write(&path, &found).expect("the folder is there");
    }
    let golden = fs::read_to_string(&path).expect("the file is in the repository");
    assert_eq!(found, golden, "REWRITE_DOCS=1 writes the new counts, if they are meant");
}

/// With a block of 1 MB, everything else together is less than a twentieth of what its leader has to
/// send anyway.
#[test]
fn big_blocks_travel_once_to_each() {
    const TRANSACTIONS: u64 = 5_000;
    for (name, engine, policy, _) in CASES {
        for validators in SIZES {
            let costs = engine.visit(Count { policy, validators, alone: Some(TRANSACTIONS) });
            let least = TRANSACTIONS * BYTES as u64 * (validators as u64 - 1);
            let all = (costs.blocks, costs.transactions) == (1, TRANSACTIONS);
            assert!(all && costs.bytes * 100 <= least * 105, "{name}, n = {validators}: {costs:?}");
        }
    }
}
