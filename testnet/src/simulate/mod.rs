//! Drives the simulator: arguments in, reports out. What a run is and what it shows is all in
//! `consensus-sim`.

pub mod args;
mod output;
mod progress;

use std::fs::File;
use std::io::{self, BufWriter};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use consensus_sim::report::{Report, Summary};
use consensus_sim::simulate::{Request, Story, Sweep, Variation, run_all};
use consensus_sim::trace::{JsonLines, Mermaid, Sink, Window};

use self::args::{Scenarios, Simulate};
use self::output::Output;
use self::progress::Progress;

/// Most runs of one call.
const MAX_RUNS: u64 = 10_000_000;

/// Wrong arguments, as clap reports them.
const USAGE: u8 = 2;

/// Runs what the arguments ask for.
///
/// # Errors
/// Where a file cannot be written.
pub fn run(args: &Simulate) -> anyhow::Result<ExitCode> {
    let requests = match requests(args) {
        Ok(requests) => requests,
        Err(error) => {
            eprintln!("error: {error:#}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let written = match requests.as_slice() {
        [request] if args.sweep.is_empty() && args.seeds == 1 => run_one(args, request),
        requests => run_many(args, requests),
    };
    match written {
        // Whoever read our output has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        other => other.map(ExitCode::from),
    }
}

/// Lists the scenarios.
///
/// # Errors
/// Where stdout cannot be written.
pub fn list(args: &Scenarios) -> anyhow::Result<ExitCode> {
    match output::scenarios(&Story::list(), args.json) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn requests(args: &Simulate) -> anyhow::Result<Vec<Request>> {
    let sweep = Sweep { axes: args.sweep.clone() };
    let runs = sweep.runs(args.seeds);
    anyhow::ensure!(runs <= MAX_RUNS, "{runs} runs are too many; at most {MAX_RUNS}");
    let is_traced = args.trace.is_some() || args.mermaid.is_some();
    anyhow::ensure!(!is_traced || runs == 1, "a trace is of one run, not of {runs}");
    let stdout = args.csv.as_deref() == Some(Path::new("-"));
    anyhow::ensure!(!(args.json && stdout), "JSON and CSV cannot both go to stdout");
    let base = Request {
        engine: args.engine,
        story: story(args)?,
        validators: args.validators,
        seed: args.seed,
        duration: args.duration,
        variation: Variation { policy: args.policy, ..Variation::default() },
    };
    let requests = sweep.requests(&base, args.seeds);
    requests.iter().try_for_each(Request::check)?;
    Ok(requests)
}

fn story(args: &Simulate) -> anyhow::Result<Story> {
    let Some(path) = &args.scenario_file else {
        return Ok(Story::named(&args.scenario)?);
    };
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {shown}"))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Story::from_toml(&name, &text).with_context(|| format!("in {shown}"))
}

fn run_one(args: &Simulate, request: &Request) -> anyhow::Result<u8> {
    let mut output = Output::new(args)?;
    let progress = Progress::new(1);
    let report = match sinks(args, request)? {
        Some(sink) => {
            let (report, written) = request.run_traced(sink)?;
            written.context("writing the trace")?;
            report
        }
        None => request.run()?,
    };
    output.single(&request.variation, &report)?;
    if !args.json {
        progress.finish(Duration::from_millis(report.simulated_ms));
    }
    Ok(report.exit_code())
}

fn run_many(args: &Simulate, requests: &[Request]) -> anyhow::Result<u8> {
    let mut output = Output::new(args)?;
    let (mut summary, mut progress) = (Summary::new(), Progress::new(requests.len() as u64));
    let mut written = Ok(());
    run_all(requests, jobs(args), |request: &Request, report: Report| {
        summary.add(&report);
        progress.step();
        written = output.one_of_many(&request.variation, &report);
        written.is_ok()
    })?;
    written?;
    output.summary(&summary)?;
    if !args.json {
        progress.finish(Duration::from_millis(summary.simulated_ms));
    }
    Ok(summary.exit_code)
}

fn jobs(args: &Simulate) -> NonZeroUsize {
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    args.jobs.unwrap_or_else(cores)
}

/// Whoever wants to hear every event.
fn sinks(args: &Simulate, request: &Request) -> anyhow::Result<Option<Box<dyn Sink>>> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if let Some(path) = &args.trace {
        sinks.push(Box::new(JsonLines::new(create(path)?)));
    }
    if let Some(path) = &args.mermaid {
        let window = Window {
            from: Duration::from_millis(args.mermaid_from),
            events: args.mermaid_events,
            ..Window::default()
        };
        let nodes = request.plan()?.nodes();
        sinks.push(Box::new(Mermaid::new(create(path)?, nodes, window)));
    }
    Ok(if sinks.is_empty() { None } else { Some(Box::new(sinks)) })
}

fn create(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
    Ok(BufWriter::new(file))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}
