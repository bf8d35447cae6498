//! `testnet load`: how many transactions a network makes final, and how soon.

pub mod background;
mod bound;
mod machine;
mod mixed;
pub mod pool;
pub mod progress;
pub mod pump;
pub mod sample;
pub mod seen;
pub mod watch;
mod window;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;

use crate::cli::PayloadKind;
use crate::cluster::Cluster;
use bound::VerifyBound;
use machine::Reading;
use pool::Pool;
use pump::{Outcome, Pace, Pump, Until};
use sample::Percentiles;
use seen::Seen;

/// How long `max` looks for the highest rate before it measures.
const WARM_UP: Duration = Duration::from_secs(3);
/// Share of the verification bound up to which `max` signs transactions ahead.
const SIGNED_AHEAD: f64 = 0.9;
/// For how long transactions are signed ahead; later ones are signed when they are handed in. A chain
/// may outgrow what was signed long before.
const AHEAD: Duration = Duration::from_secs(60);

/// How many transactions per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// As many as become final within a second.
    Max,
    Tps(f64),
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.parse::<f64>() {
            Ok(tps) if tps > 0.0 && tps <= 1e6 => Ok(Self::Tps(tps)),
            _ => Err("expected transactions per second, or max".into()),
        }
    }
}

/// What to submit.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub rate: Rate,
    pub duration: Duration,
    pub payload: PayloadKind,
    pub senders: usize,
}

/// The result of a load run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// All transactions handed in, those of the warm-up included.
    pub submitted: u64,
    /// How many of them became final.
    #[serde(rename = "final")]
    pub finalized: u64,
    /// Final transactions per second of the measured time.
    pub tps: f64,
    /// From submission to final as the client saw it, without the warm-up.
    pub latency_ms: Percentiles,
    /// Transactions per second if validators only checked signatures, each every one.
    pub verify_bound_tps: f64,
    pub fraction_of_bound: f64,
    /// Time per signature in a batch of 1024 on one core, the mean of before and after.
    pub verify_us: f64,
    pub cores: usize,
    /// Final, but refused by execution.
    pub failed: u64,
    /// What nodes refused, by reason; handed in again where that helps.
    pub errors: BTreeMap<String, u64>,
    pub measured_s: f64,
    pub senders: usize,
    pub blocks: u64,
    /// Processor time of all validators per final transaction.
    pub cpu_us_per_tx: f64,
    /// Share of processor time that the hypervisor took away.
    pub steal: f64,
    /// In flight at the end of the measured time.
    pub in_flight: usize,
    pub conflicting_final_blocks: usize,
}

/// Runs load against a testnet and measures it.
///
/// # Errors
/// Where the testnet does not run or has too few accounts.
pub async fn run(cluster: &Cluster, options: Options) -> anyhow::Result<Report> {
    let manifest = cluster.manifest()?;
    let validators = manifest.nodes.len();
    let nodes = pump::targets(manifest.nodes)?;
    let bound_before = VerifyBound::measure(validators)?;
    let (pace, warm_up) = match options.rate {
        Rate::Tps(tps) => (Pace::Steady(tps), Duration::ZERO),
        Rate::Max => (Pace::Closed, WARM_UP),
    };
    let mut pool = Pool::open(cluster, options.senders, options.payload).await?;
    pool.fill(signed_ahead(options.rate, options.duration, bound_before.tps()));

    let processes = cluster.processes()?;
    let mut readings = Vec::new();
    let seen = Seen::default();
    let until = Until::Elapsed { warm_up, measured: options.duration };
    let pump = Pump::new(nodes, &mut pool, pace, seen.clone());
    let outcome = pump.run(until, |_| readings.push(Reading::take(&processes))).await?;
    let [before, after] = readings.try_into().ok().context("the measured time never began")?;
    let spent = before.until(&after);
    let bound = bound_before.mean(VerifyBound::measure(validators)?);
    Ok(report(&outcome, bound, options.senders, spent, seen.conflicts().len()))
}

/// How many transactions are signed before the first is handed in.
fn signed_ahead(rate: Rate, duration: Duration, bound_tps: f64) -> usize {
    let (tps, time) = match rate {
        Rate::Tps(tps) => (tps, duration),
        Rate::Max => (bound_tps * SIGNED_AHEAD, WARM_UP + duration),
    };
    (tps * time.min(AHEAD).as_secs_f64()).ceil() as usize
}

fn report(
    outcome: &Outcome,
    bound: VerifyBound,
    senders: usize,
    spent: machine::Spent,
    conflicting_final_blocks: usize,
) -> Report {
    let measured_s = outcome.measured.as_secs_f64();
    let tps = outcome.measured_final as f64 / measured_s.max(f64::EPSILON);
    let measured_final = outcome.measured_final.max(1) as f64;
    Report {
        submitted: outcome.submitted,
        finalized: outcome.finalized,
        tps,
        latency_ms: outcome.latencies.percentiles(),
        verify_bound_tps: bound.tps(),
        fraction_of_bound: tps / bound.tps(),
        verify_us: bound.per_signature.as_secs_f64() * 1e6,
        cores: bound.cores,
        failed: outcome.failed,
        errors: outcome.refusals.clone(),
        measured_s,
        senders,
        blocks: outcome.measured_blocks,
        cpu_us_per_tx: spent.cpu.as_secs_f64() * 1e6 / measured_final,
        steal: spent.steal,
        in_flight: outcome.window,
        conflicting_final_blocks,
    }
}

impl Report {
    /// Whether everything submitted became final.
    ///
    /// # Errors
    /// With how much did not.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.conflicting_final_blocks > 0 {
            bail!("{} heights have two final blocks", self.conflicting_final_blocks);
        }
        let missing = self.submitted - self.finalized;
        if missing > 0 {
            bail!("{missing} of {} transactions did not become final", self.submitted);
        }
        Ok(())
    }

    /// A few lines for people.
    pub fn summary(&self) -> String {
        let Percentiles { p50, p95, p99, max } = self.latency_ms;
        let mut text = format!(
            "{} submitted, {} final, {} failed, in {:.1} s and {} blocks\n\
             {:.0} tx/s; latency p50 {p50:.1} ms, p95 {p95:.1} ms, p99 {p99:.1} ms, max {max:.1} ms\n\
             {:.1} % of what checking signatures alone would allow ({:.0} tx/s at {:.1} us each)\n\
             {:.0} us of validators' processor time per transaction; {:.1} % stolen",
            self.submitted,
            self.finalized,
            self.failed,
            self.measured_s,
            self.blocks,
            self.tps,
            100.0 * self.fraction_of_bound,
            self.verify_bound_tps,
            self.verify_us,
            self.cpu_us_per_tx,
            100.0 * self.steal,
        );
        for (reason, count) in &self.errors {
            text.push_str(&format!("\n{count} refused: {reason}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        assert_eq!("max".parse(), Ok(Rate::Max));
        assert_eq!("2.5".parse(), Ok(Rate::Tps(2.5)));
        for wrong in ["", "0", "-3", "fast", "inf", "NaN"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_long_load_is_not_signed_all_at_once() {
        let hour = Duration::from_secs(3600);
        assert_eq!(signed_ahead(Rate::Tps(200.0), Duration::from_secs(10), 5e3), 2_000);
        assert_eq!(signed_ahead(Rate::Tps(200.0), hour, 5e3), 12_000);
        // At the highest rate nobody signs meanwhile.
        assert_eq!(signed_ahead(Rate::Max, Duration::from_secs(7), 1e3), 9_000);
    }
}
