//! What a fault costs: throughput before, while it lasts and after.

use std::time::Duration;

use consensus_sim::byzantine::BehaviourKind;
use consensus_sim::dice::MILLION;
use consensus_sim::network::Link;
use consensus_sim::plan::{Fault, Plan, Timed, Who};
use consensus_sim::shape::Shape;
use serde::{Deserialize, Serialize};

use super::{Profile, millis, ms, share};
use crate::contender::Contender;
use crate::experiment::{Experiment, Measured, Window};
use crate::progress::on_all_cores;
use crate::setup;
use crate::statistics::{mean, quantile, rounded};

pub const VALIDATORS: usize = 4;
/// A fault begins when this is over, and ends when it is over again.
pub const PERIOD: Duration = Duration::from_secs(1);
/// The faults are over, and the run goes on for as long as they lasted.
const LASTS: Duration = Duration::from_secs(3);
/// Width of a step of the curves.
pub const STEP: Duration = Duration::from_millis(25);

/// Something that goes wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Calm,
    /// The leader dies and is back when the time is over.
    LeaderCrash,
    /// As many followers as may be faulty hear everything and say nothing.
    SilentFollower,
    /// Nobody and the leader reach each other.
    LeaderCutOff,
    /// Two halves that do not reach each other.
    Halves,
    /// Everything that the leader sends comes 40 ms later.
    SlowLeader,
    /// The leader signs two chains, and does so whenever it leads.
    LyingLeader,
    /// So many messages in a hundred are lost.
    Loss,
    /// Links take so many milliseconds.
    Delay,
}

/// A fault with its strength: percent lost, or milliseconds; 0 where it has none.
pub type Condition = (Kind, u32);

pub const LOSSES: [u32; 6] = [1, 2, 5, 10, 20, 30];
pub const DELAYS: [u32; 5] = [5, 10, 20, 50, 100];

/// What the heat map shows, in its order.
pub const NAMED: [Condition; 12] = [
    (Kind::Calm, 0),
    (Kind::LeaderCrash, 0),
    (Kind::LeaderCutOff, 0),
    (Kind::SlowLeader, 0),
    (Kind::LyingLeader, 0),
    (Kind::SilentFollower, 0),
    (Kind::Halves, 0),
    (Kind::Loss, 2),
    (Kind::Loss, 10),
    (Kind::Loss, 30),
    (Kind::Delay, 10),
    (Kind::Delay, 100),
];

impl Kind {
    /// As people read it.
    pub fn label(self, strength: u32) -> String {
        match self {
            Self::Calm => "calm".into(),
            Self::LeaderCrash => "leader dies".into(),
            Self::SilentFollower => "follower silent".into(),
            Self::LeaderCutOff => "leader cut off".into(),
            Self::Halves => "two halves".into(),
            Self::SlowLeader => "leader slow".into(),
            Self::LyingLeader => "leader lies".into(),
            Self::Loss => format!("{strength}\u{a0}% lost"),
            Self::Delay => format!("{strength}\u{a0}ms links"),
        }
    }

    /// Lets it go wrong from one moment to another. What it is about depends on who leads then.
    pub fn strike(self, strength: u32, window: Window, experiment: &mut Experiment) {
        let leader = || experiment.leader_at(window.from);
        let healed = Fault::HealNetwork;
        let weather = |link: Link| (Fault::Weather { link }, experiment.plan.link);
        let (begins, ends): (Vec<Fault>, Vec<Fault>) = match self {
            Self::Calm => (vec![], vec![]),
            Self::LeaderCrash => {
                let restart_after = Some(window.to - window.from);
                (vec![Fault::Crash { who: Who::Leader, restart_after }], vec![])
            }
            Self::SilentFollower => {
                let (leader, n) = (leader(), experiment.plan.validators);
                let silent = (1..=experiment.plan.max_faulty).map(|step| {
                    let node = (leader + usize::from(step)) % n;
                    Fault::Cut { shape: Shape::Mute { node } }
                });
                (silent.collect(), vec![healed])
            }
            Self::LeaderCutOff => (vec![Fault::Isolate { who: Who::Leader }], vec![healed]),
            Self::Halves => (vec![Fault::Cut { shape: Shape::Halves }], vec![healed]),
            Self::SlowLeader => {
                (vec![Fault::Lag { who: Who::Leader, extra: ms(40) }], vec![healed])
            }
            Self::LyingLeader => {
                let node = leader();
                experiment.plan.byzantine.push((node, BehaviourKind::Equivocate));
                let lies = |lies: bool| Fault::HoldBack { node, holds_back: !lies };
                experiment.plan.faults.push(Timed { at: Duration::ZERO, fault: lies(false) });
                (vec![lies(true)], vec![lies(false)])
            }
            Self::Loss => {
                let loss = MILLION / 100 * strength;
                let (lossy, calm) = weather(Link { loss, ..experiment.plan.link });
                (vec![lossy], vec![Fault::Weather { link: calm }])
            }
            Self::Delay => {
                let (far, calm) = weather(Link::exact(ms(strength)));
                (vec![far], vec![Fault::Weather { link: calm }])
            }
        };
        let timed = |at| move |fault| Timed { at, fault };
        experiment.plan.faults.extend(begins.into_iter().map(timed(window.from)));
        experiment.plan.faults.extend(ends.into_iter().map(timed(window.to)));
    }
}

/// One run: final transactions per second before, during and after the fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub contender: Contender,
    pub fault: Kind,
    pub strength: u32,
    pub seed: u64,
    pub before: f64,
    pub during: f64,
    pub after: f64,
    /// Share of the throughput before that is left while the fault lasts.
    pub kept: f64,
    /// Longest time without a final transaction since the fault began.
    pub silence_ms: f64,
    /// From the end of the fault to the next final transaction; empty where none followed.
    pub resumed_ms: Option<f64>,
    pub latency_p50_ms: f64,
    pub latency_p99_ms: f64,
    pub leader_changes: u64,
    pub mode_changes: usize,
    pub violations: usize,
    pub lost_transactions: u64,
}

/// A step of a curve: the mean over all seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub contender: Contender,
    pub fault: Kind,
    pub strength: u32,
    /// When the step begins, since the start of the run.
    pub from_ms: u64,
    pub throughput: f64,
}

/// A quantile of the latencies of all seeds together, while the fault lasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    pub contender: Contender,
    pub fault: Kind,
    pub strength: u32,
    pub per_mille: usize,
    pub latency_ms: f64,
}

/// The three tables of this study.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    pub runs: Vec<Row>,
    pub steps: Vec<Step>,
    pub quantiles: Vec<Quantile>,
}

/// Every condition that there is, in the order of the tables.
pub fn conditions() -> Vec<Condition> {
    let mut all: Vec<Condition> =
        NAMED.into_iter().filter(|(_, strength)| *strength == 0).collect();
    all.extend(LOSSES.map(|percent| (Kind::Loss, percent)));
    all.extend(DELAYS.map(|delay| (Kind::Delay, delay)));
    all
}

pub fn run(profile: Profile) -> Tables {
    let mut tables = Tables::default();
    for contender in Contender::ALL {
        let with_seeds = |condition| (1..=profile.seeds).map(move |seed| (condition, seed));
        let jobs: Vec<(Condition, u64)> = conditions().into_iter().flat_map(with_seeds).collect();
        let study = format!("faults, {contender}");
        let measured =
            on_all_cores(&study, &jobs, |(condition, seed)| measure(contender, *condition, *seed));
        for ((condition, seed), measured) in jobs.iter().zip(&measured) {
            tables.runs.push(row(contender, *condition, *seed, measured));
        }
        let seeds = usize::try_from(profile.seeds).expect("a few seeds");
        for (jobs, measured) in jobs.chunks(seeds).zip(measured.chunks(seeds)) {
            let (condition, _) = jobs[0];
            tables.steps.extend(steps(contender, condition, measured));
            tables.quantiles.extend(quantiles(contender, condition, measured));
        }
    }
    tables
}

/// While the fault lasts.
const DURING: Window = Window::new(PERIOD, Duration::from_secs(2));

/// One run.
pub fn measure(contender: Contender, (kind, strength): Condition, seed: u64) -> Measured {
    let plan: Plan = setup::calm(contender, VALIDATORS, seed, LASTS);
    let mut experiment = Experiment::new(contender, plan);
    kind.strike(strength, DURING, &mut experiment);
    experiment.run()
}

/// What a run says.
pub fn row(
    contender: Contender,
    (fault, strength): Condition,
    seed: u64,
    measured: &Measured,
) -> Row {
    // The first tenth is the start of everything.
    let before = measured.throughput(Window::new(PERIOD / 10, PERIOD));
    let during = measured.throughput(DURING);
    let latencies = measured.latencies(DURING);
    Row {
        contender,
        fault,
        strength,
        seed,
        before: rounded(before, 1),
        during: rounded(during, 1),
        after: rounded(measured.throughput(Window::new(DURING.to, LASTS)), 1),
        kept: rounded(share(during, before), 4),
        silence_ms: millis(measured.silence(Window::new(DURING.from, LASTS))),
        resumed_ms: measured.next_final(DURING.to).map(millis),
        latency_p50_ms: millis(quantile(&latencies, 500)),
        latency_p99_ms: millis(quantile(&latencies, 990)),
        leader_changes: measured.report.leader_changes,
        mode_changes: measured.report.mode_changes.len(),
        violations: measured.report.safety_violations,
        lost_transactions: measured.report.lost_transactions,
    }
}

fn steps(contender: Contender, (fault, strength): Condition, runs: &[Measured]) -> Vec<Step> {
    let count = u32::try_from(LASTS.as_nanos() / STEP.as_nanos()).expect("a few steps");
    let step = |place: u32| {
        let from = STEP * place;
        let window = Window::new(from, from + STEP);
        let rates: Vec<f64> = runs.iter().map(|run| run.throughput(window)).collect();
        let from_ms = from.as_millis() as u64;
        let throughput = rounded(mean(&rates), 1);
        Step { contender, fault, strength, from_ms, throughput }
    };
    (0..count).map(step).collect()
}

/// Which quantiles the curves go through.
const PER_MILLE: [usize; 24] = [
    10, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700, 750, 800, 850, 900,
    950, 980, 990, 995, 999,
];

fn quantiles(
    contender: Contender,
    (fault, strength): Condition,
    runs: &[Measured],
) -> Vec<Quantile> {
    let mut latencies: Vec<Duration> = runs.iter().flat_map(|run| run.latencies(DURING)).collect();
    if latencies.is_empty() {
        return Vec::new();
    }
    latencies.sort_unstable();
    let at = |per_mille| {
        let latency_ms = millis(quantile(&latencies, per_mille));
        Quantile { contender, fault, strength, per_mille, latency_ms }
    };
    PER_MILLE.map(at).into()
}
