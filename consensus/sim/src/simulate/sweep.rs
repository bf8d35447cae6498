//! Every combination of the values that are swept.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use consensus::policy::Policy;
use consensus::registry::EngineName;

use super::Request;

/// Most values of one axis.
const MOST_VALUES: usize = 1000;

/// One thing that is varied, and its values: `engine=raft,pbft`, `validators=4,7,10`, `loss=0,5`
/// (percent), `delay-ms=1,10`, `faults=0,1`, `policy=adaptive,static-fast`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Axis {
    Engine(Vec<EngineName>),
    Validators(Vec<usize>),
    LossPercent(Vec<u32>),
    DelayMs(Vec<u32>),
    Faults(Vec<usize>),
    Policy(Vec<Policy>),
}

/// Text that names no axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AxisError(String);

impl fmt::Display for AxisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AxisError {}

impl FromStr for Axis {
    type Err = AxisError;

    fn from_str(text: &str) -> Result<Self, AxisError> {
        let (name, values) = text
            .split_once('=')
            .ok_or_else(|| AxisError(format!("{text:?} is not of the form NAME=VALUE,VALUE,…")))?;
        match name {
            "engine" => Ok(Self::Engine(parsed(values)?)),
            "validators" => Ok(Self::Validators(parsed(values)?)),
            "loss" => Ok(Self::LossPercent(parsed(values)?)),
            "delay-ms" => Ok(Self::DelayMs(parsed(values)?)),
            "faults" => Ok(Self::Faults(parsed(values)?)),
            "policy" => Ok(Self::Policy(parsed(values)?)),
            _ => Err(AxisError(format!(
                "{name:?} cannot be swept; there are engine, validators, loss (in percent), delay-ms, \
                 faults, policy"
            ))),
        }
    }
}

fn parsed<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<Vec<T>, AxisError> {
    let value =
        |part: &str| part.trim().parse().map_err(|error| AxisError(format!("{part:?}: {error}")));
    let values: Vec<T> = text.split(',').map(value).collect::<Result<_, _>>()?;
    if values.len() > MOST_VALUES {
        return Err(AxisError(format!("more than {MOST_VALUES} values")));
    }
    Ok(values)
}

/// What is varied: every combination of the axes.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    pub axes: Vec<Axis>,
}

impl Sweep {
    /// The runs: for each combination, the last axis varying fastest, every seed.
    pub fn requests(&self, base: &Request, seeds: u64) -> Vec<Request> {
        let mut requests = vec![base.clone()];
        for axis in &self.axes {
            requests = requests.iter().flat_map(|request| axis.vary(request)).collect();
        }
        let seeded = |request: Request| {
            (0..seeds).map(move |more| {
                let seed = request.seed.wrapping_add(more);
                Request { seed, ..request.clone() }
            })
        };
        requests.into_iter().flat_map(seeded).collect()
    }

    /// How many runs those are.
    pub fn runs(&self, seeds: u64) -> u64 {
        let lens = self.axes.iter().map(|axis| axis.len() as u64);
        lens.fold(seeds, u64::saturating_mul)
    }
}

impl Axis {
    fn len(&self) -> usize {
        match self {
            Self::Engine(values) => values.len(),
            Self::Validators(values) | Self::Faults(values) => values.len(),
            Self::LossPercent(values) | Self::DelayMs(values) => values.len(),
            Self::Policy(values) => values.len(),
        }
    }

    fn vary(&self, base: &Request) -> Vec<Request> {
        fn with<T: Copy>(
            base: &Request,
            values: &[T],
            set: impl Fn(&mut Request, T),
        ) -> Vec<Request> {
            let vary = |value: &T| {
                let mut request = base.clone();
                set(&mut request, *value);
                request
            };
            values.iter().map(vary).collect()
        }
        match self {
            Self::Engine(values) => with(base, values, |r, value| r.engine = value),
            Self::Validators(values) => with(base, values, |r, value| r.validators = value),
            Self::LossPercent(values) => {
                with(base, values, |r, value| r.variation.loss_percent = Some(value))
            }
            Self::DelayMs(values) => with(base, values, |r, value| {
                r.variation.delay = Some(Duration::from_millis(value.into()));
            }),
            Self::Faults(values) => with(base, values, |r, value| r.variation.faults = Some(value)),
            Self::Policy(values) => with(base, values, |r, value| r.variation.policy = Some(value)),
        }
    }
}
