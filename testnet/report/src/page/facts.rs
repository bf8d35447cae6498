//! The numbers of the page.

use serde::Serialize;

use super::compare::{self, Cell, Order, World};
use super::verdicts::{self, Difference, Loss};
use crate::contender::Contender;
use crate::data::{About, Data};
use crate::live::{self, SCENARIOS};
use crate::setup;
use crate::statistics::{Estimate, mean, quantile};
use crate::studies::faults::{self, NAMED};
use crate::studies::weather::{Schedule, windows};
use crate::studies::{cost, load, membership, millis, outside, partition, share};

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

#[derive(Clone, Debug, Serialize)]
struct Cost {
    validators: usize,
    who: &'static str,
    rounds: f64,
    latency_ms: f64,
    latency_delays: f64,
    messages: f64,
    messages_predicted: u64,
    bytes_per_transaction: f64,
    signed: f64,
    checked: f64,
    throughput: f64,
}

/// How something grows from 31 to 100 validators.
#[derive(Clone, Debug, Serialize)]
struct Growth {
    who: &'static str,
    messages: f64,
    checked: f64,
    busiest_bytes: f64,
    latency_ms: f64,
    /// Exponents: 1 is in proportion to the validators, 2 to their square.
    messages_exponent: f64,
    busiest_exponent: f64,
    /// Of replacing a dead leader; zeros where that is not measured.
    view_change_bytes: f64,
    view_change_exponent: f64,
    view_change_ms: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Load {
    who: &'static str,
    /// The most that became final per second.
    most: f64,
    /// Latency at the lowest rate.
    p50_idle_ms: f64,
    p99_idle_ms: f64,
    /// The highest rate of which at least 95 % became final in time.
    sustained: u32,
}

#[derive(Clone, Debug, Serialize)]
struct Fault {
    who: &'static str,
    kept: Vec<String>,
    crash_silence_ms: f64,
    cut_off_silence_ms: f64,
    lying_silence_ms: f64,
    halves_resumed_ms: f64,
    loss_10_kept: f64,
    loss_30_kept: f64,
    delay_100: f64,
    lying_broken: usize,
    runs: usize,
}

#[derive(Clone, Debug, Serialize)]
struct Weather {
    who: &'static str,
    throughput: Estimate,
    transactions: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    messages_per_transaction: f64,
    switches: f64,
    runs: usize,
    broken: usize,
}

/// Adaptive against static pbft where nothing happens.
#[derive(Clone, Debug, Serialize)]
struct Calm {
    messages_ratio: f64,
    messages_ratio_predicted: f64,
    throughput_ratio: f64,
    largest: usize,
    messages_ratio_largest: f64,
    throughput_ratio_largest: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Outside {
    who: &'static str,
    liars: usize,
    within: bool,
    runs: usize,
    broken: usize,
    lost_runs: usize,
    lost_transactions: u64,
    recovered: usize,
}

#[derive(Clone, Debug, Serialize)]
struct Membership {
    who: &'static str,
    change: &'static str,
    took_ms: f64,
    silence_ms: f64,
    silence_before_ms: f64,
    kept: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Partition {
    who: &'static str,
    smaller: usize,
    larger: usize,
    kept: f64,
    larger_blocks: f64,
    smaller_blocks: f64,
    resumed_ms: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Live {
    account: live::Account,
    scenarios: Vec<String>,
    rows: Vec<LiveRow>,
    orders: Vec<Order>,
    told_apart: usize,
    same: usize,
}

#[derive(Clone, Debug, Serialize)]
struct LiveRow {
    who: &'static str,
    simulated: Vec<Cell>,
    real: Vec<Cell>,
}

impl Facts {
    pub fn of(data: &Data) -> Self {
        let orders = compare::orders(data);
        Self {
            about: data.about.clone(),
            setup: Setup::of(data),
            sizes: cost::SIZES.into(),
            names: cost::CONTENDERS.map(Contender::label).into(),
            cost: costs(data),
            growth: growths(data),
            load: loads(data),
            conditions: NAMED.iter().map(|(kind, strength)| kind.label(*strength)).collect(),
            faults: Contender::ALL.map(|contender| Fault::of(data, contender)).into(),
            weather: weather(data, Schedule::All),
            nobody_lies: weather(data, Schedule::NobodyLies),
            differences: verdicts::differences(data, Schedule::All),
            differences_nobody_lies: verdicts::differences(data, Schedule::NobodyLies),
            losses: verdicts::losses(data),
            phases: phases(data),
            calm: Calm::of(data),
            outside: outsides(data),
            membership: memberships(data),
            partition: partitions(data),
            live: Live {
                account: data.live.clone(),
                scenarios: SCENARIOS.map(|scenario| scenario.label(0)).into(),
                rows: live_rows(data),
                told_apart: orders.iter().map(|order| order.told_apart).sum(),
                same: orders.iter().map(|order| order.same).sum(),
                orders,
            },
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
            fault_validators: faults::VALIDATORS,
            fault_ms: millis(faults::PERIOD),
            load_delay_ms: load::DELAY_MS,
            load_validators: load::VALIDATORS,
            partition_validators: partition::VALIDATORS,
            membership_validators: membership::VALIDATORS,
            schedule_s: schedule.last().map_or(0.0, |(_, window)| window.to.as_secs_f64()),
            tie: compare::TIE,
        }
    }
}

fn costs(data: &Data) -> Vec<Cost> {
    let mut costs = Vec::new();
    for validators in cost::SIZES {
        for contender in cost::CONTENDERS {
            costs.push(cost(data, contender, validators));
        }
    }
    costs
}

fn cost(data: &Data, contender: Contender, validators: usize) -> Cost {
    let of = |value: fn(&cost::Row) -> f64| {
        let counts = |row: &&cost::Row| row.contender == contender && row.validators == validators;
        mean_of(&data.cost, counts, value)
    };
    Cost {
        validators,
        who: contender.label(),
        rounds: of(|row| row.rounds),
        latency_ms: of(|row| row.latency_p50_ms),
        latency_delays: of(|row| row.latency_p50_delays),
        messages: of(|row| row.messages),
        messages_predicted: cost::predicted(contender, validators as u64),
        bytes_per_transaction: of(|row| row.bytes_per_transaction),
        signed: of(|row| row.signed),
        checked: of(|row| row.checked),
        throughput: of(|row| row.throughput),
    }
}

const FROM: usize = 31;
const TO: usize = 100;

/// The power of the number of validators that takes one value to the other.
fn exponent(small: f64, large: f64) -> f64 {
    if small > 0.0 && large > 0.0 {
        (large / small).ln() / (TO as f64 / FROM as f64).ln()
    } else {
        0.0
    }
}

fn growths(data: &Data) -> Vec<Growth> {
    let growth = |contender: Contender| {
        let at = |validators: usize, value: fn(&cost::Row) -> f64| {
            let counts =
                |row: &&cost::Row| row.contender == contender && row.validators == validators;
            mean_of(&data.cost, counts, value)
        };
        let change = |validators: usize, value: fn(&crate::studies::view_change::Row) -> f64| {
            let counts = |row: &&crate::studies::view_change::Row| {
                row.contender == contender && row.validators == validators
            };
            mean_of(&data.view_change, counts, value)
        };
        let grown = |value: fn(&cost::Row) -> f64| exponent(at(FROM, value), at(TO, value));
        let bytes: fn(&crate::studies::view_change::Row) -> f64 = |row| row.bytes as f64;
        Growth {
            who: contender.label(),
            messages: at(TO, |row| row.messages),
            checked: at(TO, |row| row.checked),
            busiest_bytes: at(TO, |row| row.busiest_bytes),
            latency_ms: at(TO, |row| row.latency_p50_ms),
            messages_exponent: grown(|row| row.messages),
            busiest_exponent: grown(|row| row.busiest_bytes),
            view_change_bytes: change(TO, bytes),
            view_change_exponent: exponent(change(FROM, bytes), change(TO, bytes)),
            view_change_ms: change(TO, |row| row.took_ms.unwrap_or_default()),
        }
    };
    cost::CONTENDERS.map(growth).into()
}

fn loads(data: &Data) -> Vec<Load> {
    let one = |contender: Contender| {
        let at = |rate: u32, value: fn(&load::Row) -> f64| {
            let counts = |row: &&load::Row| row.contender == contender && row.rate == rate;
            mean_of(&data.load, counts, value)
        };
        let finals = load::RATES.map(|rate| (rate, at(rate, |row| row.throughput)));
        let sustained = finals.iter().filter(|(rate, tps)| *tps >= 0.95 * f64::from(*rate));
        let idle = load::RATES[0];
        Load {
            who: contender.label(),
            most: finals.iter().map(|(_, tps)| *tps).fold(0.0, f64::max),
            p50_idle_ms: at(idle, |row| row.latency_p50_ms),
            p99_idle_ms: at(idle, |row| row.latency_p99_ms),
            sustained: sustained.map(|(rate, _)| *rate).max().unwrap_or_default(),
        }
    };
    cost::CONTENDERS.map(one).into()
}

impl Fault {
    fn of(data: &Data, contender: Contender) -> Self {
        let rows = |kind: faults::Kind, strength: u32| {
            data.faults.iter().filter(move |row| {
                row.contender == contender && (row.fault, row.strength) == (kind, strength)
            })
        };
        let kept =
            |kind, strength| mean(&rows(kind, strength).map(|row| row.kept).collect::<Vec<_>>());
        let is_broken = |row: &&faults::Row| row.violations > 0 || row.lost_transactions > 0;
        let shown = |(kind, strength): faults::Condition| match rows(kind, strength)
            .filter(is_broken)
            .count()
        {
            0 => format!("{:.0} %", kept(kind, strength) * 100.0),
            broken => format!("forks in {broken} of {}", rows(kind, strength).count()),
        };
        let silence = |kind| median(rows(kind, 0).map(|row| row.silence_ms).collect());
        Self {
            who: contender.label(),
            kept: NAMED.map(shown).into(),
            crash_silence_ms: silence(faults::Kind::LeaderCrash),
            cut_off_silence_ms: silence(faults::Kind::LeaderCutOff),
            lying_silence_ms: silence(faults::Kind::LyingLeader),
            halves_resumed_ms: median(
                rows(faults::Kind::Halves, 0).filter_map(|row| row.resumed_ms).collect(),
            ),
            loss_10_kept: kept(faults::Kind::Loss, 10),
            loss_30_kept: kept(faults::Kind::Loss, 30),
            delay_100: mean(
                &rows(faults::Kind::Delay, 100).map(|row| row.during).collect::<Vec<_>>(),
            ),
            lying_broken: rows(faults::Kind::LyingLeader, 0).filter(is_broken).count(),
            runs: rows(faults::Kind::LyingLeader, 0).count(),
        }
    }
}

fn weather(data: &Data, schedule: Schedule) -> Vec<Weather> {
    let one = |contender: Contender| {
        let rows: Vec<_> = data
            .weather
            .iter()
            .filter(|row| row.contender == contender && row.schedule == schedule)
            .collect();
        let of = |value: fn(&crate::studies::weather::Row) -> f64| {
            rows.iter().map(|row| value(row)).collect::<Vec<_>>()
        };
        Weather {
            who: contender.label(),
            throughput: Estimate::of(&of(|row| row.throughput)),
            transactions: mean(&of(|row| row.transactions as f64)),
            p50_ms: mean(&of(|row| row.latency_p50_ms)),
            p95_ms: mean(&of(|row| row.latency_p95_ms)),
            p99_ms: mean(&of(|row| row.latency_p99_ms)),
            messages_per_transaction: mean(&of(|row| row.messages_per_transaction)),
            switches: mean(&of(|row| row.mode_changes as f64)),
            runs: rows.len(),
            broken: rows.iter().filter(|row| row.broken_ms.is_some()).count(),
        }
    };
    Contender::ALL.map(one).into()
}

fn phases(data: &Data) -> Vec<String> {
    let phases = windows(data.about.profile, Schedule::All).into_iter();
    phases
        .map(|(phase, window)| {
            format!("{} ({} s)", phase.kind.label(phase.strength), window.seconds())
        })
        .collect()
}

impl Calm {
    fn of(data: &Data) -> Self {
        let largest = cost::SIZES[cost::SIZES.len() - 1];
        let of = |contender, n| cost(data, contender, n);
        let ratio = |n: usize, value: fn(&Cost) -> f64, inverse: bool| {
            let (fast, pbft) =
                (value(&of(Contender::Hybrid, n)), value(&of(Contender::StaticPbft, n)));
            if inverse { share(pbft, fast) } else { share(fast, pbft) }
        };
        let small = cost::SIZES[0];
        let predicted = |contender| cost::predicted(contender, small as u64) as f64;
        Self {
            messages_ratio: ratio(small, |cost| cost.messages, true),
            messages_ratio_predicted: predicted(Contender::StaticPbft)
                / predicted(Contender::Hybrid),
            throughput_ratio: ratio(small, |cost| cost.throughput, false),
            largest,
            messages_ratio_largest: ratio(largest, |cost| cost.messages, true),
            throughput_ratio_largest: ratio(largest, |cost| cost.throughput, false),
        }
    }
}

fn outsides(data: &Data) -> Vec<Outside> {
    let mut all = Vec::new();
    for liars in outside::LIARS {
        for contender in Contender::ENGINES {
            let rows: Vec<&outside::Row> = data
                .outside
                .iter()
                .filter(|row| row.contender == contender && row.liars == liars)
                .collect();
            let count =
                |counts: fn(&outside::Row) -> bool| rows.iter().filter(|row| counts(row)).count();
            all.push(Outside {
                who: contender.label(),
                liars,
                within: rows.iter().all(|row| row.within_fault_model),
                runs: rows.len(),
                broken: count(|row| !row.broken.is_empty()),
                lost_runs: count(|row| row.lost_transactions > 0),
                lost_transactions: rows.iter().map(|row| row.lost_transactions).sum(),
                recovered: count(|row| row.broken.is_empty() && row.recovered),
            });
        }
    }
    all
}

fn memberships(data: &Data) -> Vec<Membership> {
    let mut all = Vec::new();
    for contender in cost::CONTENDERS {
        for (change, name) in
            [(membership::Change::Leave, "one leaves"), (membership::Change::Join, "one joins")]
        {
            let rows: Vec<&membership::Row> = data
                .membership
                .iter()
                .filter(|row| row.contender == contender && row.change == change)
                .collect();
            let of = |value: fn(&membership::Row) -> f64| {
                median(rows.iter().map(|row| value(row)).collect())
            };
            all.push(Membership {
                who: contender.label(),
                change: name,
                took_ms: median(rows.iter().filter_map(|row| row.took_ms).collect()),
                silence_ms: of(|row| row.silence_ms),
                silence_before_ms: of(|row| row.silence_before_ms),
                kept: of(|row| row.kept),
            });
        }
    }
    all
}

fn partitions(data: &Data) -> Vec<Partition> {
    let mut all = Vec::new();
    for contender in Contender::ENGINES {
        for smaller in partition::SMALLER {
            let rows: Vec<&partition::Row> = data
                .partition
                .iter()
                .filter(|row| row.contender == contender && row.smaller == smaller)
                .collect();
            let of = |value: fn(&partition::Row) -> f64| {
                mean(&rows.iter().map(|row| value(row)).collect::<Vec<_>>())
            };
            all.push(Partition {
                who: contender.label(),
                smaller,
                larger: partition::VALIDATORS - smaller,
                kept: of(|row| row.kept),
                larger_blocks: of(|row| row.larger_blocks),
                smaller_blocks: of(|row| row.smaller_blocks),
                resumed_ms: median(rows.iter().filter_map(|row| row.resumed_ms).collect()),
            });
        }
    }
    all
}

fn live_rows(data: &Data) -> Vec<LiveRow> {
    let row = |contender: Contender| {
        let cells = |world| {
            SCENARIOS.map(|scenario| compare::cell(data, world, contender, scenario)).into()
        };
        LiveRow {
            who: contender.label(),
            simulated: cells(World::Simulated),
            real: cells(World::Real),
        }
    };
    compare::contenders(data).into_iter().map(row).collect()
}
