//! The numbers of the page: a file per table.

mod calm;
mod cost;
mod fault;
mod growth;
mod live;
mod load;
mod membership;
mod outside;
mod partition;
mod weather;

use serde::Serialize;

use super::compare;
use super::verdicts::{self, Difference, Loss};
use crate::contender::Contender;
use crate::data::{About, Data};
use crate::setup;
use crate::statistics::{mean, quantile};
use crate::studies::faults::NAMED;
use crate::studies::weather::{Schedule, windows};
use crate::studies::{self, millis};

use calm::Calm;
use cost::Cost;
use fault::Fault;
use growth::Growth;
use live::Live;
use load::Load;
use membership::Membership;
use outside::Outside;
use partition::Partition;
use weather::Weather;

/// Everything that the page counts.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    about: About,
    setup: Setup,
    /// Sizes and contenders of the tables of costs.
    sizes: Vec<usize>,
    names: Vec<&'static str>,
    /// What a block costs: a row per size and contender.
    cost: Vec<Cost>,
    /// The same at 100 validators.
    growth: Vec<Growth>,
    load: Vec<Load>,
    conditions: Vec<String>,
    faults: Vec<Fault>,
    /// Of the weather schedule, with a liar and without.
    weather: Vec<Weather>,
    nobody_lies: Vec<Weather>,
    differences: Vec<Difference>,
    differences_nobody_lies: Vec<Difference>,
    losses: Vec<Loss>,
    phases: Vec<String>,
    calm: Calm,
    outside: Vec<Outside>,
    membership: Vec<Membership>,
    partition: Vec<Partition>,
    live: Live,
}

#[derive(Clone, Debug, Serialize)]
struct Setup {
    in_flight: usize,
    message_us: u128,
    sign_us: u128,
    check_us: u128,
    sync_min_us: u128,
    sync_max_us: u128,
    timeout_min_ms: u128,
    timeout_max_ms: u128,
    fault_validators: usize,
    fault_ms: f64,
    load_delay_ms: u32,
    load_validators: usize,
    partition_validators: usize,
    membership_validators: usize,
    schedule_s: f64,
    tie: f64,
}

impl Facts {
    pub fn of(data: &Data) -> Self {
        Self {
            about: data.about.clone(),
            setup: Setup::of(data),
            sizes: studies::cost::SIZES.into(),
            names: studies::cost::CONTENDERS.map(Contender::label).into(),
            cost: cost::rows(data),
            growth: growth::rows(data),
            load: load::rows(data),
            conditions: NAMED.iter().map(|(kind, strength)| kind.label(*strength)).collect(),
            faults: Contender::ALL.map(|contender| Fault::of(data, contender)).into(),
            weather: weather::rows(data, Schedule::All),
            nobody_lies: weather::rows(data, Schedule::NobodyLies),
            differences: verdicts::differences(data, Schedule::All),
            differences_nobody_lies: verdicts::differences(data, Schedule::NobodyLies),
            losses: verdicts::losses(data),
            phases: weather::phases(data),
            calm: Calm::of(data),
            outside: outside::rows(data),
            membership: membership::rows(data),
            partition: partition::rows(data),
            live: Live::of(data),
        }
    }
}

/// The mean of a value over the rows that count.
fn mean_of<R>(rows: &[R], counts: impl Fn(&&R) -> bool, value: impl Fn(&R) -> f64) -> f64 {
    mean(&rows.iter().filter(counts).map(value).collect::<Vec<_>>())
}

/// The middle value; 0 where there is none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(&values, 500)
}

impl Setup {
    fn of(data: &Data) -> Self {
        let plan = setup::calm(Contender::Hybrid, 4, 1, setup::MS);
        let schedule = windows(data.about.profile, Schedule::All);
        Self {
            in_flight: setup::IN_FLIGHT,
            message_us: setup::WORK.message.as_micros(),
            sign_us: setup::WORK.sign.as_micros(),
            check_us: setup::WORK.check.as_micros(),
            sync_min_us: setup::SYNC.0.as_micros(),
            sync_max_us: setup::SYNC.1.as_micros(),
            timeout_min_ms: plan.options.timeout_min.as_millis(),
            timeout_max_ms: plan.options.timeout_max.as_millis(),
            fault_validators: studies::faults::VALIDATORS,
            fault_ms: millis(studies::faults::PERIOD),
            load_delay_ms: studies::load::DELAY_MS,
            load_validators: studies::load::VALIDATORS,
            partition_validators: studies::partition::VALIDATORS,
            membership_validators: studies::membership::VALIDATORS,
            schedule_s: schedule.last().map_or(0.0, |(_, window)| window.to.as_secs_f64()),
            tie: compare::TIE,
        }
    }
}
