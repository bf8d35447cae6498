//! A day of weather in a few seconds: every contender meets the same troubles one after the other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::faults::Kind;
use super::{Profile, millis, share};
use crate::contender::Contender;
use crate::experiment::{Experiment, Measured, Window};
use crate::progress::on_all_cores;
use crate::setup;
use crate::statistics::{mean, quantile, rounded};

pub const VALIDATORS: usize = 4;
/// Steps of the curve per phase.
const STEPS_PER_PHASE: u32 = 10;

/// Which troubles there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Everything, a lying leader too.
    All,
    /// The same, calm where the leader would lie: what engines for crashes alone can stand.
    NobodyLies,
}

impl Schedule {
    pub const ALL: [Self; 2] = [Self::All, Self::NobodyLies];

    /// The phases, each with how many times the profile's length it lasts.
    pub fn phases(self) -> Vec<Phase> {
        let liar = match self {
            Self::All => Kind::LyingLeader,
            Self::NobodyLies => Kind::Calm,
        };
        let phases = [
            (Kind::Calm, 0, 2),
            (Kind::LeaderCrash, 0, 1),
            (Kind::Calm, 0, 2),
            (Kind::Loss, 5, 1),
            (Kind::Calm, 0, 1),
            (liar, 0, 1),
            (Kind::Calm, 0, 2),
            (Kind::LeaderCutOff, 0, 1),
            (Kind::Calm, 0, 2),
        ];
        phases.map(|(kind, strength, times)| Phase { kind, strength, times }).into()
    }
}

/// A time of one kind of weather.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    pub kind: Kind,
    pub strength: u32,
    /// In lengths of the profile.
    pub times: u32,
}

/// One run of a whole schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub contender: Contender,
    pub schedule: Schedule,
    pub seed: u64,
    /// Final transactions: the area under the curve of throughput.
    pub transactions: usize,
    /// The same per second.
    pub throughput: f64,
    pub latency_p50_ms: f64,
    pub latency_p95_ms: f64,
    pub latency_p99_ms: f64,
    pub messages: u64,
    pub messages_per_transaction: f64,
    pub bytes_per_transaction: f64,
    pub silence_ms: f64,
    pub leader_changes: u64,
    pub mode_changes: usize,
    pub violations: usize,
    pub lost_transactions: u64,
    /// When the run broke a property, and so ended.
    pub broken_ms: Option<u64>,
}

/// Throughput in one phase of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseRow {
    pub contender: Contender,
    pub schedule: Schedule,
    pub seed: u64,
    pub place: usize,
    pub weather: Kind,
    pub strength: u32,
    pub throughput: f64,
    pub messages_per_transaction: f64,
}

/// A step of a curve: the mean over all seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub contender: Contender,
    pub schedule: Schedule,
    pub from_ms: u64,
    pub throughput: f64,
}

/// The three tables of this study.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    pub runs: Vec<Row>,
    pub phases: Vec<PhaseRow>,
    pub steps: Vec<Step>,
}

pub fn run(profile: Profile) -> Tables {
    let mut jobs = Vec::new();
    for schedule in Schedule::ALL {
        for contender in Contender::ALL {
            jobs.extend((1..=profile.seeds).map(|seed| (contender, schedule, seed)));
        }
    }
    let measured = on_all_cores("weather", &jobs, |(contender, schedule, seed)| {
        measure(profile, *contender, *schedule, *seed)
    });
    let mut tables = Tables::default();
    for ((contender, schedule, seed), measured) in jobs.iter().zip(&measured) {
        tables.runs.push(row(profile, *contender, *schedule, *seed, measured));
        tables.phases.extend(phase_rows(profile, *contender, *schedule, *seed, measured));
    }
    let seeds = usize::try_from(profile.seeds).expect("a few seeds");
    for (jobs, measured) in jobs.chunks(seeds).zip(measured.chunks(seeds)) {
        let (contender, schedule, _) = jobs[0];
        tables.steps.extend(steps(profile, contender, schedule, measured));
    }
    tables
}

/// The phases of a schedule, each with its time.
pub fn windows(profile: Profile, schedule: Schedule) -> Vec<(Phase, Window)> {
    let mut from = Duration::ZERO;
    let mut windows = Vec::new();
    for phase in schedule.phases() {
        let to = from + profile.phase() * phase.times;
        windows.push((phase, Window::new(from, to)));
        from = to;
    }
    windows
}

fn whole(profile: Profile, schedule: Schedule) -> Window {
    let phases = windows(profile, schedule);
    Window::new(Duration::ZERO, phases.last().map_or(Duration::ZERO, |(_, window)| window.to))
}

/// One run.
pub fn measure(profile: Profile, contender: Contender, schedule: Schedule, seed: u64) -> Measured {
    let lasts = whole(profile, schedule).to;
    let plan = setup::calm(contender, VALIDATORS, seed, lasts);
    let mut experiment = Experiment::new(contender, plan);
    // In order: who leads when a phase begins depends on those before.
    for (phase, window) in windows(profile, schedule) {
        phase.kind.strike(phase.strength, window, &mut experiment);
    }
    experiment.run()
}

fn row(
    profile: Profile,
    contender: Contender,
    schedule: Schedule,
    seed: u64,
    measured: &Measured,
) -> Row {
    let window = whole(profile, schedule);
    let latencies = measured.latencies(window);
    let at = |per_mille| millis(quantile(&latencies, per_mille));
    let transactions = latencies.len();
    let counted = measured.counted(window);
    let per_transaction = |count: u64| rounded(share(count as f64, transactions as f64), 2);
    let broken = measured.report.violations.first();
    Row {
        contender,
        schedule,
        seed,
        transactions,
        throughput: rounded(transactions as f64 / window.seconds(), 1),
        latency_p50_ms: at(500),
        latency_p95_ms: at(950),
        latency_p99_ms: at(990),
        messages: counted.messages,
        messages_per_transaction: per_transaction(counted.messages),
        bytes_per_transaction: per_transaction(counted.bytes),
        silence_ms: millis(measured.silence(window)),
        leader_changes: measured.report.leader_changes,
        mode_changes: measured.report.mode_changes.len(),
        violations: measured.report.safety_violations,
        lost_transactions: measured.report.lost_transactions,
        broken_ms: broken.map(|violation| violation.at_ns / 1_000_000),
    }
}

fn phase_rows(
    profile: Profile,
    contender: Contender,
    schedule: Schedule,
    seed: u64,
    measured: &Measured,
) -> Vec<PhaseRow> {
    let row = |(place, (phase, window)): (usize, (Phase, Window))| {
        let transactions = measured.finals_in(window).count() as f64;
        let messages = measured.counted(window).messages as f64;
        PhaseRow {
            contender,
            schedule,
            seed,
            place,
            weather: phase.kind,
            strength: phase.strength,
            throughput: rounded(transactions / window.seconds(), 1),
            messages_per_transaction: rounded(share(messages, transactions), 2),
        }
    };
    windows(profile, schedule).into_iter().enumerate().map(row).collect()
}

fn steps(
    profile: Profile,
    contender: Contender,
    schedule: Schedule,
    runs: &[Measured],
) -> Vec<Step> {
    let width = profile.phase() / STEPS_PER_PHASE;
    let count = whole(profile, schedule).to.as_nanos() / width.as_nanos();
    let step = |place: u32| {
        let from = width * place;
        let window = Window::new(from, from + width);
        let rates: Vec<f64> = runs.iter().map(|run| run.throughput(window)).collect();
        let from_ms = from.as_millis() as u64;
        Step { contender, schedule, from_ms, throughput: rounded(mean(&rates), 1) }
    };
    (0..u32::try_from(count).expect("a few steps")).map(step).collect()
}
