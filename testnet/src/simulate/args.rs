//! The command line of `testnet simulate`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use consensus::policy::Policy;
use consensus::registry::EngineName;
use consensus_sim::simulate::Axis;

/// Examples and exit codes, shown by `--help`.
pub const EXAMPLES: &str = "\
Examples:
  testnet simulate --engine hybrid --validators 4 --seed 7
  testnet simulate --engine raft --scenario leader-crash --seed 7 --json
  testnet simulate --engine pbft --scenario swarm --seeds 1000
  testnet simulate --scenario partition --trace /tmp/run.jsonl --mermaid /tmp/run.mmd
  testnet simulate --scenario leader-crash --policy static-pbft --seeds 20
  testnet simulate --sweep engine=raft,pbft --sweep validators=4,7,10 --sweep loss=0,5 --csv -

The same arguments give the same output, trace hashes included, on every machine. With --json a
single run is one object; several are one object per line and then {\"summary\":true,…}.

Exit codes: 0 every promise held, 2 wrong arguments, 10 an assertion failed, 11 safety was violated,
12 no recovery; the gravest of several runs. What happens beyond an engine's fault model - a lying
validator under Raft - is reported as what it is, with \"within_fault_model\":false and exit code 0.";

#[derive(Args, Debug)]
pub struct Simulate {
    /// The consensus engine
    #[arg(long, default_value_t = EngineName::Hybrid)]
    pub engine: EngineName,
    /// How many validators
    #[arg(long, default_value_t = 4)]
    pub validators: usize,
    /// Decides everything that is left to chance
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Run so many seeds, from --seed on
    #[arg(long, value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub seeds: u64,
    /// What happens: a name from `testnet scenarios`
    #[arg(long, value_name = "NAME", default_value = "calm")]
    pub scenario: String,
    /// What happens: a file, as docs/simulator.md describes it
    #[arg(long, value_name = "FILE", conflicts_with = "scenario")]
    pub scenario_file: Option<PathBuf>,
    /// Simulated seconds of load and faults [default: as the scenario says]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<Duration>,
    /// How leaders choose their mode, in an engine that has two: adaptive, static-fast or
    /// static-pbft [default: as the scenario says]
    #[arg(long)]
    pub policy: Option<Policy>,
    /// Vary something; several times for every combination: engine=…, validators=4,7,10,
    /// loss=0,5 (percent), delay-ms=1,10, faults=0,1 (validators that are down),
    /// policy=adaptive,static-fast
    #[arg(long, value_name = "NAME=VALUES")]
    pub sweep: Vec<Axis>,
    /// JSON on stdout
    #[arg(long)]
    pub json: bool,
    /// One row per run into a file, or on stdout with `-`
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write every event of a single run as a line of JSON
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Draw a single run as a mermaid sequence diagram
    #[arg(long, value_name = "FILE")]
    pub mermaid: Option<PathBuf>,
    /// Where the diagram begins, in simulated milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0, requires = "mermaid")]
    pub mermaid_from: u64,
    /// How many events the diagram shows at most
    #[arg(long, value_name = "COUNT", default_value_t = 200, requires = "mermaid")]
    pub mermaid_events: usize,
    /// Threads for several runs [default: one per core]
    #[arg(long, value_name = "COUNT")]
    pub jobs: Option<NonZeroUsize>,
}

#[derive(Args, Debug)]
pub struct Scenarios {
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    // Whole milliseconds, so that the plan does not depend on how a fraction is rounded.
    let rounded = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    Ok(Duration::from_millis(u64::try_from(rounded.as_millis()).unwrap_or(u64::MAX)))
}
