//! Commands that check whether something holds, each on a network of its own.

use std::path::PathBuf;

use clap::Args;
use consensus::engine::FaultModel;
use consensus::policy::Policy;

use super::EngineChoice;
use crate::byzantine::control::Behaviour;
use crate::linearize::Fault;
use crate::network::Shape;
use crate::soak::Rounds;

/// Of a command that makes a network of its own.
#[derive(Args, Debug)]
pub struct Own {
    #[command(flatten)]
    pub engine: EngineChoice,
    /// Keep the network's files here [default: a temporary directory, removed on success]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct Churn {
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub changes: u32,
    /// Which changes, and who is killed
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    pub own: Own,
}

#[derive(Args, Debug)]
pub struct Soak {
    /// Kills of one validator; a tenth as often, all are killed at once [default: 20 where no other
    /// rounds are asked for]
    #[arg(long, value_parser = rounds())]
    pub kills: Option<u32>,
    /// Kills of one validator at named points, each in its turn
    #[arg(long, default_value_t = 0, value_parser = rounds())]
    pub crashes: u32,
    /// Pauses of the leader's process
    #[arg(long, default_value_t = 0, value_parser = rounds())]
    pub pauses: u32,
    /// Losses of power: what was not synced is gone or torn; every tenth time at all validators
    #[arg(long, default_value_t = 0, value_parser = rounds())]
    pub power_cuts: u32,
    /// Syncs that fail
    #[arg(long, default_value_t = 0, value_parser = rounds())]
    pub sync_errors: u32,
    /// Disks that are full, or about to be
    #[arg(long, default_value_t = 0, value_parser = rounds())]
    pub full_disks: u32,
    /// Wall clocks that are wrong by up to an hour for a while
    #[arg(long, default_value_t = 0, value_parser = rounds())]
    pub clock_changes: u32,
    /// Bits that flip on the disk of a validator that does not run
    #[arg(long, default_value_t = 0, value_parser = rounds())]
    pub bit_flips: u32,
    /// Old copies of a validator's disk that are put back
    #[arg(long, default_value_t = 0, value_parser = rounds())]
    pub old_disks: u32,
    /// Second processes on a validator's home, and with its keys
    #[arg(long, default_value_t = 0, value_parser = rounds())]
    pub twins: u32,
    /// A fault a minute for so long, of all kinds but wrong clocks in an order of its own
    #[arg(long, default_value_t = 0, value_parser = rounds())]
    pub minutes: u32,
    /// Plant disks that report syncs as done and do nothing: power cuts must then be noticed
    #[arg(long, requires = "power_cuts")]
    pub lying_disks: bool,
    /// Who is broken, how and when
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How leaders choose their mode, in an engine that has two
    #[arg(long)]
    pub policy: Option<Policy>,
    #[command(flatten)]
    pub own: Own,
}

fn rounds() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(..=100_000)
}

impl Soak {
    /// The rounds that are asked for.
    pub fn rounds(&self) -> Rounds {
        let rounds = Rounds {
            kills: self.kills.unwrap_or_default(),
            crashes: self.crashes,
            pauses: self.pauses,
            power_cuts: self.power_cuts,
            sync_errors: self.sync_errors,
            full_disks: self.full_disks,
            clock_changes: self.clock_changes,
            bit_flips: self.bit_flips,
            old_disks: self.old_disks,
            twins: self.twins,
        };
        let none = self.kills.is_none() && rounds.sum() + self.minutes == 0;
        if none { Rounds { kills: 20, ..rounds } } else { rounds }
    }
}

#[derive(Args, Debug)]
pub struct Abuse {
    /// Requests that are nearly right
    #[arg(long, default_value_t = 20_000)]
    pub requests: u64,
    /// Connections that say a byte a second
    #[arg(long, default_value_t = 500)]
    pub sockets: usize,
    /// Identities that dial a validator
    #[arg(long, default_value_t = 100)]
    pub identities: usize,
    /// Mebibytes of garbage at each port
    #[arg(long, default_value_t = 64)]
    pub megabytes: u64,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    pub own: Own,
}

#[derive(Args, Debug)]
pub struct Linearize {
    /// Histories, each with new keys
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub histories: u32,
    /// Calls per history
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub operations: u32,
    /// Clients at a time
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub clients: u16,
    /// What happens to nodes meanwhile: some of kill, pause, partition, deaf, links, lie [default:
    /// all that the engine tolerates]
    #[arg(long, value_delimiter = ',')]
    pub faults: Vec<Fault>,
    /// What clients do, and the faults
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    pub own: Own,
}

impl Linearize {
    /// The faults that are asked for, or all. An engine that tolerates no liar gets none.
    pub fn faults(&self) -> Vec<Fault> {
        let bears_lies = self.own.engine.get().fault_model() == FaultModel::Byzantine;
        let fits = |fault: &Fault| bears_lies || *fault != Fault::Lie;
        if self.faults.is_empty() {
            return Fault::ALL.into_iter().filter(fits).collect();
        }
        self.faults.clone()
    }
}

#[derive(Args, Debug)]
pub struct Liars {
    /// How many lie at once, of four or seven validators
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=2))]
    pub liars: u16,
    /// Plant one liar more than the set bears: the checks must find it
    #[arg(long)]
    pub one_too_many: bool,
    /// Which behaviours, or pairs of which [default: all but lying-view-change]
    #[arg(long, value_delimiter = ',')]
    pub behaviours: Vec<Behaviour>,
    /// How long each behaviour lasts
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Transactions per second
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: u32,
    #[command(flatten)]
    pub own: Own,
}

impl Liars {
    /// The behaviours that are asked for.
    pub fn behaviours(&self) -> Vec<Behaviour> {
        // A lie in a change of view needs one, and an honest leader is not deposed.
        let lies = |behaviour: &Behaviour| {
            !matches!(behaviour, Behaviour::Off | Behaviour::LyingViewChange)
        };
        let all = || Behaviour::ALL.into_iter().filter(lies);
        if self.behaviours.is_empty() { all().collect() } else { self.behaviours.clone() }
    }
}

#[derive(Args, Debug)]
pub struct Network {
    /// Which shapes [default: all]
    #[arg(long, value_delimiter = ',')]
    pub shapes: Vec<Shape>,
    /// How long each lasts
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Plant cuts that cut nothing: the checks must notice
    #[arg(long)]
    pub leaky: bool,
    #[command(flatten)]
    pub own: Own,
}

#[derive(Args, Debug)]
pub struct Determinism {
    /// How many, of every kind
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    pub transactions: u32,
    /// Another build of testnet-validator, for two of the four
    #[arg(long, value_name = "FILE")]
    pub other: Option<PathBuf>,
    #[command(flatten)]
    pub own: Own,
}

#[derive(Args, Debug)]
pub struct Reopen {
    /// How long the chain is to be
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    pub blocks: u32,
    #[command(flatten)]
    pub own: Own,
}

#[derive(Args, Debug)]
pub struct Flood {
    /// How long saturation and flood last each
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    #[command(flatten)]
    pub own: Own,
}
