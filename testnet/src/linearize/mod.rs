//! `testnet linearize`: concurrent clients read, write and compare-and-swap a few keys through
//! different nodes while those are killed, paused and cut off from each other; afterwards every
//! history is checked: it must be possible with one call at a time.
//!
//! A last history reads each node's own final state, which may be old: if that goes unnoticed, the
//! check is blind.

mod client;
mod history;
mod nemesis;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use anyhow::Context;
use consensus::registry::EngineName;
use consensus_sim::linearizability::CasAccess;
use node_api::AccountApiClient;
use node_api::kv::ReadLevel;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::audit::audit;
use crate::cluster::{Cluster, Spec};
use crate::load::seen::Seen;
use crate::scratch::Scratch;
use crate::verdict::Verdict;
use crate::{live, rpc};
use client::{Client, Setting, Written};
use history::{Entry, Findings, History, Line};
pub use nemesis::Fault;
use nemesis::Nemesis;

const VALIDATORS: u16 = 4;
/// The testnet's own; clients make theirs.
const ACCOUNTS: u32 = 2;
/// Keys per history: few, so that clients meet.
const KEYS: usize = 5;
/// A history of stale reads is looked for so often.
const CONTROLS: u32 = 3;
/// How long a history may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    pub engine: EngineName,
    pub histories: u32,
    /// Calls per history.
    pub operations: usize,
    pub clients: usize,
    pub faults: Vec<Fault>,
    pub seed: u64,
    pub dir: Option<PathBuf>,
}

/// The result.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub engine: String,
    pub seed: u64,
    pub histories: u32,
    /// Calls made in all of them.
    pub operations: u64,
    /// Of those, recorded: answered, or of unknown outcome.
    pub recorded: usize,
    pub reads: usize,
    pub writes: usize,
    /// Compare-and-swaps that found what they expected.
    pub swaps: usize,
    pub mismatches: usize,
    /// Writes and swaps whose client never learned the outcome.
    pub unknown: usize,
    pub faults: BTreeMap<&'static str, u32>,
    /// Histories that were checked and could have happened one call at a time.
    pub linearizable: u32,
    /// Calls that fit into no order.
    pub violations: Vec<Line>,
    /// Keys of histories with too many orders to try.
    pub undecided: usize,
    /// What the chains of the nodes show that must never be.
    pub chain: Vec<String>,
    /// Accounts whose nonce is not the number of their writes that are known to be final, or one
    /// more where one is of unknown outcome.
    pub wrong_nonces: usize,
    /// Accounts that were compared.
    pub accounts: usize,
    /// The slowest check of a history.
    pub slowest_check_ms: f64,
    /// Whether a history whose reads may be old was found to have old ones.
    pub stale_reads_noticed: bool,
    pub elapsed_s: f64,
}

/// Runs and checks all histories on a network of their own. `tell` hears how it goes.
///
/// # Errors
/// Where the network cannot be started, or dies.
pub async fn run(options: Options, mut tell: impl FnMut(String)) -> anyhow::Result<Report> {
    Scratch::with(options.dir.clone(), "linearize", "histories and logs are", async |dir| {
        all(&options, dir, &mut tell).await
    })
    .await
}

async fn all(
    options: &Options,
    dir: &Path,
    tell: &mut impl FnMut(String),
) -> anyhow::Result<Report> {
    let started = Instant::now();
    let spec = Spec { engine: options.engine, validators: VALIDATORS, accounts: ACCOUNTS };
    let cluster = live::fresh(dir, spec).await?;

    let mut report = Report {
        engine: options.engine.to_string(),
        seed: options.seed,
        histories: options.histories,
        ..Report::default()
    };
    let mut nemesis = Nemesis::new(&options.faults, options.seed);
    for number in 0..options.histories {
        let began = Instant::now();
        let history =
            play(&cluster, &mut nemesis, options, number, ReadLevel::Linearizable).await?;
        let findings = history.check();
        tell(format!(
            "history {:>3} of {}: {} calls in {:.1} s, {} of unknown outcome; {}",
            number + 1,
            options.histories,
            history.entries.len(),
            began.elapsed().as_secs_f64(),
            history.count(|call| call.answered.is_none()),
            findings.verdict(),
        ));
        report.compare_nonces(&cluster, &history).await?;
        if !findings.is_linearizable() {
            history.save(&dir.join(format!("history-{}.jsonl", number + 1)))?;
        }
        report.add(options, &history, &findings);
    }
    report.faults.clone_from(&nemesis.played);
    report.stale_reads_noticed = notices_stale_reads(&cluster, options, tell).await?;
    report.chain = audit(&cluster, &Seen::default()).await?.problems();
    report.elapsed_s = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Runs histories whose reads may be old, with a node cut off or paused again and again, until one
/// is found not to be linearizable.
async fn notices_stale_reads(
    cluster: &Cluster,
    options: &Options,
    tell: &mut impl FnMut(String),
) -> anyhow::Result<bool> {
    let mut nemesis = Nemesis::new(&[Fault::Partition], options.seed);
    for number in 0..CONTROLS {
        let number = options.histories + number;
        let history = play(cluster, &mut nemesis, options, number, ReadLevel::Final).await?;
        let findings = history.check();
        tell(format!("control with reads that may be old: {}", findings.verdict()));
        let read = |entry: &Entry| matches!(entry.call.operation, CasAccess::Read(_));
        if !findings.impossible.is_empty() && history.entries.iter().any(read) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One history: clients and faults together, until enough calls were made.
async fn play(
    cluster: &Cluster,
    nemesis: &mut Nemesis,
    options: &Options,
    number: u32,
    reads: ReadLevel,
) -> anyhow::Result<History> {
    let manifest = cluster.manifest()?;
    let key = |key: usize| format!("history-{number}-{key}").into_bytes();
    let setting = Arc::new(Setting {
        nodes: manifest.nodes,
        chain_id: manifest.chain_id,
        keys: (0..KEYS).map(key).collect(),
        reads,
        seed: options.seed.wrapping_mul(1_000_003).wrapping_add(number.into()),
        clients: options.clients,
        started: Instant::now(),
        left: AtomicUsize::new(options.operations),
    });
    let clients: JoinSet<(Vec<Entry>, Vec<Written>)> = (0..options.clients)
        .map(|number| Client::new(Arc::clone(&setting), number).run())
        .collect();
    let made = async {
        timeout(PATIENCE, clients.join_all())
            .await
            .with_context(|| format!("clients made too few calls in {} s", PATIENCE.as_secs()))
    };
    let (seen, broken) = tokio::join!(made, nemesis.run(cluster, || setting.is_over()));
    broken?;
    let (entries, written): (Vec<_>, Vec<_>) = seen?.into_iter().unzip();
    Ok(History { entries: entries.concat(), written: written.concat() })
}

impl Findings {
    fn is_linearizable(&self) -> bool {
        self.impossible.is_empty() && self.undecided == 0
    }

    fn verdict(&self) -> String {
        if self.is_linearizable() {
            return "linearizable".into();
        }
        format!("NOT linearizable on {} keys, {} undecided", self.impossible.len(), self.undecided)
    }
}

impl Report {
    /// Every account has written as often as its client knows: nothing was executed twice.
    async fn compare_nonces(&mut self, cluster: &Cluster, history: &History) -> anyhow::Result<()> {
        let client = rpc::http(&cluster.node(0)?, rpc::PATIENCE)?;
        live::caught_up(cluster, Some(history.height())).await?;
        for Written { account, known, unknown, .. } in &history.written {
            let nonce = client.get(*account).await?.nonce;
            let most = known + u64::from(*unknown);
            self.wrong_nonces += usize::from(!(*known..=most).contains(&nonce));
        }
        self.accounts += history.written.len();
        Ok(())
    }

    fn add(&mut self, options: &Options, history: &History, findings: &Findings) {
        self.operations += options.operations as u64;
        self.recorded += history.entries.len();
        self.unknown += history.count(|call| call.answered.is_none());
        let answered = |wanted: fn(&CasAccess) -> bool| {
            history.count(|call| call.answered.is_some() && wanted(&call.operation))
        };
        self.reads += answered(|operation| matches!(operation, CasAccess::Read(_)));
        self.writes += answered(|operation| matches!(operation, CasAccess::Write(_)));
        self.swaps += answered(|operation| matches!(operation, CasAccess::Swapped { .. }));
        self.mismatches += answered(|operation| matches!(operation, CasAccess::Mismatch { .. }));
        self.linearizable += u32::from(findings.is_linearizable());
        self.violations.extend(findings.impossible.iter().map(Entry::line));
        self.undecided += findings.undecided;
        self.slowest_check_ms = self.slowest_check_ms.max(milliseconds(findings.took));
    }
}

impl Verdict for Report {
    fn problems(&self) -> Vec<String> {
        let checks = [
            (
                !self.violations.is_empty(),
                format!("{} keys are not linearizable", self.violations.len()),
            ),
            (
                self.wrong_nonces > 0,
                format!("{} accounts have other nonces than writes", self.wrong_nonces),
            ),
            (self.undecided > 0, format!("{} keys are undecided", self.undecided)),
            (
                !self.stale_reads_noticed,
                "the check noticed no old read where reads may be old: it may be blind".into(),
            ),
        ];
        let problems = checks.into_iter().filter(|(broken, _)| *broken).map(|(_, problem)| problem);
        problems.chain(self.chain.iter().cloned()).collect()
    }

    fn summary(&self) -> String {
        let faults: Vec<String> =
            self.faults.iter().map(|(fault, count)| format!("{count} {fault}")).collect();
        format!(
            "{} of {} histories linearizable, {} keys undecided, in {:.0} s\n\
             {} calls: {} reads, {} writes, {} swaps, {} mismatches, {} of unknown outcome\n\
             the nonces of {} accounts are compared, {} are wrong\n\
             faults: {}; slowest check {:.0} ms; old reads noticed where asked for: {}",
            self.linearizable,
            self.histories,
            self.undecided,
            self.elapsed_s,
            self.recorded,
            self.reads,
            self.writes,
            self.swaps,
            self.mismatches,
            self.unknown,
            self.accounts,
            self.wrong_nonces,
            if faults.is_empty() { "none".into() } else { faults.join(", ") },
            self.slowest_check_ms,
            self.stale_reads_noticed,
        )
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
