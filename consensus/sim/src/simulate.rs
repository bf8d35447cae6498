//! Runs asked for from outside: which engine, which scenario, how many validators, which seeds,
//! and what is varied.

mod batch;
mod sweep;

use std::io;
use std::time::Duration;

use consensus::engine::{Engine, FaultModel};
use consensus::policy::{OneMode, Policy};
use consensus::registry::{EngineName, Visitor};

pub use batch::run_all;
pub use sweep::{Axis, AxisError, Sweep};

use crate::dice::MILLION;
use crate::plan::{EngineOptions, Fault, Plan, Timed, Who};
use crate::report::Report;
use crate::runner;
use crate::scenarios::{self, Scenario, ScenarioError};
use crate::swarm;
use crate::trace::{Sink, Trace};
use crate::world::World;

/// Most validators of a simulated network.
pub const MAX_VALIDATORS: usize = 128;

/// Fewest validators of which one may lie.
const MIN_BYZANTINE: usize = 4;

/// What happens in a run.
#[derive(Clone, Debug)]
pub enum Story {
    Scenario {
        name: String,
        scenario: Box<Scenario>,
    },
    /// A random mixture of everything, another one for each seed.
    Swarm,
}

/// A name that no scenario has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownScenario {
    pub name: String,
}

impl std::fmt::Display for UnknownScenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let builtin = scenarios::ALL.iter().map(|builtin| builtin.name);
        let names: Vec<&str> = builtin.chain([Story::SWARM]).collect();
        write!(f, "no scenario is called {:?}; there are {}", self.name, names.join(", "))
    }
}

impl std::error::Error for UnknownScenario {}

impl Story {
    /// The story of this name.
    ///
    /// # Errors
    /// [`UnknownScenario`], which lists those that there are.
    pub fn named(name: &str) -> Result<Self, UnknownScenario> {
        if name == Self::SWARM {
            return Ok(Self::Swarm);
        }
        let builtin = scenarios::named(name);
        let builtin = builtin.ok_or_else(|| UnknownScenario { name: name.to_owned() })?;
        Ok(Self::Scenario { name: name.to_owned(), scenario: Box::new(builtin.scenario()) })
    }

    /// The story that a scenario file tells.
    ///
    /// # Errors
    /// [`ScenarioError`], which says what is wrong with it and where.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let scenario = Box::new(Scenario::from_toml(text)?);
        Ok(Self::Scenario { name: name.to_owned(), scenario })
    }

    /// Every story by name, with a line about each.
    pub fn list() -> Vec<(&'static str, String)> {
        let named = scenarios::ALL.iter().map(|builtin| (builtin.name, builtin.scenario().about));
        named.chain([(Self::SWARM, Self::SWARM_ABOUT.to_owned())]).collect()
    }

    /// The fewest validators it can have: so many that everybody it names is there.
    fn least_validators(&self) -> usize {
        match self {
            Self::Scenario { scenario, .. } => scenario.least_validators(),
            Self::Swarm => 1,
        }
    }

    /// The name of the random mixture.
    pub const SWARM: &str = "swarm";

    pub const SWARM_ABOUT: &str = "a random mixture of faults, another one for each seed";

    pub fn name(&self) -> &str {
        match self {
            Self::Scenario { name, .. } => name,
            Self::Swarm => Self::SWARM,
        }
    }

    fn plan(&self, fault_model: FaultModel, seed: u64, validators: usize) -> Plan {
        match self {
            Self::Scenario { scenario, .. } => scenario.plan(seed, validators),
            Self::Swarm => swarm::plan_for(fault_model, seed, validators),
        }
    }
}

/// What differs from the scenario as it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variation {
    /// One-way delay of every link at the start, and timeouts that leave room for it.
    pub delay: Option<Duration>,
    /// How many messages in a hundred are lost.
    pub loss_percent: Option<u32>,
    /// How many validators, the last ones, are down until the faults end.
    pub faults: Option<usize>,
    /// How leaders choose their mode, in an engine that has two.
    pub policy: Option<Policy>,
}

/// One run to be made.
#[derive(Clone, Debug)]
pub struct Request {
    pub engine: EngineName,
    pub story: Story,
    pub validators: usize,
    pub seed: u64,
    /// How long the load and the faults last, in simulated time; by the scenario if none is given.
    pub duration: Option<Duration>,
    pub variation: Variation,
}

/// A run that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidRequest {
    Validators { validators: usize },
    TooFewNamed { least: usize, validators: usize },
    TooFewToLie { engine: EngineName, validators: usize },
    Loss { percent: u32 },
    Faults { faults: usize, validators: usize },
    Delay { delay: Duration },
    Policy(OneMode),
    Duration,
}

impl std::fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Validators { validators } => {
                write!(f, "{validators} validators: a network has 1 to {MAX_VALIDATORS}")
            }
            Self::TooFewNamed { least, validators } => write!(
                f,
                "{validators} validators: the scenario is about validator {}, it takes at least \
                 {least}",
                least - 1
            ),
            Self::TooFewToLie { engine, validators } => write!(
                f,
                "{engine} tolerates f lying validators of 3f + 1: {validators} are too few, it \
                 takes at least {MIN_BYZANTINE}"
            ),
            Self::Loss { percent } => write!(f, "{percent} % loss: at most 99 of 100 may be lost"),
            Self::Faults { faults, validators } => {
                write!(f, "{faults} of {validators} validators down: at least one must be up")
            }
            Self::Delay { delay } => {
                write!(f, "a delay of {delay:?}: between 1 ms and {MAX_DELAY:?} make sense")
            }
            Self::Policy(wrong) => wrong.fmt(f),
            Self::Duration => {
                write!(f, "the duration is between a millisecond and {MAX_DURATION:?}")
            }
        }
    }
}

impl std::error::Error for InvalidRequest {}

const MAX_DELAY: Duration = Duration::from_secs(10);
const MAX_DURATION: Duration = Duration::from_secs(1_000_000);
const MS: Duration = Duration::from_millis(1);

impl Request {
    /// # Errors
    /// [`InvalidRequest`] where there is no such run.
    pub fn check(&self) -> Result<(), InvalidRequest> {
        let (engine, validators) = (self.engine, self.validators);
        if !(1..=MAX_VALIDATORS).contains(&validators) {
            return Err(InvalidRequest::Validators { validators });
        }
        if engine.fault_model() == FaultModel::Byzantine && validators < MIN_BYZANTINE {
            return Err(InvalidRequest::TooFewToLie { engine, validators });
        }
        let least = self.story.least_validators();
        if validators < least {
            return Err(InvalidRequest::TooFewNamed { least, validators });
        }
        let Variation { delay, loss_percent, faults, policy } = self.variation;
        if let Some(percent) = loss_percent.filter(|percent| *percent > 99) {
            return Err(InvalidRequest::Loss { percent });
        }
        if let Some(faults) = faults.filter(|faults| *faults >= validators) {
            return Err(InvalidRequest::Faults { faults, validators });
        }
        if let Some(delay) = delay.filter(|delay| !(MS..=MAX_DELAY).contains(delay)) {
            return Err(InvalidRequest::Delay { delay });
        }
        if let Some(policy) = policy {
            policy.check(engine).map_err(InvalidRequest::Policy)?;
        }
        match self.duration {
            Some(duration) if !(MS..=MAX_DURATION).contains(&duration) => {
                Err(InvalidRequest::Duration)
            }
            _ => Ok(()),
        }
    }

    /// The plan of this run.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn plan(&self) -> Result<Plan, InvalidRequest> {
        self.check()?;
        let mut plan = self.story.plan(self.engine.fault_model(), self.seed, self.validators);
        if let Some(duration) = self.duration {
            last(&mut plan, duration);
        }
        if let Some(percent) = self.variation.loss_percent {
            plan.link.loss = MILLION / 100 * percent;
        }
        if let Some(delay) = self.variation.delay {
            plan.link.delay_min = delay;
            plan.link.delay_max = delay;
            plan.options = patient(plan.options, delay);
            plan.recovery_bound = plan.options.timeout_max * 30;
        }
        if let Some(policy) = self.variation.policy {
            plan.options.policy = policy;
        }
        for down in 0..self.variation.faults.unwrap_or_default() {
            let who = Who::Node(self.validators - 1 - down);
            let fault = Fault::Crash { who, restart_after: None };
            plan.faults.push(Timed { at: MS, fault });
        }
        Ok(plan)
    }

    /// Makes the run.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn run(&self) -> Result<Report, InvalidRequest> {
        let (plan, name) = (self.plan()?, self.story.name());
        Ok(self.engine.visit(Run { plan: &plan, name }))
    }

    /// Makes the run and tells a sink every event. The inner error is the sink's.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn run_traced(
        &self,
        sink: Box<dyn Sink>,
    ) -> Result<(Report, io::Result<()>), InvalidRequest> {
        Ok(run_plan_traced(self.engine, &self.plan()?, self.story.name(), sink))
    }
}

/// Runs a plan and tells a sink every event: for plans that no [`Request`] describes. The inner error
/// is the sink's.
pub fn run_plan_traced(
    engine: EngineName,
    plan: &Plan,
    name: &str,
    sink: Box<dyn Sink>,
) -> (Report, io::Result<()>) {
    engine.visit(TracedRun { plan, name, sink })
}

struct Run<'a> {
    plan: &'a Plan,
    name: &'a str,
}

impl Visitor for Run<'_> {
    type Output = Report;

    fn visit<E: Engine>(self) -> Report {
        runner::run::<E>(self.plan, self.name)
    }
}

struct TracedRun<'a> {
    plan: &'a Plan,
    name: &'a str,
    sink: Box<dyn Sink>,
}

impl Visitor for TracedRun<'_> {
    type Output = (Report, io::Result<()>);

    fn visit<E: Engine>(self) -> Self::Output {
        let mut world = World::<E>::with_trace(self.plan.clone(), Trace::to(self.sink));
        let report = runner::run_in(&mut world, self.name);
        let written = world.take_sink().map_or(Ok(()), |mut sink| sink.finish());
        (report, written)
    }
}

/// Lets load and faults last this long: faults after it never strike, load fills the time.
fn last(plan: &mut Plan, duration: Duration) {
    plan.faults_end = duration;
    plan.faults.retain(|timed| timed.at < duration);
    let interval = plan.load.interval.max(Duration::from_micros(1));
    let transactions = duration.as_nanos() / interval.as_nanos();
    if plan.load.transactions > 0 {
        plan.load.transactions = u64::try_from(transactions).unwrap_or(u64::MAX).max(1);
    }
}

/// Timeouts with room for a few rounds of messages that take `delay` each.
fn patient(options: EngineOptions, delay: Duration) -> EngineOptions {
    EngineOptions {
        timeout_min: options.timeout_min.max(delay * 10),
        timeout_max: options.timeout_max.max(delay * 80),
        heartbeat: options.heartbeat.max(delay * 2),
        grace: options.grace.max(delay),
        ..options
    }
}

#[cfg(test)]
mod tests;
