//! S4: how many network delays a block takes to become final, in the simulator, where nothing but
//! the network takes time; and the same from real processes whose links are slow.

use std::collections::BTreeSet;
use std::time::Duration;

use chain::types::Digest;
use consensus::engine::{Engine, Time};
use consensus::policy::Policy;
use consensus::registry::{EngineName, Visitor};
use consensus_sim::network::Link;
use consensus_sim::plan::{EngineOptions, Load, Plan};
use consensus_sim::scenarios;
use consensus_sim::world::World;
use testnet::byzantine::control::Request;
use testnet::cli::PayloadKind;
use testnet::faults;
use testnet::load::{self, Options, Rate};

use crate::method::Spread;
use crate::network::Network;
use crate::results::Table;

const MS: Duration = Duration::from_millis(1);
/// One way, in the simulator.
const DELAY: Duration = Duration::from_millis(5);
/// One way, between processes.
const LINKS_MS: [u64; 2] = [25, 50];
const SEED: u64 = 1;
const VALIDATORS: usize = 4;
/// Far enough apart that a block is final before the next transaction comes.
const INTERVAL: Duration = Duration::from_millis(60);
const WARM_UP: Duration = Duration::from_millis(500);
const LASTS: Duration = Duration::from_secs(4);
/// Transactions per second between processes with slow links.
const RATE: f64 = 10.0;

/// Who is looked at, with the hybrid's policy and the fewest delays that its kind of protocol can do
/// with at the proposer.
const ENGINES: [(&str, EngineName, Policy, f64); 5] = [
    ("hybrid, fast", EngineName::Hybrid, Policy::StaticFast, 2.0),
    ("hybrid, pbft", EngineName::Hybrid, Policy::StaticPbft, 2.0),
    ("pbft", EngineName::Pbft, Policy::Adaptive, 3.0),
    ("raft", EngineName::Raft, Policy::Adaptive, 2.0),
    ("paxos", EngineName::Paxos, Policy::Adaptive, 2.0),
];

/// In network delays, each of many blocks.
struct Delays {
    /// From the proposal to finality at the proposer.
    proposer: Vec<f64>,
    /// From the proposal to finality at the last of the others.
    others: Vec<f64>,
    /// From the submission of a transaction to the first finality.
    client: Vec<f64>,
}

struct Measure(Policy);

impl Visitor for Measure {
    type Output = Delays;

    fn visit<E: Engine>(self) -> Delays {
        let mut world = World::<E>::new(plan(self.0), 0);
        world.run_for(WARM_UP);
        let known: BTreeSet<Digest> = world.record().blocks.keys().copied().collect();
        let latencies = world.record().latencies.len();
        world.run_for(LASTS);
        let leader = world.leader();
        let delays = |time: Duration| time.as_secs_f64() / DELAY.as_secs_f64();
        let (mut proposer, mut others) = (Vec::new(), Vec::new());
        for (block, times) in &world.record().blocks {
            let whole = times.finals.len() == VALIDATORS && !known.contains(block);
            if let Some(own) = times.finals.get(&leader).filter(|_| whole) {
                proposer.push(delays(own.since(times.proposed)));
                let last = times.finals.values().max().copied().unwrap_or(Time::default());
                others.push(delays(last.since(times.proposed)));
            }
        }
        let latencies = &world.record().latencies[latencies..];
        Delays { proposer, others, client: latencies.iter().copied().map(delays).collect() }
    }
}

fn plan(policy: Policy) -> Plan {
    let calm = scenarios::calm(SEED, VALIDATORS);
    let options = EngineOptions {
        timeout_min: MS * 400,
        timeout_max: MS * 1_600,
        heartbeat: MS * 120,
        policy,
        ..calm.options
    };
    let load = Load { transactions: u64::MAX, senders: 4, reads: false, interval: INTERVAL };
    let faults_end = WARM_UP + LASTS + MS * 1_000;
    Plan { options, link: Link::exact(DELAY), load, faults_end, ..calm }
}

/// The table of the simulator.
pub fn simulated() -> Table {
    let mut table = Table::new(
        "Network delays until a block is final, four validators, nothing but links takes time",
        &["engine", "blocks", "at the proposer", "bound", "at the last validator", "for a client"],
    );
    for (name, engine, policy, bound) in ENGINES {
        let Delays { proposer, others, client } = engine.visit(Measure(policy));
        assert!(!proposer.is_empty(), "{name} makes blocks");
        table.row([
            name.into(),
            proposer.len().into(),
            Spread::of(&proposer).into(),
            bound.into(),
            Spread::of(&others).into(),
            Spread::of(&client).into(),
        ]);
    }
    table
}

/// The table of real processes: whatever a validator sends is held back for so long.
///
/// # Errors
/// Where a network does not start or loses a transaction.
pub async fn real(quick: bool) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "Real processes with slow links, 10 transactions per second, from submission to final",
        &["engine", "one way ms", "p50 ms", "p50 in delays", "p99 ms"],
    );
    let duration = Duration::from_secs(if quick { 3 } else { 15 });
    for engine in EngineName::ALL {
        for ms in LINKS_MS {
            let network = Network::start(*engine, 4).await?;
            for node in network.cluster.manifest()?.nodes {
                faults::order(&network.cluster, node.id, Request::Delay { ms })?;
            }
            let (rate, payload) = (Rate::Tps(RATE), PayloadKind::Transfer);
            let options = Options { rate, duration, payload, senders: 64 };
            let report = load::run(&network.cluster, options).await?;
            report.check()?;
            let latency = report.latency_ms;
            table.row([
                engine.as_str().into(),
                ms.into(),
                latency.p50.into(),
                (latency.p50 / ms as f64).into(),
                latency.p99.into(),
            ]);
        }
    }
    Ok(table)
}
