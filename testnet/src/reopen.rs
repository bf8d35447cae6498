//! `testnet reopen`: makes a long chain, ends validators by SIGKILL or in good order, and takes the time from
//! their start to the first block that they help to make final.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use chain::governance::{Change, Parameter};
use consensus::registry::EngineName;
use serde::Serialize;

use crate::audit::audit;
use crate::cluster::{Cluster, DEFAULT_ACCOUNTS, Spec};
use crate::live::{self, until};
use crate::load::background::{Background, Since};
use crate::load::pump::Pace;
use crate::membership::govern;
use crate::verdict::Verdict;

const VALIDATORS: u16 = 4;
const SENDERS: usize = 1_000;
/// In flight while the chain grows, one transaction to a block.
const IN_FLIGHT: usize = 1_000;
/// Transactions per second while starts are timed.
const TPS: f64 = 50.0;
/// A block every so often is slow, and the chain may be long.
const SLOWEST_BLOCK: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(120);
/// How long it may take until validators vote.
const LIMIT: Duration = Duration::from_secs(5);

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    pub engine: EngineName,
    pub blocks: u32,
    pub dir: Option<PathBuf>,
}

/// One start.
#[derive(Clone, Debug, Serialize)]
pub struct Start {
    pub what: &'static str,
    /// From the start of the processes to the first final block that was proposed after it.
    pub voting_ms: f64,
}

/// The result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub engine: String,
    pub blocks: u64,
    /// How long the chain took to grow.
    pub grown_s: f64,
    pub starts: Vec<Start>,
    /// What the chains of the nodes show that must never be.
    pub chain: Vec<String>,
}

/// Runs it on a network of its own. `tell` hears how it goes.
///
/// # Errors
/// Where the network cannot be started, or dies.
pub async fn run(options: Options, mut tell: impl FnMut(String)) -> anyhow::Result<Report> {
    let spec = Spec { engine: options.engine, validators: VALIDATORS, accounts: DEFAULT_ACCOUNTS };
    live::on_its_own(options.dir.clone(), "reopen", spec, async |cluster| {
        all(&options, &cluster, &mut tell).await
    })
    .await
}

async fn all(
    options: &Options,
    cluster: &Cluster,
    tell: &mut impl FnMut(String),
) -> anyhow::Result<Report> {
    let parameter = Parameter::BlockTransactions(1);
    govern::pass(cluster, &Change::SetParameter { parameter }, |_| {}).await?;
    let grown = grow(cluster, options.blocks, tell).await?;

    let load = Background::start(cluster, TPS, SENDERS).await?;
    let mut starts = Vec::new();
    for (what, ids, killed) in [
        ("all, in good order", vec![0, 1, 2, 3], false),
        ("all, after SIGKILL", vec![0, 1, 2, 3], true),
        // Of three, all must vote.
        ("one of three, after SIGKILL", vec![3], true),
    ] {
        if let [id] = ids[..] {
            cluster.kill((id + 1) % 4)?;
        }
        let voting = start_again(cluster, &load, &ids, killed).await.context(what)?;
        tell(format!("{what}: voting after {:.0} ms", voting.as_secs_f64() * 1e3));
        starts.push(Start { what, voting_ms: voting.as_secs_f64() * 1e3 });
        cluster.start_all()?;
        live::all_answer(cluster).await?;
        live::caught_up(cluster, load.seen().highest()).await?;
    }
    let seen = load.seen().clone();
    load.finish().await?;
    let status = live::chain_status(&cluster.node(0)?).await.context("a node answers")?;
    Ok(Report {
        engine: options.engine.to_string(),
        blocks: status.height_final.get(),
        grown_s: grown.as_secs_f64(),
        starts,
        chain: audit(cluster, &seen).await?.problems(),
    })
}

async fn grow(
    cluster: &Cluster,
    blocks: u32,
    tell: &mut impl FnMut(String),
) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let load = Background::at(cluster, Pace::InFlight(IN_FLIGHT), SENDERS).await?;
    for tens in 0..=blocks / 10_000 {
        let goal = blocks.min(10_000 * (tens + 1));
        until("the chain to grow", PATIENCE + SLOWEST_BLOCK * 10_000, async || {
            let height = load.seen().highest().unwrap_or_default().get();
            Ok((height >= goal.into()).then_some(()))
        })
        .await?;
        tell(format!("{goal} blocks in {:.0} s", started.elapsed().as_secs_f64()));
    }
    let grown = started.elapsed();
    load.finish().await?;
    Ok(grown)
}

/// Ends validators and starts them again. How long until something new is final with them.
async fn start_again(
    cluster: &Cluster,
    load: &Background,
    ids: &[usize],
    killed: bool,
) -> anyhow::Result<Duration> {
    for id in ids {
        if killed { cluster.kill(*id)? } else { cluster.stop(*id)? }
    }
    let started = Since::now()?;
    for id in ids {
        cluster.start(*id)?;
    }
    load.next_block(started, PATIENCE).await
}

impl Verdict for Report {
    fn problems(&self) -> Vec<String> {
        let is_late = |start: &&Start| start.voting_ms > LIMIT.as_secs_f64() * 1e3;
        let late = self.starts.iter().filter(is_late).map(|Start { what, voting_ms }| {
            format!("{what}: voting after {voting_ms:.0} ms, over {} s", LIMIT.as_secs())
        });
        late.chain(self.chain.iter().cloned()).collect()
    }

    fn summary(&self) -> String {
        let starts: Vec<String> = self
            .starts
            .iter()
            .map(|Start { what, voting_ms }| format!("{what}: voting after {voting_ms:.0} ms"))
            .collect();
        format!("{} blocks, grown in {:.0} s\n{}", self.blocks, self.grown_s, starts.join("\n"))
    }
}
