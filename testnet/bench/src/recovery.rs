//! S6: how soon a network of processes goes on after something went wrong.

use std::time::{Duration, Instant};

use anyhow::Context;
use consensus::registry::EngineName;
use testnet::byzantine::control::{Behaviour, Request};
use testnet::cluster::Cluster;
use testnet::load::background::{Background, Since};
use testnet::load::pump::Pace;
use testnet::{faults, live};

use crate::method::Spread;
use crate::network::Network;
use crate::results::{Bound, Goal, Table};

/// Transactions per second meanwhile.
const RATE: f64 = 200.0;
const SENDERS: usize = 64;
/// Load goes on for so long before anything happens, and between two things that do.
const CALM: Duration = Duration::from_secs(2);
/// A network that goes on does so within this.
const PATIENCE: Duration = Duration::from_secs(30);
/// Transactions under way while blocks are made that a validator misses.
const IN_FLIGHT: usize = 8;

/// How often and how long.
struct Amount {
    kills: usize,
    liars: usize,
    missing: Duration,
}

/// The tables and the goal.
///
/// # Errors
/// Where a network does not go on.
pub async fn run(rounds: usize, quick: bool) -> anyhow::Result<(Vec<Table>, Vec<Goal>)> {
    let amount = if quick {
        Amount { kills: 3, liars: 1, missing: Duration::from_secs(3) }
    } else {
        Amount { kills: 2 * rounds, liars: rounds, missing: Duration::from_secs(30) }
    };
    let mut table = Table::new(
        "Until the next final block that was proposed after it",
        &["engine", "what", "times", "ms", "in view timeouts"],
    );
    let mut judged = None;
    for engine in EngineName::ALL {
        let gaps = leader_killed(*engine, amount.kills).await.context("leader killed")?;
        let timeouts = row(&mut table, *engine, "leader killed", &gaps);
        if *engine == EngineName::Hybrid {
            judged = Some(timeouts);
        }
    }
    let mut gaps = Vec::new();
    for _ in 0..amount.liars {
        gaps.push(leader_equivocates().await.context("leader equivocates")?);
    }
    row(&mut table, EngineName::Hybrid, "leader equivocates, fast turns into pbft", &gaps);
    let mut catch_up = Table::new(
        "A validator that was away",
        &["engine", "blocks missed", "s to catch up", "s per 10,000 blocks"],
    );
    let (blocks, took) = restarted(amount.missing).await.context("restart")?;
    catch_up.row([
        "hybrid".into(),
        blocks.into(),
        took.as_secs_f64().into(),
        (took.as_secs_f64() * 10_000.0 / blocks.max(1) as f64).into(),
    ]);
    let judged = judged.context("the hybrid is an engine")?;
    // The 99th hundredth of so few is the longest.
    let longest = Spread::of(&[judged.high]);
    let goal = Goal::new(
        "S6: leader killed to the next final block, in view timeouts, the longest (hybrid)",
        longest,
        Bound::AtMost(2.0),
        Bound::AtMost(1.3),
    );
    Ok((vec![table, catch_up], vec![goal]))
}

/// How long a network stood still, and its view timeout before.
struct Gap {
    took: Duration,
    timeout: Duration,
}

fn row(table: &mut Table, engine: EngineName, what: &str, gaps: &[Gap]) -> Spread {
    let values = |of: fn(&Gap) -> f64| Spread::of(&gaps.iter().map(of).collect::<Vec<_>>());
    let timeouts = values(|gap| gap.took.as_secs_f64() / gap.timeout.as_secs_f64());
    let millis = values(|gap| gap.took.as_secs_f64() * 1e3);
    table.row([
        engine.as_str().into(),
        what.into(),
        gaps.len().into(),
        millis.into(),
        timeouts.into(),
    ]);
    timeouts
}

/// Kills whoever leads, again and again.
async fn leader_killed(engine: EngineName, kills: usize) -> anyhow::Result<Vec<Gap>> {
    let network = Network::start(engine, 4).await?;
    let cluster = &network.cluster;
    let load = Background::start(cluster, RATE, SENDERS).await?;
    let mut gaps = Vec::new();
    for number in 1..=kills {
        eprintln!("recovery: {engine}, kill {number} of {kills}");
        tokio::time::sleep(CALM).await;
        let timeout = live::view_timeout(cluster).await?;
        let leader = leader(cluster).await?;
        cluster.kill(leader)?;
        let took = load.next_block(Since::now()?, PATIENCE).await?;
        gaps.push(Gap { took, timeout });
        cluster.start(leader)?;
        live::all_answer(cluster).await?;
        live::caught_up(cluster, load.seen().highest()).await?;
    }
    load.finish().await?;
    Ok(gaps)
}

async fn leader(cluster: &Cluster) -> anyhow::Result<usize> {
    live::until("a leader", PATIENCE, async || faults::leader(cluster).await).await
}

/// The longest pause from the moment a leader begins to lie. Each time another network: who lied is
/// jailed.
async fn leader_equivocates() -> anyhow::Result<Gap> {
    let network = Network::start(EngineName::Hybrid, 4).await?;
    let cluster = &network.cluster;
    let load = Background::start(cluster, RATE, SENDERS).await?;
    tokio::time::sleep(CALM).await;
    let timeout = live::view_timeout(cluster).await?;
    let (liar, began) = (leader(cluster).await?, Instant::now());
    faults::order(cluster, liar, Request::Behave { behaviour: Behaviour::Equivocate })?;
    tokio::time::sleep(2 * CALM).await;
    let took = load.seen().longest_pause(began, Instant::now());
    faults::order(cluster, liar, Request::Behave { behaviour: Behaviour::Off })?;
    let seen = load.seen().clone();
    load.finish().await?;
    anyhow::ensure!(seen.conflicts().is_empty(), "two validators have different final blocks");
    Ok(Gap { took, timeout })
}

/// How many blocks a validator missed, and how long it took to have them.
async fn restarted(missing: Duration) -> anyhow::Result<(u64, Duration)> {
    let network = Network::start(EngineName::Hybrid, 4).await?;
    let cluster = &network.cluster;
    let away = 3;
    let height = live::answers(cluster, &cluster.node(away)?).await?.height_final;
    cluster.stop(away)?;
    let load = Background::at(cluster, Pace::InFlight(IN_FLIGHT), SENDERS).await?;
    tokio::time::sleep(missing).await;
    let highest = load.seen().highest().unwrap_or_default();
    load.finish().await?;
    let begun = Instant::now();
    cluster.start(away)?;
    live::caught_up(cluster, Some(highest)).await?;
    Ok((highest.get().saturating_sub(height.get()), begun.elapsed()))
}
