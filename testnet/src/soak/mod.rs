//! `testnet soak`: kills validators under load, again and again, and checks that nothing final is
//! lost, nobody votes twice, and the network lives on.

mod plan;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use consensus::registry::EngineName;
use serde::Serialize;

use crate::audit::{Audit, audit};
use crate::cluster::{Cluster, DEFAULT_ACCOUNTS, Spec};
use crate::live::{self, until};
use crate::load::background::Background;
use crate::load::pump::Outcome;
use crate::load::sample::{Latencies, Percentiles};
use crate::scratch::Scratch;
use plan::{Round, Victims, plan};

const VALIDATORS: u16 = 4;
const TPS: f64 = 200.0;
const SENDERS: usize = 1000;
/// A network that makes nothing final for so long is dead.
const PATIENCE: Duration = Duration::from_secs(120);
/// Recovery may take so many view timeouts.
const TIMEOUTS: u64 = 4;

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    pub engine: EngineName,
    pub kills: u32,
    pub seed: u64,
    pub dir: Option<PathBuf>,
}

/// The result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Rounds with one victim.
    pub kills: u32,
    /// Rounds in which everyone was killed.
    pub all_at_once: u32,
    pub seed: u64,
    pub submitted: u64,
    /// Transactions that clients saw final.
    #[serde(rename = "final")]
    pub finalized: u64,
    /// Of those, how many some validator lacks at the end.
    pub lost_final: usize,
    pub conflicting_final_blocks: usize,
    pub state_roots_equal: bool,
    /// Validators caught voting or proposing twice.
    pub double_votes: usize,
    /// From the last kill, so with the start of the processes where everyone was killed, to the
    /// first final block proposed after it.
    pub recovery_ms: Percentiles,
    /// How long the slowest recovery took in view timeouts as they stood before the kill.
    pub worst_recovery_timeouts: f64,
    /// Recoveries that took more than four view timeouts.
    pub late_recoveries: u32,
    pub blocks_final: u64,
    pub ok: bool,
}

/// Runs all rounds on a network of their own. `tell` hears how it goes.
///
/// # Errors
/// Where the network cannot be started, or dies.
pub async fn run(options: Options, mut tell: impl FnMut(String)) -> anyhow::Result<Report> {
    Scratch::with(
        options.dir.clone(),
        "soak",
        "the logs are",
        |report: &Report| report.ok,
        async |dir| soak(&options, dir, &mut tell).await,
    )
    .await
}

async fn soak(
    options: &Options,
    dir: &Path,
    tell: &mut impl FnMut(String),
) -> anyhow::Result<Report> {
    let spec = Spec { engine: options.engine, validators: VALIDATORS, accounts: DEFAULT_ACCOUNTS };
    let cluster = live::fresh(dir, spec).await?;

    let load = Background::start(&cluster, TPS, SENDERS).await?;
    let mut recoveries = Recoveries::default();
    let rounds = plan(VALIDATORS.into(), options.kills, options.seed);
    for (number, round) in rounds.iter().enumerate() {
        let recovery = play(&cluster, &load, round).await.with_context(|| {
            format!("round {} of {}, {:?}", number + 1, rounds.len(), round.victims)
        })?;
        tell(format!(
            "round {:>3} of {}: {}, live again after {} ms",
            number + 1,
            rounds.len(),
            match round.victims {
                Victims::One(id) => format!("killed {id}"),
                Victims::All => "killed everyone".into(),
            },
            recovery.took.as_millis()
        ));
        recoveries.add(recovery);
    }

    let seen = load.seen().clone();
    let outcome = load.finish().await?;
    let audit = audit(&cluster, &seen).await?;
    let singles = rounds.iter().filter(|round| round.victims != Victims::All).count() as u32;
    Ok(report(options, rounds.len() as u32 - singles, &outcome, &audit, &recoveries))
}

/// How long the network stood still, and how long it might have.
#[derive(Clone, Copy, Debug)]
struct Recovery {
    took: Duration,
    timeout: Duration,
}

#[derive(Debug, Default)]
struct Recoveries {
    latencies: Latencies,
    worst_timeouts: f64,
    late: u32,
}

impl Recoveries {
    fn add(&mut self, recovery: Recovery) {
        self.latencies.record(recovery.took);
        let timeouts = recovery.took.as_secs_f64() / recovery.timeout.as_secs_f64();
        self.worst_timeouts = self.worst_timeouts.max(timeouts);
        self.late += u32::from(timeouts > TIMEOUTS as f64);
    }
}

/// Plays one round and waits until everybody is up and caught up.
async fn play(cluster: &Cluster, load: &Background, round: &Round) -> anyhow::Result<Recovery> {
    tokio::time::sleep(round.calm).await;
    let timeout = live::view_timeout(cluster).await?;
    let victims = match round.victims {
        Victims::One(id) => vec![id],
        Victims::All => cluster.manifest()?.nodes.iter().map(|node| node.id).collect(),
    };
    for id in &victims {
        cluster.kill(*id)?;
    }
    // What is proposed from here on is none of their doing.
    let (killed, killed_ms) = (Instant::now(), unix_ms()?);
    if round.at_once || round.victims == Victims::All {
        cluster.start_all()?;
    }
    // A millisecond more: a block may have been proposed in the one of the kill.
    let live = until("a new final block", PATIENCE, async || {
        Ok(load.seen().first_proposed_after(killed_ms + 1))
    })
    .await?;
    cluster.start_all()?;
    live::all_answer(cluster).await?;
    live::caught_up(cluster, load.seen().highest()).await?;
    Ok(Recovery { took: live.saturating_duration_since(killed), timeout })
}

fn unix_ms() -> anyhow::Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

fn report(
    options: &Options,
    all_at_once: u32,
    outcome: &Outcome,
    audit: &Audit,
    recoveries: &Recoveries,
) -> Report {
    let mut report = Report {
        kills: options.kills,
        all_at_once,
        seed: options.seed,
        submitted: outcome.submitted,
        finalized: outcome.finalized,
        lost_final: audit.lost,
        conflicting_final_blocks: audit.conflicts.len(),
        state_roots_equal: audit.state_roots_equal(),
        double_votes: audit.evidence.len(),
        recovery_ms: recoveries.latencies.percentiles(),
        worst_recovery_timeouts: recoveries.worst_timeouts,
        late_recoveries: recoveries.late,
        blocks_final: audit.height.get(),
        ok: false,
    };
    report.ok = report.problems().is_empty();
    report
}

impl Report {
    /// What did not hold.
    pub fn problems(&self) -> Vec<String> {
        let missing = self.submitted - self.finalized;
        let checks = [
            (self.lost_final > 0, format!("{} final transactions are lost", self.lost_final)),
            (
                self.conflicting_final_blocks > 0,
                format!("{} heights have two final blocks", self.conflicting_final_blocks),
            ),
            (!self.state_roots_equal, "the state roots differ".into()),
            (self.double_votes > 0, format!("{} validators voted twice", self.double_votes)),
            (missing > 0, format!("{missing} transactions did not become final")),
            (
                self.late_recoveries > 0,
                format!("{} recoveries took over {TIMEOUTS} view timeouts", self.late_recoveries),
            ),
        ];
        checks.into_iter().filter(|(broken, _)| *broken).map(|(_, problem)| problem).collect()
    }
}
