//! `testnet churn`: changes the set of validators again and again under load, kills validators in the
//! middle of some changes, and checks that nothing is lost and finality does not pause.

mod plan;
mod report;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use chain::governance::KeyKind;
use consensus::registry::EngineName;
use node_api::chain::ValidatorInfo;

use crate::audit::audit;
use crate::cluster::manifest::NodeEntry;
use crate::cluster::{Cluster, DEFAULT_ACCOUNTS, Spec};
use crate::load::background::Background;
use crate::load::seen::Seen;
use crate::membership::govern::{self, Refusal};
use crate::membership::{self, Changed};
use crate::{faults, live};
use plan::{Change, Kind, Strike, plan};
pub use report::Report;
use report::{Record, Struck};

const VALIDATORS: u16 = 4;
/// Most nodes that run, where it can be helped: those that left would crowd out the validators.
const MAX_NODES: usize = 8;
const TPS: f64 = 50.0;
const SENDERS: usize = 500;
/// How long a change may be refused for reasons that pass.
const PATIENCE: Duration = Duration::from_secs(60);
const REST: Duration = Duration::from_millis(200);
/// How often it is asked who leads while a validator is dead.
const LOOK: Duration = Duration::from_millis(50);

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    pub engine: EngineName,
    pub changes: u32,
    pub seed: u64,
    pub dir: Option<PathBuf>,
}

/// Makes all changes on a network of their own. `tell` hears how it goes.
///
/// # Errors
/// Where the network cannot be started, dies, or refuses a change for good.
pub async fn run(options: Options, mut tell: impl FnMut(String)) -> anyhow::Result<Report> {
    let spec = Spec { engine: options.engine, validators: VALIDATORS, accounts: DEFAULT_ACCOUNTS };
    live::on_its_own(options.dir.clone(), "churn", spec, async |cluster| {
        churn(&options, &cluster, &mut tell).await
    })
    .await
}

async fn churn(
    options: &Options,
    cluster: &Cluster,
    tell: &mut impl FnMut(String),
) -> anyhow::Result<Report> {
    let load = Background::start(cluster, TPS, SENDERS).await?;
    let mut records = Vec::new();
    let changes = plan(options.changes, options.seed, options.engine.fault_model());
    for (number, change) in changes.iter().enumerate() {
        let record = play(cluster, load.seen(), change).await.with_context(|| {
            format!("change {} of {}: {}", number + 1, changes.len(), change.kind)
        })?;
        tell(format!("change {:>3} of {}: {record}", number + 1, changes.len()));
        records.push(record);
    }
    let seen = load.seen().clone();
    let outcome = load.finish().await?;
    let audit = audit(cluster, &seen).await?;
    let validators = govern::validators(cluster).await?.len();
    Ok(Report::new(options, &records, &outcome, &audit, validators))
}

/// Makes one change and waits until everybody runs and has caught up.
async fn play(cluster: &Cluster, seen: &Seen, change: &Change) -> anyhow::Result<Record> {
    tokio::time::sleep(change.calm).await;
    let timeout = live::view_timeout(cluster).await?;
    let validators = validating(cluster).await?;
    let subject = subject(&validators, change)?;
    let began = Instant::now();
    let (changed, struck) = tokio::join!(
        make(cluster, change, subject),
        strike(cluster, &validators, change.strike.as_ref()),
    );
    let ((changed, retries), struck) = (changed?, struck?);
    let ended = Instant::now();
    live::caught_up(cluster, seen.highest()).await?;
    Ok(Record {
        kind: change.kind,
        node: changed.id,
        took: ended - began,
        retries,
        struck,
        pause: seen.longest_pause(began, Instant::now()),
        timeout,
        epoch: changed.epoch,
    })
}

/// The nodes that are validators now.
async fn validating(cluster: &Cluster) -> anyhow::Result<Vec<(NodeEntry, ValidatorInfo)>> {
    let set = govern::validators(cluster).await?;
    let mut found = Vec::new();
    for node in cluster.manifest()?.nodes {
        let key = cluster.key(&node, KeyKind::Consensus)?.public();
        if let Some(validator) = set.iter().find(|validator| validator.consensus_key == key) {
            found.push((node, validator.clone()));
        }
    }
    Ok(found)
}

/// The node that a change is about; `None` for a new one.
fn subject(
    validators: &[(NodeEntry, ValidatorInfo)],
    change: &Change,
) -> anyhow::Result<Option<usize>> {
    let fits = |validator: &ValidatorInfo| match change.kind {
        Kind::Jail => !validator.jailed,
        Kind::Pardon => validator.jailed,
        Kind::Join | Kind::Leave | Kind::Rotate(_) => true,
    };
    if change.kind == Kind::Join {
        return Ok(None);
    }
    let fitting = validators.iter().filter(|(_, validator)| fits(validator));
    let fitting: Vec<usize> = fitting.map(|(node, _)| node.id).collect();
    let chosen = fitting.get(change.subject % fitting.len().max(1));
    Ok(Some(*chosen.context("no validator fits the change")?))
}

/// Makes a change, again while it is refused for a reason that passes. Also how often it was refused.
async fn make(
    cluster: &Cluster,
    change: &Change,
    subject: Option<usize>,
) -> anyhow::Result<(Changed, u32)> {
    let newcomer = cluster.manifest()?.nodes.len();
    let deadline = Instant::now() + PATIENCE;
    let mut refused = 0;
    loop {
        // A node that was made before it was refused is there, as an observer.
        let made = cluster.manifest()?.nodes.get(newcomer).map(|node| node.id);
        match attempt(cluster, change, subject.or(made)).await {
            Ok(changed) => return Ok((changed, refused)),
            Err(error) if Refusal::may_pass_later(&error) && Instant::now() < deadline => {
                refused += 1;
                tokio::time::sleep(REST).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn attempt(
    cluster: &Cluster,
    change: &Change,
    subject: Option<usize>,
) -> anyhow::Result<Changed> {
    let tell = &mut |_| {};
    let Some(id) = subject else {
        return membership::join(cluster, None, tell).await;
    };
    match change.kind {
        Kind::Join => membership::join(cluster, Some(id), tell).await,
        // The nodes of the beginning stay: load goes through them.
        Kind::Leave => {
            let crowded = cluster.processes()?.len() > MAX_NODES;
            let stop = (change.stop || crowded) && id >= usize::from(VALIDATORS);
            membership::leave(cluster, id, stop, tell).await
        }
        Kind::Rotate(kind) => membership::rotate(cluster, id, kind, tell).await,
        Kind::Jail => membership::jail(cluster, id, tell).await,
        Kind::Pardon => membership::pardon(cluster, id, tell).await,
    }
}

/// Kills a validator in the middle of a change and starts it again. Whether it led then or came to
/// lead, if anyone was killed.
async fn strike(
    cluster: &Cluster,
    validators: &[(NodeEntry, ValidatorInfo)],
    strike: Option<&Strike>,
) -> anyhow::Result<Option<Struck>> {
    let Some(strike) = strike else {
        return Ok(None);
    };
    tokio::time::sleep(strike.after).await;
    let (victim, _) = &validators[strike.victim % validators.len()];
    // Between two leaders nobody can tell whether it would have led.
    let mut led = faults::leader(cluster).await?.is_none_or(|leader| leader == victim.id);
    if cluster.kill(victim.id).is_err() {
        // It was told to leave and is gone.
        return Ok(None);
    }
    let back = Instant::now() + strike.lasts;
    while Instant::now() < back {
        tokio::time::sleep(LOOK).await;
        // A new epoch may begin under a dead leader.
        led |= faults::leader(cluster).await? == Some(victim.id);
    }
    cluster.start(victim.id)?;
    live::answers(cluster, &cluster.node(victim.id)?).await?;
    Ok(Some(Struck { id: victim.id, led }))
}
