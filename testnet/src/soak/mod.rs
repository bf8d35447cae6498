//! `testnet soak`: breaks validators, their disks and their clocks under load, again and again, and
//! checks that nothing final is lost, nobody votes twice, and the network lives on.

mod clock;
mod crash;
mod damage;
mod full;
mod growth;
mod pause;
mod plan;
mod player;
mod power;
mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use consensus::engine::FaultModel;
use consensus::policy::Policy;
use consensus::registry::EngineName;
use tokio::time::MissedTickBehavior;

use crate::audit::audit;
use crate::cluster::{Cluster, DEFAULT_ACCOUNTS, Spec};
use crate::crash_point::CrashPoint;
use crate::load::background::Background;
use crate::said::{self, SaidLog};
use crate::scratch::Scratch;
use crate::{disk, live};
use growth::Samples;
pub use plan::Rounds;
use plan::{by_the_minute, plan};
use player::Player;
use report::Findings;
pub use report::Report;

const VALIDATORS: u16 = 4;
const TPS: f64 = 200.0;
const SENDERS: usize = 1000;
/// A network that makes nothing final for so long is dead.
const PATIENCE: Duration = Duration::from_secs(120);
/// Blocks between two snapshots, so that many are taken in a run.
const SNAPSHOT_INTERVAL: u64 = 40;

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    pub engine: EngineName,
    pub policy: Policy,
    pub rounds: Rounds,
    /// A round a minute of all kinds, after the others.
    pub minutes: u32,
    /// Plants a fault that the checks must find: disks that report every sync as done, and lose all.
    pub lying_disks: bool,
    pub seed: u64,
    pub dir: Option<PathBuf>,
}

impl Options {
    /// Where validators of this network may come to. Epochs are ended by jailing, which needs an
    /// engine that can prove a lie.
    fn points(&self) -> Vec<CrashPoint> {
        let modes = self.engine.switches_modes() && self.policy == Policy::Adaptive;
        let jails = self.engine.fault_model() == FaultModel::Byzantine;
        let fits =
            |point: &CrashPoint| (modes || !point.needs_modes()) && (jails || !point.ends_epoch());
        CrashPoint::ALL.into_iter().filter(fits).collect()
    }

    fn check(&self) -> anyhow::Result<()> {
        let (engine, Rounds { old_disks, twins, .. }) = (self.engine, self.rounds);
        if engine.fault_model() == FaultModel::Crash && old_disks + twins > 0 {
            bail!(
                "{engine} signs no votes, so nobody notices old disks and second processes there"
            );
        }
        Ok(())
    }
}

/// Runs all rounds on a network of their own. `tell` hears how it goes.
///
/// # Errors
/// Where the network cannot be started, or dies.
pub async fn run(options: Options, mut tell: impl FnMut(String)) -> anyhow::Result<Report> {
    options.check()?;
    Scratch::with(options.dir.clone(), "soak", "the logs are", async |dir| {
        soak(&options, dir, &mut tell).await
    })
    .await
}

async fn soak(
    options: &Options,
    dir: &Path,
    tell: &mut impl FnMut(String),
) -> anyhow::Result<Report> {
    let cluster = network(options, dir).await?;
    let load = Background::start(&cluster, TPS, SENDERS).await?;
    let points = options.points();
    let mut rounds = plan(VALIDATORS.into(), &options.rounds, &points, options.seed);
    let at_once = rounds.len();
    let bears_lies = options.engine.fault_model() == FaultModel::Byzantine;
    let minutes = options.minutes;
    rounds.extend(by_the_minute(VALIDATORS.into(), minutes, &points, bears_lies, options.seed));
    let mut player = Player::new(&cluster, &load, options.seed);
    let mut samples = Samples::default();
    let mut minutes = tokio::time::interval(Duration::from_secs(60));
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for (number, round) in rounds.iter().enumerate() {
        if number >= at_once {
            minutes.tick().await;
            samples.take(&cluster, load.progress().so_far().finalized).await?;
        }
        let what = round.fault.name();
        let told = player
            .play(round)
            .await
            .with_context(|| format!("round {} of {}: {what}", number + 1, rounds.len()))?;
        tell(format!("round {:>3} of {}: {what}{told}", number + 1, rounds.len()));
    }
    let mut findings = player.findings;
    findings.growth = samples.growth();

    let seen = load.seen().clone();
    let outcome = load.finish().await?;
    let blocks = seen.highest().unwrap_or_default();
    tell(format!("comparing what the validators hold, {blocks} blocks each"));
    let audit = audit(&cluster, &seen).await?;
    for node in cluster.manifest()?.nodes {
        let said = said::read(&cluster.home(&node))?;
        findings.promises += said.slots;
        findings.contradictions.extend(said.contradictions);
    }
    let told: Vec<_> = seen.blocks().into_values().collect();
    Ok(Report::new(options, &rounds, &outcome, &audit, &told, findings))
}

/// A network as the rounds need it, which makes blocks.
async fn network(options: &Options, dir: &Path) -> anyhow::Result<Cluster> {
    let spec = Spec { engine: options.engine, validators: VALIDATORS, accounts: DEFAULT_ACCOUNTS };
    let mut cluster = Cluster::create(dir, spec)?.attach(true);
    cluster.configure(|config| config.storage.snapshot_interval = SNAPSHOT_INTERVAL)?;
    cluster.set_policy(options.policy)?;
    if options.rounds.need_faulty_disks() || options.minutes > 0 {
        cluster = cluster.on_faulty_disks()?;
    }
    for node in cluster.manifest()?.nodes {
        SaidLog::begin(&cluster.home(&node))?;
    }
    live::begin(&cluster).await?;
    if options.lying_disks {
        for node in cluster.manifest()?.nodes {
            disk::Knobs::of(&cluster.home(&node))?.lie(true)?;
        }
    }
    Ok(cluster)
}
