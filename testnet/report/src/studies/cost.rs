//! What a block costs in calm weather, and how long it takes, for networks of different sizes.

use std::time::Duration;

use consensus_sim::network::Link;
use consensus_sim::plan::{Plan, Work};
use serde::{Deserialize, Serialize};

use super::{Profile, millis, ms, share};
use crate::contender::Contender;
use crate::experiment::{Experiment, Measured, Window};
use crate::progress::on_all_cores;
use crate::setup::{self, MS};
use crate::statistics::{quantile, rounded};

/// Numbers of validators that everything is compared at.
pub const SIZES: [usize; 5] = [4, 7, 10, 16, 31];
/// Larger ones, to see what grows.
pub const LARGE: [usize; 2] = [64, 100];

/// In calm weather an adaptive hybrid is a static fast one.
pub const CONTENDERS: [Contender; 5] =
    [Contender::Hybrid, Contender::StaticPbft, Contender::Pbft, Contender::Raft, Contender::Paxos];

/// Nothing is counted before.
const WARM_UP: Duration = Duration::from_millis(200);

/// One calm run. Counts are per final block, of all validators together unless a name says else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub contender: Contender,
    pub validators: usize,
    pub seed: u64,
    pub blocks: u64,
    pub transactions_per_block: f64,
    pub messages: f64,
    /// What the chapter of the engine says a block costs, signs of life aside.
    pub messages_predicted: u64,
    pub bytes: f64,
    pub bytes_per_transaction: f64,
    pub signed: f64,
    pub checked: f64,
    /// Sent by the validator that sends most.
    pub busiest_messages: f64,
    pub busiest_bytes: f64,
    pub throughput: f64,
    pub latency_p50_ms: f64,
    pub latency_p99_ms: f64,
    /// From the submission of a transaction to its finality, in mean network delays.
    pub latency_p50_delays: f64,
    /// From the proposal of a block to its first finality, in network delays, where nothing but
    /// the network takes time.
    pub rounds: f64,
}

/// Runs every contender at every size.
pub fn run(profile: Profile) -> Vec<Row> {
    let mut jobs = Vec::new();
    for n in SIZES.into_iter().chain(LARGE) {
        let seeds = if LARGE.contains(&n) { 1 } else { profile.seeds };
        for contender in CONTENDERS {
            jobs.extend((1..=seeds).map(|seed| (contender, n, seed)));
        }
    }
    on_all_cores("cost", &jobs, |(contender, n, seed)| row(profile, *contender, *n, *seed))
}

/// One row.
pub fn row(profile: Profile, contender: Contender, n: usize, seed: u64) -> Row {
    let lasts = WARM_UP
        + match (n, profile.quick) {
            (64.., _) => ms(150),
            (_, true) => ms(300),
            (_, false) => ms(800),
        };
    let plan = setup::calm(contender, n, seed, lasts);
    let mut experiment = Experiment::new(contender, plan);
    experiment.weighs = true;
    let measured = experiment.run();
    let window = Window::new(WARM_UP, lasts);
    let counted = measured.counted(window);
    let latencies = measured.latencies(window);
    let per_block = |count: u64| rounded(share(count as f64, counted.blocks as f64), 2);
    let transactions = measured.finals_in(window).count() as u64;
    let blocks_in_all = measured.counts_at(lasts).blocks.max(1) as f64;
    let busiest = measured.sent.iter().max_by_key(|sent| sent.bytes).copied().unwrap_or_default();
    let (p50, delay) = (millis(quantile(&latencies, 500)), measured.report.network_delay_ms);
    Row {
        contender,
        validators: n,
        seed,
        blocks: counted.blocks,
        transactions_per_block: per_block(transactions),
        messages: per_block(counted.messages),
        messages_predicted: predicted(contender, n as u64),
        bytes: per_block(counted.bytes),
        bytes_per_transaction: rounded(share(counted.bytes as f64, transactions as f64), 1),
        signed: per_block(counted.signed),
        checked: per_block(counted.checked),
        busiest_messages: rounded(busiest.messages as f64 / blocks_in_all, 2),
        busiest_bytes: rounded(busiest.bytes as f64 / blocks_in_all, 1),
        throughput: rounded(measured.throughput(window), 1),
        latency_p50_ms: p50,
        latency_p99_ms: millis(quantile(&latencies, 990)),
        latency_p50_delays: rounded(share(p50, delay), 2),
        rounds: rounds(contender, n, seed),
    }
}

/// Messages per block of a full pipeline in calm weather.
pub const fn predicted(contender: Contender, n: u64) -> u64 {
    match contender {
        Contender::Hybrid | Contender::StaticFast | Contender::Raft | Contender::Paxos => {
            2 * (n - 1)
        }
        Contender::StaticPbft => n * (n - 1),
        // And n(n - 1) checkpoints for every sixth block.
        Contender::Pbft => 2 * n * (n - 1) + n * (n - 1) / 6,
    }
}

/// The rounds that a block takes where only the network takes time.
fn rounds(contender: Contender, n: usize, seed: u64) -> f64 {
    let lasts = ms(120);
    let plan = Plan {
        work: Work::default(),
        sync: (Duration::ZERO, Duration::ZERO),
        link: Link::exact(MS),
        ..setup::calm(contender, n, seed, lasts)
    };
    let Measured { mut rounds, .. } = Experiment::new(contender, plan).run();
    rounds.sort_unstable();
    rounded(millis(quantile(&rounds, 500)), 2)
}
