//! Some of the same questions, asked of real processes: nodes with libp2p, RocksDB and Ed25519 on
//! this machine, broken and loaded as `testnet` does it.

mod scenario;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use testnet::cluster::{Cluster, DEFAULT_ACCOUNTS, Spec};
use testnet::live;
use testnet::load::background::Background;
use testnet::load::pump::Pace;
use testnet::load::seen::Seen;
use testnet::machine::Machine;

use crate::contender::Contender;
use crate::data::{self, LIVE};
use crate::statistics::rounded;
use crate::studies::faults::Kind;
use crate::studies::{millis, share};
use crate::table;

pub const VALIDATORS: u16 = 4;
/// Transactions that clients keep in flight.
pub const IN_FLIGHT: usize = 64;
const SENDERS: usize = 64;

/// What is measured before and after a fault.
const CALM: Duration = Duration::from_secs(3);
/// Load goes on for so long before anything is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// What the two worlds are compared by.
pub const SCENARIOS: [Kind; 5] =
    [Kind::Calm, Kind::LeaderCrash, Kind::SilentFollower, Kind::LyingLeader, Kind::Halves];

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    pub repetitions: u32,
    /// How long a fault lasts.
    pub lasts: Duration,
    pub contenders: Vec<Contender>,
}

/// When and where the live runs were made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// UTC.
    pub date: String,
    pub machine: Machine,
    pub validators: u16,
    pub in_flight: usize,
    pub repetitions: u32,
    pub fault_s: f64,
    pub calm_s: f64,
}

/// One run of real processes: final transactions per second before, during and after the fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub contender: Contender,
    pub scenario: Kind,
    pub repetition: u32,
    pub before: f64,
    pub during: f64,
    pub after: f64,
    /// Share of the throughput before that is left while the fault lasts.
    pub kept: f64,
    /// Longest time without a final transaction since the fault began.
    pub silence_ms: f64,
    /// From the end of the fault to the next final transaction; empty where none followed.
    pub resumed_ms: Option<f64>,
    /// Heights at which two validators reported different final blocks.
    pub conflicts: usize,
}

/// Measures everything and writes it to `folder`.
///
/// # Errors
/// Where a network cannot be started or broken as planned.
pub async fn run(options: &Options, folder: &Path) -> anyhow::Result<()> {
    let account = Account {
        date: time::OffsetDateTime::now_utc().date().to_string(),
        machine: Machine::this(),
        validators: VALIDATORS,
        in_flight: IN_FLIGHT,
        repetitions: options.repetitions,
        fault_s: options.lasts.as_secs_f64(),
        calm_s: CALM.as_secs_f64(),
    };
    let mut rows = Vec::new();
    for repetition in 1..=options.repetitions {
        for scenario in SCENARIOS {
            for contender in &options.contenders {
                let what = || format!("{contender}, {}", scenario.label(0));
                let row = measure(options, *contender, scenario, repetition).await;
                let row = row.with_context(what)?;
                eprintln!(
                    "{}: {:.0} tx/s, {:.0} during it, {:.0} after",
                    what(),
                    row.before,
                    row.during,
                    row.after
                );
                rows.push(row);
            }
        }
    }
    rows.sort_by_key(|row| (row.contender, row.scenario, row.repetition));
    table::write(folder, "live", &rows)?;
    data::write_json(folder, LIVE, &account)
}

async fn measure(
    options: &Options,
    contender: Contender,
    scenario: Kind,
    repetition: u32,
) -> anyhow::Result<Row> {
    let scratch = tempfile::tempdir()?;
    let cluster = fresh(&scratch.path().join("net"), contender).await?;
    let load = Background::at(&cluster, Pace::InFlight(IN_FLIGHT), SENDERS).await?;
    tokio::time::sleep(WARM_UP).await;
    let begun = Instant::now();
    tokio::time::sleep(CALM).await;
    let struck = Instant::now();
    let fault = scenario::strike(&cluster, scenario).await?;
    tokio::time::sleep(options.lasts.saturating_sub(struck.elapsed())).await;
    let healed = Instant::now();
    scenario::end(&cluster, fault).await?;
    tokio::time::sleep(CALM.saturating_sub(healed.elapsed())).await;
    let ended = Instant::now();
    let curve = Curve::of(load.seen());
    let (before, during) = (curve.rate(begun, struck), curve.rate(struck, healed));
    Ok(Row {
        contender,
        scenario,
        repetition,
        before: rounded(before, 1),
        during: rounded(during, 1),
        after: rounded(curve.rate(healed, ended), 1),
        kept: rounded(share(during, before), 4),
        silence_ms: millis(curve.silence(struck, ended)),
        resumed_ms: curve.next(healed).map(millis),
        conflicts: load.seen().conflicts().len(),
    })
}

/// A new network that makes blocks, and ends with this value.
async fn fresh(dir: &Path, contender: Contender) -> anyhow::Result<Cluster> {
    let engine = contender.engine();
    let spec = Spec { engine, validators: VALIDATORS, accounts: DEFAULT_ACCOUNTS };
    let cluster = Cluster::create(dir, spec)?.attach(true);
    if engine.switches_modes() {
        cluster.set_policy(contender.policy())?;
    }
    live::begin(&cluster).await?;
    Ok(cluster)
}

/// When transactions were seen final: moments, and how many each.
struct Curve(Vec<(Instant, usize)>);

impl Curve {
    fn of(seen: &Seen) -> Self {
        let blocks = seen.blocks().into_values();
        let filled = blocks.filter(|block| !block.transactions.is_empty());
        let mut moments: Vec<(Instant, usize)> =
            filled.map(|block| (block.seen, block.transactions.len())).collect();
        moments.sort_unstable();
        Self(moments)
    }

    fn within(&self, from: Instant, to: Instant) -> impl Iterator<Item = &(Instant, usize)> {
        self.0.iter().filter(move |(at, _)| *at > from && *at <= to)
    }

    /// Transactions per second.
    fn rate(&self, from: Instant, to: Instant) -> f64 {
        let count: usize = self.within(from, to).map(|(_, count)| *count).sum();
        count as f64 / (to - from).as_secs_f64()
    }

    /// The longest time without one.
    fn silence(&self, from: Instant, to: Instant) -> Duration {
        let moments = self.within(from, to).map(|(at, _)| *at);
        let all: Vec<Instant> = std::iter::once(from).chain(moments).chain([to]).collect();
        all.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    fn next(&self, since: Instant) -> Option<Duration> {
        let (at, _) = self.0.iter().find(|(at, _)| *at > since)?;
        Some(*at - since)
    }
}

/// Everybody who can be run as processes.
pub fn contenders() -> Vec<Contender> {
    Contender::ALL.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_knows_its_rates_and_silences() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let curve = Curve(vec![(at(100), 5), (at(200), 5), (at(900), 10), (at(1_500), 1)]);
        assert!((curve.rate(at(0), at(1_000)) - 20.0).abs() < 1e-9);
        assert_eq!(curve.silence(at(0), at(1_000)), Duration::from_millis(700));
        assert_eq!(curve.silence(at(2_000), at(3_000)), Duration::from_secs(1));
        assert_eq!(curve.next(at(900)), Some(Duration::from_millis(600)));
        assert_eq!(curve.next(at(1_500)), None);
    }
}
