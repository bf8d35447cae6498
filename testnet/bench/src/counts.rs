//! S5: messages, signatures and bytes per decided block, counted exactly.

use consensus::engine::Engine;
use consensus::policy::Policy;
use consensus::registry::{EngineName, Visitor};
use consensus_sim::direct::{Costs, Direct, Setup};
use consensus_sim::plan::EngineOptions;
use consensus_sim::signatures::SignatureRule;

use crate::results::Table;

/// Numbers of validators.
const SIZES: [usize; 4] = [4, 7, 16, 31];
/// Blocks that are counted: a multiple of the six after which PBFT makes a checkpoint.
const BLOCKS: u64 = 60;
const TRANSACTION_BYTES: usize = 200;
/// So that a block is about one of 1 MB.
const BIG_BLOCK: u64 = 5_000;

/// Who is counted, with the policy that the hybrid follows.
const ENGINES: [(&str, EngineName, Policy); 5] = [
    ("hybrid, fast", EngineName::Hybrid, Policy::StaticFast),
    ("hybrid, pbft", EngineName::Hybrid, Policy::StaticPbft),
    ("pbft", EngineName::Pbft, Policy::Adaptive),
    ("raft", EngineName::Raft, Policy::Adaptive),
    ("paxos", EngineName::Paxos, Policy::Adaptive),
];

struct Count {
    setup: Setup,
    /// In one block that comes alone; otherwise blocks of one transaction fill the pipeline.
    alone: Option<u64>,
}

impl Visitor for Count {
    type Output = Costs;

    fn visit<E: Engine>(self) -> Costs {
        let mut direct = Direct::<E>::new(self.setup);
        match self.alone {
            Some(transactions) => direct.alone(transactions, TRANSACTION_BYTES),
            None => direct.pipelined(BLOCKS, 1, TRANSACTION_BYTES),
        }
    }
}

/// Both tables: small blocks, where what an engine adds shows, and big ones.
pub fn tables() -> [Table; 2] {
    let mut small = Table::new(
        "Per decided block of one transaction of 200 bytes, the pipeline full",
        &["engine", "n", "messages", "signatures made", "checked", "bytes", "synced writes"],
    );
    let mut big = Table::new(
        "A block of 5,000 transactions of 200 bytes (1 MB) that comes alone",
        &["engine", "n", "bytes", "bytes / (block × (n − 1))"],
    );
    for (name, engine, policy) in ENGINES {
        for validators in SIZES {
            let of = |alone: Option<u64>| {
                let options = EngineOptions { policy, ..EngineOptions::default() };
                let most = usize::try_from(alone.unwrap_or(1)).expect("a few thousand");
                // Signatures are counted alike whatever they are.
                let signatures = SignatureRule::Cheap;
                let setup = Setup { signatures, ..Setup::new(validators, options, most) };
                engine.visit(Count { setup, alone })
            };
            let costs = of(None);
            let each = |count: u64| count as f64 / costs.blocks as f64;
            small.row([
                name.into(),
                validators.into(),
                each(costs.messages).into(),
                each(costs.signed).into(),
                each(costs.checked).into(),
                each(costs.bytes).into(),
                each(costs.syncs).into(),
            ]);
            let bytes = of(Some(BIG_BLOCK)).bytes as f64;
            let block = (BIG_BLOCK * TRANSACTION_BYTES as u64) as f64;
            let followers = (validators - 1) as f64;
            big.row([
                name.into(),
                validators.into(),
                bytes.into(),
                (bytes / (block * followers)).into(),
            ]);
        }
    }
    [small, big]
}
