//! How much a network takes: clients send at a rate, come what may, and it is measured what becomes
//! final and how soon.

use std::time::Duration;

use consensus_sim::network::Link;
use consensus_sim::plan::{EngineOptions, Load, Plan};
use serde::{Deserialize, Serialize};

use super::{Profile, millis, ms};
use crate::contender::Contender;
use crate::experiment::{Clients, Experiment, Window};
use crate::progress::on_all_cores;
use crate::setup;
use crate::statistics::{quantile, rounded};

pub const VALIDATORS: usize = 4;
/// One-way delay of every link in milliseconds: sites of one country.
pub const DELAY_MS: u32 = 10;
/// Ticks of a run in a second.
const TICKS: u32 = 1_000;
/// Transactions per second: so many thousands come every tick.
pub const RATES: [u32; 8] = [1_000, 2_000, 4_000, 8_000, 12_000, 16_000, 24_000, 32_000];

const CONTENDERS: [Contender; 5] = super::cost::CONTENDERS;
/// Every engine has a leader by then, and clients begin.
const BEGIN: Duration = Duration::from_millis(1_500);
const WARM_UP: Duration = Duration::from_millis(300);
const SENDERS: usize = 64;

/// One run at one rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub contender: Contender,
    pub rate: u32,
    pub seed: u64,
    pub throughput: f64,
    pub latency_p50_ms: f64,
    pub latency_p95_ms: f64,
    pub latency_p99_ms: f64,
}

pub fn run(profile: Profile) -> Vec<Row> {
    let seeds = profile.seeds.min(5);
    let mut jobs = Vec::new();
    for contender in CONTENDERS {
        for rate in RATES {
            jobs.extend((1..=seeds).map(|seed| (contender, rate, seed)));
        }
    }
    let measured = if profile.quick { ms(300) } else { ms(700) };
    on_all_cores("load", &jobs, |(contender, rate, seed)| row(*contender, *rate, *seed, measured))
}

fn row(contender: Contender, rate: u32, seed: u64, measured: Duration) -> Row {
    let from = BEGIN + WARM_UP;
    let lasts = from + measured;
    let calm = setup::calm(contender, VALIDATORS, seed, lasts);
    let plan = Plan {
        link: Link { delay_min: ms(DELAY_MS - 1), delay_max: ms(DELAY_MS + 1), ..calm.link },
        options: EngineOptions {
            timeout_min: ms(300),
            timeout_max: ms(2_400),
            heartbeat: ms(60),
            ..calm.options
        },
        load: Load { senders: SENDERS, ..calm.load },
        ..calm
    };
    let clients = Clients::Open { per_tick: rate / TICKS, since: BEGIN };
    let experiment = Experiment { clients, ..Experiment::new(contender, plan) };
    let measured = experiment.run();
    let window = Window::new(from, lasts);
    let latencies = measured.latencies(window);
    let at = |per_mille| millis(quantile(&latencies, per_mille));
    Row {
        contender,
        rate,
        seed,
        throughput: rounded(measured.throughput(window), 1),
        latency_p50_ms: at(500),
        latency_p95_ms: at(950),
        latency_p99_ms: at(990),
    }
}
