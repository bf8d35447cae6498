//! S1: signed transfers, from the client that submits to the client that hears they are final.
//!
//! Four validators of the hybrid, each a process; 200-byte transfers of 1,024 senders, signed
//! ahead, submitted by this process. Every validator checks every signature before it votes, state
//! is applied, the log is synced.

use std::time::Duration;

use testnet::cli::PayloadKind;
use testnet::load::{self, Options, Rate, Report};

use crate::method::{Spread, ratios};
use crate::network::{Counted, Forger, Network};
use crate::results::{Bound, Goal, Table};

pub const SENDERS: usize = 1_024;
/// The load at which latency is that of an idle network.
pub const LOW_RATE: f64 = 100.0;
/// Of all transactions, where some have bad signatures.
const BAD_SHARE: f64 = 0.01;

/// How long each measurement takes.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    pub max: Duration,
    pub low: Duration,
}

impl Lengths {
    pub const fn new(quick: bool) -> Self {
        let (max, low) = if quick { (3, 3) } else { (10, 10) };
        Self { max: Duration::from_secs(max), low: Duration::from_secs(low) }
    }
}

/// Under which circumstances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Calm,
    OneDead,
    BadSignatures,
}

impl Case {
    const ALL: [Self; 3] = [Self::Calm, Self::OneDead, Self::BadSignatures];

    const fn label(self) -> &'static str {
        match self {
            Self::Calm => "no fault",
            Self::OneDead => "1 of 4 dead",
            Self::BadSignatures => "1 % bad signatures",
        }
    }
}

/// One network's two measurements.
struct Sample {
    low: Report,
    max: Report,
    counted: Counted,
}

/// What all rounds found, by case.
struct Samples {
    of: Vec<(Case, Vec<Sample>)>,
}

/// The tables and the goals.
///
/// # Errors
/// Where a network does not start or loses a transaction.
pub async fn run(rounds: usize, quick: bool) -> anyhow::Result<(Vec<Table>, Vec<Goal>)> {
    let lengths = Lengths::new(quick);
    let mut of: Vec<(Case, Vec<Sample>)> = Case::ALL.map(|case| (case, Vec::new())).into();
    for round in 1..=rounds {
        // What the calm network of this round reached.
        let mut reached = 0.0;
        for (case, samples) in &mut of {
            eprintln!("signed: round {round} of {rounds}, {}", case.label());
            let bad = BAD_SHARE * reached;
            let found = sample(*case, lengths, bad).await?;
            if *case == Case::Calm {
                reached = found.max.tps;
            }
            samples.push(found);
        }
    }
    let samples = Samples { of };
    Ok((vec![samples.throughput(), samples.latency()], samples.goals(quick)?))
}

/// `forged`: transactions with bad signatures per second, in the case that has them.
async fn sample(case: Case, lengths: Lengths, forged: f64) -> anyhow::Result<Sample> {
    let network = Network::start(consensus::registry::EngineName::Hybrid, 4).await?;
    if case == Case::OneDead {
        // The first view's leader is number 0: this one follows.
        network.cluster.kill(3)?;
    }
    let (payload, senders) = (PayloadKind::Transfer, SENDERS);
    let low = Options { rate: Rate::Tps(LOW_RATE), duration: lengths.low, payload, senders };
    let low = load::run(&network.cluster, low).await?;
    let max = Options { rate: Rate::Max, duration: lengths.max, payload, senders };
    let bad = match case {
        Case::BadSignatures => Some(Forger::start(&network.cluster, forged).await?),
        Case::Calm | Case::OneDead => None,
    };
    let before = network.count().await?;
    let max = load::run(&network.cluster, max).await?;
    let counted = network.count().await?.since(before, max.finalized);
    if let Some(forger) = bad {
        forger.stop().await?;
    }
    low.check()?;
    max.check()?;
    Ok(Sample { low, max, counted })
}

impl Samples {
    fn values(&self, case: Case, of: impl Fn(&Sample) -> f64) -> Vec<f64> {
        let found = self.of.iter().find(|(other, _)| *other == case);
        found.map(|(_, samples)| samples.iter().map(of).collect()).unwrap_or_default()
    }

    fn throughput(&self) -> Table {
        let mut table = Table::new(
            "Four validators of the hybrid under the highest load, 200-byte transfers",
            &[
                "case",
                "tx/s",
                "p50 ms",
                "p99 ms",
                "share of the signature bound",
                "bound tx/s",
                "CPU µs per tx, all nodes",
                "loopback bytes per tx",
                "synced writes per block",
                "tx per block",
            ],
        );
        for case in Case::ALL {
            let spread = |of: fn(&Sample) -> f64| Spread::of(&self.values(case, of));
            table.row([
                case.label().into(),
                spread(|sample| sample.max.tps).into(),
                spread(|sample| sample.max.latency_ms.p50).into(),
                spread(|sample| sample.max.latency_ms.p99).into(),
                spread(|sample| sample.max.fraction_of_bound).into(),
                spread(|sample| sample.max.verify_bound_tps).into(),
                spread(|sample| sample.max.cpu_us_per_tx).into(),
                spread(|sample| sample.counted.bytes_per_transaction).into(),
                spread(|sample| sample.counted.syncs_per_block).into(),
                spread(|sample| sample.counted.transactions_per_block).into(),
            ]);
        }
        table
    }

    fn latency(&self) -> Table {
        let mut table = Table::new(
            "The same networks at 100 transactions per second",
            &["case", "p50 ms", "p99 ms", "CPU µs per tx, all nodes"],
        );
        for case in Case::ALL {
            let spread = |of: fn(&Sample) -> f64| Spread::of(&self.values(case, of));
            table.row([
                case.label().into(),
                spread(|sample| sample.low.latency_ms.p50).into(),
                spread(|sample| sample.low.latency_ms.p99).into(),
                spread(|sample| sample.low.cpu_us_per_tx).into(),
            ]);
        }
        table
    }

    fn goals(&self, quick: bool) -> anyhow::Result<Vec<Goal>> {
        let ratio = |of: fn(&Sample) -> f64| {
            ratios(&self.values(Case::OneDead, of), &self.values(Case::Calm, of), quick)
        };
        let share = self.values(Case::Calm, |sample| sample.max.fraction_of_bound);
        Ok(vec![
            Goal::new(
                "S1: share of the signature bound, four validators of the hybrid",
                Spread::of(&share),
                Bound::AtLeast(0.5),
                Bound::AtLeast(0.75),
            ),
            Goal::new(
                "S1 with 1 of 4 dead: throughput against that without a fault",
                ratio(|sample| sample.max.tps)?,
                Bound::AtLeast(0.9),
                Bound::AtLeast(1.0),
            ),
            Goal::new(
                "S1 with 1 of 4 dead: p50 at 100 tx/s against that without a fault",
                ratio(|sample| sample.low.latency_ms.p50)?,
                Bound::AtMost(1.2),
                Bound::AtMost(1.05),
            ),
        ])
    }
}
