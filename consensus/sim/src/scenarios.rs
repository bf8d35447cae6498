//! Named plans, each about one thing that happens to real networks. Their files are data, which
//! people read and may write more of.

use std::time::Duration;

use consensus::engine::FaultModel;
use serde::Deserialize;
use toml::Spanned;

use crate::application::Workload;
use crate::byzantine::BehaviourKind;
use crate::network::{Link, Regions};
use crate::plan::{EngineOptions, Fault, Load, Plan, Recovery, Timed, Who, Work};
use crate::signatures::SignatureRule;
use crate::span;

const MS: Duration = Duration::from_millis(1);

/// Faults have ended within this, in every scenario that says nothing else.
const FAULTS_END: Duration = Duration::from_millis(1_200);
/// Longest timeouts that a recovery may take.
const RECOVERY_TIMEOUTS: u32 = 30;

/// Calm weather of one machine room.
const CALM: Link = Link { delay_max: Duration::from_millis(2), ..Link::exact(MS) };

/// A scenario: what differs from a calm run with a steady load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What happens, in a line.
    pub about: String,
    differs: File,
}

/// A scenario file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    #[serde(default = "default_workload")]
    workload: Workload,
    #[serde(default)]
    options: EngineOptions,
    #[serde(default)]
    work: Work,
    #[serde(default = "default_weather")]
    weather: Link,
    regions: Option<Spanned<Regions>>,
    #[serde(default, with = "span::range")]
    sync: (Duration, Duration),
    #[serde(default)]
    load: Load,
    #[serde(default = "default_faults_end", with = "span")]
    faults_end: Duration,
    #[serde(default)]
    recovery: Recovery,
    #[serde(default, with = "span::option")]
    recovery_bound: Option<Duration>,
    /// How many validators there are beyond what the faults that the set tolerates ask for.
    #[serde(default)]
    spare_validators: usize,
    #[serde(default)]
    byzantine: Vec<Liar>,
    #[serde(default, rename = "event")]
    events: Vec<Spanned<Timed>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Liar {
    node: usize,
    does: BehaviourKind,
}

fn default_workload() -> Workload {
    Workload::HashChain
}

fn default_weather() -> Link {
    CALM
}

fn default_faults_end() -> Duration {
    FAULTS_END
}

/// A scenario file that says nothing that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// Line, what is wrong and what to do.
    text: String,
}

impl std::fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text.trim_end())
    }
}

impl std::error::Error for ScenarioError {}

impl Scenario {
    /// Reads a scenario file, TOML as in `consensus/sim/scenarios/`.
    ///
    /// # Errors
    /// With the line, what is wrong there and what to write instead.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let file: File =
            toml::from_str(text).map_err(|error| ScenarioError { text: error.to_string() })?;
        let wrong = |place: usize, what: String| {
            let line = text[..place.min(text.len())].matches('\n').count() + 1;
            Err(ScenarioError { text: format!("line {line}: {what}") })
        };
        for event in &file.events {
            let (at, end) = (event.get_ref().at, file.faults_end);
            if at > end {
                let what = format!(
                    "this happens at {at:?} and faults end at {end:?}: make faults_end later"
                );
                return wrong(event.span().start, what);
            }
        }
        if let Some(regions) = &file.regions
            && !regions.get_ref().is_square()
        {
            let what = "give every region a row with its way to every region, itself included";
            return wrong(regions.span().start, what.to_owned());
        }
        Ok(Self { about: file.about.clone(), differs: file })
    }

    /// The fewest validators it can have: so many that everybody it names is there.
    pub fn least_validators(&self) -> usize {
        let events = self.differs.events.iter().map(|event| highest(&event.get_ref().fault));
        let liars = self.differs.byzantine.iter().map(|liar| liar.node);
        events.chain(liars).max().unwrap_or(0) + 1
    }

    /// Which faults an engine must tolerate to come through.
    pub fn fault_model(&self) -> FaultModel {
        let lies = |event: &Spanned<Timed>| {
            matches!(event.get_ref().fault, Fault::DiskLoss { .. } | Fault::Lie { .. })
        };
        if self.differs.byzantine.is_empty() && !self.differs.events.iter().any(lies) {
            FaultModel::Crash
        } else {
            FaultModel::Byzantine
        }
    }

    /// The run of a seed with `n` validators.
    ///
    /// # Panics
    /// Below the [least](Self::least_validators) number of validators.
    pub fn plan(&self, seed: u64, n: usize) -> Plan {
        let least = self.least_validators();
        assert!(n >= least, "{n} validators where the scenario names {least}: {}", self.about);
        let file = &self.differs;
        let spare = file.spare_validators.min(n.saturating_sub(1));
        let max_faulty = (n.max(1) - 1 - spare) / 3;
        Plan {
            seed,
            validators: n,
            max_faulty: u16::try_from(max_faulty).expect("at most 128 validators"),
            joiners: 0,
            workload: file.workload,
            signatures: SignatureRule::Cheap,
            options: file.options,
            work: file.work,
            link: file.weather,
            regions: file.regions.clone().map(Spanned::into_inner),
            sync: file.sync,
            byzantine: file.byzantine.iter().map(|liar| (liar.node, liar.does)).collect(),
            twins: Vec::new(),
            faults: file.events.iter().map(|event| event.get_ref().clone()).collect(),
            load: file.load,
            faults_end: file.faults_end,
            recovery: file.recovery,
            recovery_bound: file
                .recovery_bound
                .unwrap_or(file.options.timeout_max * RECOVERY_TIMEOUTS),
        }
    }
}

/// The highest node that a fault names.
pub fn highest(fault: &Fault) -> usize {
    let of = |who: &Who| if let Who::Node(node) = who { *node } else { 0 };
    match fault {
        Fault::Crash { who, .. }
        | Fault::CrashAt { who, .. }
        | Fault::Pause { who, .. }
        | Fault::Isolate { who }
        | Fault::Lag { who, .. }
        | Fault::SyncError { who, .. }
        | Fault::Corruption { who }
        | Fault::SlowDisk { who, .. }
        | Fault::ClockJump { who, .. }
        | Fault::ClockDrift { who, .. } => of(who),
        Fault::Restart { node }
        | Fault::DiskLoss { node, .. }
        | Fault::Lie { node, .. }
        | Fault::HoldBack { node, .. } => *node,
        Fault::Block { from, to }
        | Fault::Flap { between: (from, to), .. }
        | Fault::Clog { from, to }
        | Fault::Release { from, to }
        | Fault::LinkWeather { from, to, .. } => *from.max(to),
        Fault::Partition { groups } => groups.iter().flatten().copied().max().unwrap_or(0),
        Fault::Cut { shape } => shape.highest(),
        Fault::CrashAll { .. }
        | Fault::CrashMajority { .. }
        | Fault::Weather { .. }
        | Fault::HealNetwork
        | Fault::Members { .. }
        | Fault::Change => 0,
    }
}

/// A scenario that comes with the simulator.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    pub name: &'static str,
    /// Its file.
    pub text: &'static str,
}

impl Builtin {
    /// What its file says.
    pub fn scenario(&self) -> Scenario {
        Scenario::from_toml(self.text)
            .unwrap_or_else(|error| panic!("scenarios/{}.toml: {error}", self.name))
    }

    pub fn plan(&self, seed: u64, n: usize) -> Plan {
        self.scenario().plan(seed, n)
    }
}

macro_rules! builtin {
    ($($name:literal,)+) => {
        /// Every scenario that comes with the simulator.
        pub const ALL: &[Builtin] = &[$(Builtin {
            name: $name,
            text: include_str!(concat!("../scenarios/", $name, ".toml")),
        }),+];
    };
}

builtin! {
    "calm",
    "lossy",
    "wan",
    "leader-crash",
    "rolling-crash",
    "majority-crash",
    "partition",
    "minority-partition",
    "one-way-partition",
    "partial-links",
    "equivocation",
    "withholding",
    "slow-leader",
    "silent-follower",
    "churn",
    "flapping",
    "flapping-leader",
    "follower-dead",
    "restart-all",
    "view-changes",
    "long-view",
    "disk-trouble",
    "clock-trouble",
}

/// The scenario of this name.
pub fn named(name: &str) -> Option<&'static Builtin> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// Calm weather and a steady load: what the others start from.
pub fn calm(seed: u64, n: usize) -> Plan {
    ALL[0].plan(seed, n)
}

#[cfg(test)]
mod tests;
