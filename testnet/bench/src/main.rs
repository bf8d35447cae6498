//! `bench`: how fast the chain is, and how fast others are on the same machine in the same run.
//!
//! docs/performance.md says what each benchmark is and shows the last results.

mod budget;
mod chapter;
mod counts;
mod delays;
mod engines;
mod etcd;
mod machine;
mod method;
mod network;
mod ordering;
mod recovery;
mod results;
mod signed;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::machine::{Machine, Weather};
use crate::results::{Goal, Results, Table};

/// Measures the chain, beside its peers where there are some.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    how: How,
}

#[derive(Clone, Debug, Args)]
struct How {
    /// Write the results to this file too
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How often everything is measured in turn
    #[arg(long, global = true, default_value_t = method::MIN_PAIRS, value_name = "COUNT")]
    pairs: usize,
    /// Measure although other programs are busy; the results say so
    #[arg(long, global = true)]
    loud: bool,
    /// Short runs, to see that it works; the results are worth little
    #[arg(long, global = true)]
    quick: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Measure(Benchmark),
    /// Puts the results of a folder of JSON files into docs/performance.md
    Chapter {
        /// Where the files NAME.json are
        folder: PathBuf,
        /// The page with the two markers
        #[arg(default_value = "docs/performance.md")]
        page: PathBuf,
    },
}

#[derive(Clone, Debug, Subcommand)]
enum Benchmark {
    /// S1: signed transfers of 200 bytes through four validator processes
    Signed,
    /// S2: opaque payloads through the hybrid beside commonware-consensus and hotstuff_rs, in process
    Ordering,
    /// S3: Raft and Multi-Paxos beside the crates raft and omnipaxos, in process
    Engines,
    /// S3: our Raft over the network beside etcd, and a transfer beside a put
    Etcd,
    /// Where processor time goes, as perf sees it: of validators, and of engines in process
    Budget {
        /// Write a flame graph to this file too
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
    /// S4: how many network delays a block takes to become final
    Delays,
    /// S6: how soon a network goes on after something went wrong
    Recovery,
    /// S5: exact messages, signatures and bytes per decided block
    Counts,
}

impl Benchmark {
    const fn name(&self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Ordering => "ordering",
            Self::Engines => "engines",
            Self::Etcd => "etcd",
            Self::Budget { .. } => "budget",
            Self::Delays => "delays",
            Self::Recovery => "recovery",
            Self::Counts => "counts",
        }
    }

    /// Whether what it finds depends on the machine.
    const fn is_timed(&self) -> bool {
        !matches!(self, Self::Counts)
    }

    /// `None` where the peer is not there.
    async fn run(&self, pairs: usize, quick: bool) -> anyhow::Result<Option<Found>> {
        Ok(Some(match self {
            Self::Counts => (counts::tables().into(), Vec::new()),
            // They run runtimes of their own.
            Self::Engines => {
                tokio::task::spawn_blocking(move || engines::run(pairs, quick)).await??
            }
            Self::Ordering => {
                tokio::task::spawn_blocking(move || ordering::run(pairs, quick)).await??
            }
            Self::Signed => signed::run(pairs, quick).await?,
            Self::Etcd => return etcd::run(pairs, quick).await,
            Self::Budget { svg } => (budget::run(quick, svg.as_deref()).await?, Vec::new()),
            Self::Delays => (vec![delays::simulated(), delays::real(quick).await?], Vec::new()),
            Self::Recovery => recovery::run(pairs, quick).await?,
        }))
    }
}

/// What a benchmark finds.
type Found = (Vec<Table>, Vec<Goal>);

fn main() -> ExitCode {
    let Arguments { command, how } = Arguments::parse();
    let done = match command {
        Command::Chapter { folder, page } => chapter::write(&folder, &page),
        Command::Measure(benchmark) => measure(benchmark, &how),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(benchmark: Benchmark, how: &How) -> anyhow::Result<()> {
    let weather = benchmark.is_timed().then(|| Weather::check(how.loud)).transpose()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let Some((tables, goals)) = runtime.block_on(benchmark.run(how.pairs, how.quick))? else {
        println!("etcd is not there: install etcd-server (Debian) to compare with it");
        return Ok(());
    };
    let mut notes = Vec::new();
    if how.quick {
        notes.push("A quick look: short runs, worth little.".to_owned());
    }
    let line = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let results = Results {
        benchmark: benchmark.name().to_owned(),
        command: format!("bench {line}"),
        machine: Machine::this(),
        weather,
        tables,
        goals,
        notes,
    };
    results.publish(how.json.as_deref())
}
