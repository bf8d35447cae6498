//! `testnet fork`: more liars than the set bears. Two of four validators run twice, once on each side of
//! a cut that each of the two honest ones sees as the whole network. Both sides go on, and what is final
//! there differs. The honest ones must survive meeting each other, and anyone must be able to prove from
//! their two disks who did it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chain::crypto::Ed25519;
use chain::light::{Claim, Proof, Trust, signers_of_both};
use chain::types::Height;
use consensus::engine::FaultModel;
use consensus::registry::EngineName;
use serde::Serialize;
use serde_json::Value;

use crate::cluster::{Cluster, Spec};
use crate::live;
use crate::scratch::{Scratch, copy};
use crate::verdict::Verdict;

/// On both sides.
const LIARS: [usize; 2] = [0, 1];
/// On one side each.
const HONEST: [usize; 2] = [2, 3];
/// Blocks that each side makes final for itself.
const BLOCKS: u64 = 10;
const ACCOUNTS: u32 = 16;
/// How long the honest ones are watched once they hear each other.
const MEETING: Duration = Duration::from_secs(3);

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    pub engine: EngineName,
    pub dir: Option<PathBuf>,
}

/// The result.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub engine: String,
    /// Final blocks on each side.
    pub heights: [u64; 2],
    /// The first height with two final blocks.
    pub fork: Option<u64>,
    /// What the proof says.
    pub statement: Option<String>,
    /// Validators that signed for both.
    pub signers_of_both: Vec<u16>,
    /// Whether the proof holds for whoever has the genesis, and for nobody once a byte is changed.
    pub proof_holds: bool,
    pub changed_proof_refused: bool,
    /// Whether two disks of one side are found to be one chain.
    pub one_side_agrees: bool,
    /// Honest validators that ended or panicked, with their last line.
    pub crashed: Vec<String>,
}

/// Forks a network of its own. `tell` hears how it goes.
///
/// # Errors
/// Where the engine has no certificates, or a side does not go on.
pub async fn run(options: Options, mut tell: impl FnMut(String)) -> anyhow::Result<Report> {
    if options.engine.fault_model() == FaultModel::Crash {
        bail!("{} has no certificates to prove a fork with: choose another", options.engine);
    }
    Scratch::with(options.dir.clone(), "fork", "both sides are", async |dir| {
        play(options.engine, dir, &mut tell).await
    })
    .await
}

async fn play(
    engine: EngineName,
    dir: &Path,
    tell: &mut impl FnMut(String),
) -> anyhow::Result<Report> {
    let paths = [dir.join("one"), dir.join("other")];
    let one = Cluster::create(&paths[0], Spec { engine, validators: 4, accounts: ACCOUNTS })?
        .attach(true);
    copy(&paths[0], &paths[1])?;
    let other = Cluster::open(&paths[1])?.attach(true);
    other.change_ports()?;
    let mut report = Report { engine: engine.to_string(), ..Report::default() };
    for ((side, honest), height) in [&one, &other].into_iter().zip(HONEST).zip(&mut report.heights)
    {
        *height = grow(side, honest).await?.get();
        tell(format!("validators 0, 1 and {honest} by themselves: {height} blocks are final"));
    }
    for side in [&one, &other] {
        side.stop_all()?;
    }
    report.crashed = meet(&one, &other).await?;
    tell(format!("the honest ones met: {} crashed", report.crashed.len()));
    report.one_side_agrees = inspect(&one, [&one, &one], [0, HONEST[0]], None)?["fork"].is_null();
    judge(&one, &other, &dir.join("fork.json"), &mut report)?;
    Ok(report)
}

/// Has the liars and one honest validator make blocks by themselves.
async fn grow(side: &Cluster, honest: usize) -> anyhow::Result<Height> {
    for id in [LIARS[0], LIARS[1], honest] {
        side.start(id)?;
    }
    live::all_answer(side).await?;
    let node = side.node(honest)?;
    let mut height = Height::default();
    while height.get() < BLOCKS {
        height = live::make_block(side, &node, live::START_PATIENCE).await?;
    }
    live::caught_up(side, Some(height)).await?;
    Ok(height)
}

/// Starts the liars on one side and the honest ones of both, which hear each other now. Who of the
/// honest ones does not bear that.
async fn meet(one: &Cluster, other: &Cluster) -> anyhow::Result<Vec<String>> {
    one.adopt(HONEST[1], other)?;
    one.start_all()?;
    live::all_answer(one).await?;
    let deadline = Instant::now() + MEETING;
    let is_up = || HONEST.iter().all(|id| one.node(*id).is_ok_and(|node| node.is_alive()));
    while Instant::now() < deadline && is_up() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut crashed = Vec::new();
    for id in HONEST {
        let node = one.node(id)?;
        let log = one.log(&node);
        let panicked = live::last_panic(&log)?.is_some();
        if !node.is_alive() || panicked || live::chain_status(&node).await.is_none() {
            crashed.push(format!("validator {id}: {}", live::last_line(&log)));
        }
    }
    one.stop_all()?;
    Ok(crashed)
}

/// Proves the fork from the disks of the two honest validators.
fn judge(one: &Cluster, other: &Cluster, file: &Path, report: &mut Report) -> anyhow::Result<()> {
    let found = inspect(one, [one, other], HONEST, Some(file))?;
    report.fork = found["fork"]["height"].as_u64();
    if !file.exists() {
        return Ok(());
    }
    let text = std::fs::read(file)?;
    let genesis = one.genesis()?;
    let trust = Trust { chain_id: genesis.hash(), validators: genesis.validator_set() };
    let holds = |text: &[u8]| Proof::from_json(text)?.verify(&trust, &Ed25519);
    let verdict = holds(&text);
    report.proof_holds = verdict.is_ok();
    report.statement = verdict.ok().map(|verdict| verdict.statement);
    let Claim::Fork { first, second } = Proof::from_json(&text)?.claim else {
        bail!("{} is no proof of a fork", file.display());
    };
    report.signers_of_both =
        signers_of_both(&first, &second).iter().map(|signer| signer.get()).collect();
    report.changed_proof_refused = (0..text.len()).step_by(97).all(|place| {
        let mut changed = text.clone();
        changed[place] ^= 1;
        holds(&changed).is_err()
    });
    Ok(())
}

/// What `node inspect` says of two homes.
fn inspect(
    cluster: &Cluster,
    sides: [&Cluster; 2],
    ids: [usize; 2],
    proof: Option<&Path>,
) -> anyhow::Result<Value> {
    let home = |side: usize| anyhow::Ok(sides[side].home(&sides[side].node(ids[side])?));
    let mut command = Command::new(cluster.binary().with_file_name("node"));
    command.arg("inspect").arg("--json").arg("--home").arg(home(0)?);
    command.arg("--against").arg(home(1)?);
    if let Some(proof) = proof {
        command.arg("--proof").arg(proof);
    }
    let output = command.output().context("cannot run the program `node`")?;
    let answer: Value = serde_json::from_slice(&output.stdout).context("`node inspect` failed")?;
    if let Some(message) = answer["error"]["message"].as_str() {
        bail!("node inspect: {message}");
    }
    Ok(answer)
}

impl Verdict for Report {
    fn problems(&self) -> Vec<String> {
        let liars: Vec<u16> = LIARS.iter().map(|id| *id as u16).collect();
        let checks = [
            (self.fork.is_none(), "no fork is found: the check may be blind".to_owned()),
            (!self.one_side_agrees, "two disks of one side are taken for a fork".into()),
            (!self.proof_holds, "the fork is not proven".into()),
            (
                self.signers_of_both != liars,
                format!("{:?} are named as signers of both, not {liars:?}", self.signers_of_both),
            ),
            (!self.changed_proof_refused, "a changed proof is taken".into()),
            (!self.crashed.is_empty(), format!("honest nodes crashed: {:?}", self.crashed)),
        ];
        checks.into_iter().filter(|(broken, _)| *broken).map(|(_, problem)| problem).collect()
    }

    fn summary(&self) -> String {
        let [one, other] = self.heights;
        format!(
            "{one} and {other} blocks final on the two sides of {}; {} honest nodes crashed when they \
             met\n{}",
            self.engine,
            self.crashed.len(),
            self.statement.as_deref().unwrap_or("no proof of a fork")
        )
    }
}
