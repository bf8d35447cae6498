//! S3, second half: our Raft over the network beside etcd, both with three servers on this machine
//! that sync what they promise; and what a single put costs beside a transfer of the hybrid.

mod servers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use consensus::registry::EngineName;
use etcd_client::Client;
use testnet::cli::PayloadKind;
use testnet::load::sample::{Latencies, Percentiles};
use testnet::load::{self, Options, Rate};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::method::{Spread, ratios};
use crate::network::Network;
use crate::results::{Bound, Goal, Table};
use crate::signed::{LOW_RATE, Lengths, SENDERS};
use servers::Servers;

/// As many bytes as a transaction of the load has.
const VALUE_BYTES: usize = 200;
/// Clients that put one value after the other. More make etcd no faster here, only later.
const CLIENTS: usize = 1_000;
/// They share so many connections.
const CONNECTIONS: usize = 8;
const WARM_UP: Duration = Duration::from_secs(2);

/// What was measured of one contestant.
struct Sample {
    low: Percentiles,
    max: f64,
    max_latency: Percentiles,
    cpu_us: f64,
}

/// The table and the goals; `None` where etcd is not there.
///
/// # Errors
/// Where servers do not start, or refuse.
pub async fn run(rounds: usize, quick: bool) -> anyhow::Result<Option<(Vec<Table>, Vec<Goal>)>> {
    if !servers::is_installed() {
        return Ok(None);
    }
    let lengths = Lengths::new(quick);
    let (mut etcd, mut raft, mut hybrid) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("etcd: round {round} of {rounds}");
        etcd.push(etcd_sample(lengths).await?);
        raft.push(our_sample(EngineName::Raft, 3, PayloadKind::Put, lengths).await?);
        hybrid.push(our_sample(EngineName::Hybrid, 4, PayloadKind::Transfer, lengths).await?);
    }
    let mut table = Table::new(
        "Writes of 200 bytes to real processes that sync",
        &[
            "servers",
            "p50 ms at 100/s",
            "p99 ms at 100/s",
            "most per second",
            "p50 ms then",
            "p99 ms then",
            "CPU µs per write, servers",
        ],
    );
    let rows = [
        ("etcd, 3", &etcd),
        ("our Raft, 3, signed puts", &raft),
        ("our hybrid, 4, signed transfers", &hybrid),
    ];
    for (name, samples) in rows {
        let spread = |of: fn(&Sample) -> f64| Spread::of(&values(samples, of));
        table.row([
            name.into(),
            spread(|sample| sample.low.p50).into(),
            spread(|sample| sample.low.p99).into(),
            spread(|sample| sample.max).into(),
            spread(|sample| sample.max_latency.p50).into(),
            spread(|sample| sample.max_latency.p99).into(),
            spread(|sample| sample.cpu_us).into(),
        ]);
    }
    let ratio = |ours: &[Sample], of: fn(&Sample) -> f64| {
        ratios(&values(ours, of), &values(&etcd, of), quick)
    };
    let goals = vec![
        Goal::new(
            "S3: our networked Raft beside etcd, puts per second",
            ratio(&raft, |sample| sample.max)?,
            Bound::AtLeast(3.0),
            Bound::AtLeast(10.0),
        ),
        Goal::new(
            "S1: p50 of the hybrid at 100 tx/s against etcd's put at 100/s",
            ratio(&hybrid, |sample| sample.low.p50)?,
            Bound::AtMost(3.0),
            Bound::AtMost(1.5),
        ),
    ];
    Ok(Some((vec![table], goals)))
}

fn values(samples: &[Sample], of: fn(&Sample) -> f64) -> Vec<f64> {
    samples.iter().map(of).collect()
}

async fn our_sample(
    engine: EngineName,
    validators: u16,
    payload: PayloadKind,
    lengths: Lengths,
) -> anyhow::Result<Sample> {
    let network = Network::start(engine, validators).await?;
    let at = |rate, duration| Options { rate, duration, payload, senders: SENDERS };
    let low = load::run(&network.cluster, at(Rate::Tps(LOW_RATE), lengths.low)).await?;
    let max = load::run(&network.cluster, at(Rate::Max, lengths.max)).await?;
    low.check()?;
    max.check()?;
    Ok(Sample {
        low: low.latency_ms,
        max: max.tps,
        max_latency: max.latency_ms,
        cpu_us: max.cpu_us_per_tx,
    })
}

async fn etcd_sample(lengths: Lengths) -> anyhow::Result<Sample> {
    let servers = Servers::start().await?;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(servers.leader().await?);
    }
    let low = steady(&clients[0], lengths.low).await?;
    let before = servers.cpu();
    let begun = Instant::now();
    let (puts, max_latency) = closed(&clients, lengths.max).await?;
    // The warm-up is paid for too: over all of its puts it is the same price.
    let cpu = servers.cpu().saturating_sub(before);
    let share = lengths.max.as_secs_f64() / begun.elapsed().as_secs_f64();
    Ok(Sample {
        low,
        max: puts as f64 / lengths.max.as_secs_f64(),
        max_latency,
        cpu_us: cpu.as_secs_f64() * share * 1e6 / puts.max(1) as f64,
    })
}

/// Keys in turn, so that the store does not grow by them.
fn key(number: u64) -> Vec<u8> {
    (number % 1024).to_le_bytes().to_vec()
}

/// Puts at a low rate, come what may.
async fn steady(client: &Client, duration: Duration) -> anyhow::Result<Percentiles> {
    let mut latencies = Latencies::default();
    let mut puts = JoinSet::new();
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / LOW_RATE));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (begun, mut number) = (Instant::now(), 0);
    while begun.elapsed() < duration {
        ticks.tick().await;
        let mut client = client.clone();
        number += 1;
        puts.spawn(async move {
            let begun = Instant::now();
            client.put(key(number), vec![0; VALUE_BYTES], None).await?;
            anyhow::Ok(begun.elapsed())
        });
    }
    while let Some(latency) = puts.join_next().await {
        latencies.record(latency??);
    }
    Ok(latencies.percentiles())
}

/// Many clients, each with one put under way: how many puts there were after a warm-up, and how
/// long they took.
async fn closed(clients: &[Client], duration: Duration) -> anyhow::Result<(u64, Percentiles)> {
    let count = Arc::new(AtomicU64::new(0));
    let measured = Instant::now() + WARM_UP;
    let end = measured + duration;
    let mut tasks = JoinSet::new();
    for number in 0..CLIENTS {
        let mut client = clients[number % clients.len()].clone();
        let count = Arc::clone(&count);
        tasks.spawn(async move {
            let mut taken = Vec::new();
            let mut number = number as u64;
            while Instant::now() < end {
                let begun = Instant::now();
                client.put(key(number), vec![0; VALUE_BYTES], None).await?;
                number += 1;
                let now = Instant::now();
                if now >= measured && now < end {
                    count.fetch_add(1, Relaxed);
                    taken.push(now - begun);
                }
            }
            anyhow::Ok(taken)
        });
    }
    let mut latencies = Latencies::default();
    while let Some(taken) = tasks.join_next().await {
        taken??.into_iter().for_each(|latency| latencies.record(latency));
    }
    Ok((count.load(Relaxed), latencies.percentiles()))
}
