//! `testnet determinism`: validators of two builds, on different processors and with the hash seeds that each
//! process draws for itself, execute the same mixed transactions. Every block carries the state root, so
//! one that executes otherwise would refuse it; in the end a fresh node of each build executes the whole
//! chain again, from the genesis.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chain::types::Digest;
use consensus::registry::EngineName;
use serde::Serialize;

use crate::audit::audit;
use crate::cli::PayloadKind;
use crate::cluster::{Cluster, DEFAULT_ACCOUNTS, Program, Spec};
use crate::live::{self, until};
use crate::load::pool::Pool;
use crate::load::pump::{Pace, Pump, Until};
use crate::load::seen::Seen;
use crate::scratch::Scratch;
use crate::verdict::Verdict;

const VALIDATORS: u16 = 4;
const SENDERS: u32 = 1_000;
/// Transactions that wait at any time.
const IN_FLIGHT: usize = 2_000;
/// How long a fresh node may take per thousand transactions, and in any case.
const AGAIN: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(120);

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    pub engine: EngineName,
    pub transactions: u32,
    /// Another build of `testnet-validator`, which two of the four run.
    pub other: Option<PathBuf>,
    pub dir: Option<PathBuf>,
}

/// The result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub engine: String,
    /// What each validator runs on.
    pub processors: Vec<String>,
    /// Whether two of them are of another build.
    pub other_build: bool,
    pub submitted: u64,
    #[serde(rename = "final")]
    pub finalized: u64,
    /// Of those, refused by execution.
    pub failed: u64,
    pub blocks: u64,
    /// After the last block: of all validators, then of the nodes that executed all of it again.
    pub state_roots: Vec<Digest>,
    pub executed_again: Vec<Digest>,
    /// What the chains of the nodes show that must never be.
    pub chain: Vec<String>,
    pub elapsed_s: f64,
}

/// Runs it on a network of its own. `tell` hears how it goes.
///
/// # Errors
/// Where the network cannot be started, or dies.
pub async fn run(options: Options, mut tell: impl FnMut(String)) -> anyhow::Result<Report> {
    if let Some(other) = options.other.as_ref().filter(|other| !other.is_file()) {
        bail!("{} is no program: build it first", other.display());
    }
    Scratch::with(options.dir.clone(), "determinism", "the logs are", async |dir| {
        all(&options, dir, &mut tell).await
    })
    .await
}

/// Alternates the build, and gives the second half one processor each.
fn program(options: &Options, id: usize, cores: usize) -> Program {
    let binary = options.other.clone().filter(|_| id % 2 == 1);
    let cores = (id % 4 >= 2).then(|| (id % cores).to_string());
    Program { binary, cores }
}

async fn all(
    options: &Options,
    dir: &Path,
    tell: &mut impl FnMut(String),
) -> anyhow::Result<Report> {
    let (started, cores) = (Instant::now(), std::thread::available_parallelism()?.get());
    let spec = Spec { engine: options.engine, validators: VALIDATORS, accounts: DEFAULT_ACCOUNTS };
    let mut cluster = Cluster::create(dir, spec)?.attach(true);
    let validators = usize::from(VALIDATORS);
    // Two more execute everything again at the end.
    for id in 0..validators + 2 {
        cluster = cluster.with_program(id, program(options, id, cores));
    }
    live::begin(&cluster).await?;

    let seen = Seen::default();
    let mut pool = Pool::of(&cluster, 0..SENDERS, PayloadKind::Mixed).await?;
    let nodes = cluster.manifest()?.nodes;
    let pump = Pump::new(nodes, &mut pool, Pace::InFlight(IN_FLIGHT), seen.clone());
    let outcome = pump.run(Until::Submitted(options.transactions as usize), |_| {}).await?;
    tell(format!(
        "{} transactions final in {:.0} s, {} of them refused by execution",
        outcome.finalized,
        started.elapsed().as_secs_f64(),
        outcome.failed
    ));
    let audit = audit(&cluster, &seen).await?;
    let mut executed_again = Vec::new();
    for _ in 0..2 {
        executed_again.push(execute_again(&cluster, options, audit.height.get()).await?);
        tell(format!("a fresh node executed {} blocks again", audit.height));
    }
    let processors = (0..validators).map(|id| program(options, id, cores).cores);
    Ok(Report {
        engine: options.engine.to_string(),
        processors: processors.map(|cores| cores.unwrap_or_else(|| "all".into())).collect(),
        other_build: options.other.is_some(),
        submitted: outcome.submitted,
        finalized: outcome.finalized,
        failed: outcome.failed,
        blocks: audit.height.get(),
        chain: audit.problems(),
        state_roots: audit.state_roots,
        executed_again,
        elapsed_s: started.elapsed().as_secs_f64(),
    })
}

/// The state root of a fresh node that has nothing but the genesis and the blocks.
async fn execute_again(
    cluster: &Cluster,
    options: &Options,
    height: u64,
) -> anyhow::Result<Digest> {
    let id = cluster.add_node()?.id;
    cluster.start(id)?;
    let node = cluster.node(id)?;
    live::answers(cluster, &node).await?;
    let patience = PATIENCE + AGAIN * (options.transactions / 1_000);
    let status = until("a fresh node to execute everything", patience, async || {
        let status = live::chain_status(&node).await;
        Ok(status.filter(|status| status.height_final.get() >= height))
    })
    .await
    .with_context(|| format!("see {}", cluster.log(&node).display()))?;
    cluster.stop(id)?;
    Ok(status.state_root)
}

impl Verdict for Report {
    fn problems(&self) -> Vec<String> {
        let root = self.state_roots.first();
        let missing = self.submitted - self.finalized;
        let checks = [
            (
                self.executed_again.iter().any(|again| Some(again) != root),
                "executed again from the genesis, the state is another".to_owned(),
            ),
            (missing > 0, format!("{missing} transactions did not become final")),
            (
                self.failed == 0 || self.failed == self.finalized,
                "all transactions or none were refused by execution: they are not mixed".into(),
            ),
        ];
        let problems = checks.into_iter().filter(|(broken, _)| *broken).map(|(_, problem)| problem);
        problems.chain(self.chain.iter().cloned()).collect()
    }

    fn summary(&self) -> String {
        format!(
            "{} mixed transactions in {} blocks, {} refused by execution; {} validators {} agree on the \
             state, and so do {} nodes that executed all again; {:.0} s",
            self.finalized,
            self.blocks,
            self.failed,
            self.state_roots.len(),
            if self.other_build { "of two builds" } else { "of one build" },
            self.executed_again.len(),
            self.elapsed_s
        )
    }
}
