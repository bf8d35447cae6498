//! One random plan per seed: small scopes under heavy fire, because they find what wide ones miss.

use std::time::Duration;

use consensus::engine::FaultModel;

use crate::application::Workload;
use crate::byzantine::BehaviourKind;
use crate::dice::{Dice, MILLION, Purpose};
use crate::disk::CrashPoint;
use crate::network::{Bandwidth, Link, Regions};
use crate::plan::{EngineOptions, Fault, Load, Plan, Recovery, Timed, Who, Work};
use crate::shape::Shape;
use crate::signatures::SignatureRule;

const MS: Duration = Duration::from_millis(1);
const PERCENT: u32 = MILLION / 100;

/// The plan of a seed for `n` validators of an engine that tolerates liars.
pub fn plan(seed: u64, n: usize) -> Plan {
    plan_for(FaultModel::Byzantine, seed, n)
}

/// The plan of a seed for `n` validators, with every fault that the model allows and no more of
/// them at once than it allows.
pub fn plan_for(model: FaultModel, seed: u64, n: usize) -> Plan {
    let mut dice = Dice::new(seed, Purpose::Plan);
    let link = weather(&mut dice);
    let faults_end = MS * dice.between(300, 900) as u32;
    // Where members leave, the set must tolerate its faults without them.
    let churn = n > 3 && dice.below(if n == 4 { 12 } else { 4 }) == 0;
    let max_faulty = (n.max(1) - 1 - usize::from(churn)) / 3;
    let broken = Broken::draw(&mut dice, model, n, max_faulty, churn);
    let sync = if dice.below(2) == 0 { Duration::ZERO } else { MS * dice.between(1, 6) as u32 };
    let options = EngineOptions {
        pipeline: dice.between(1, 8),
        batch: dice.index(4) + 1,
        ..EngineOptions::default()
    };
    let load = Load {
        transactions: dice.between(5, 60),
        senders: dice.index(4) + 1,
        reads: true,
        interval: MS * dice.between(1, 25) as u32,
    };
    let signatures =
        if dice.below(20) == 0 { SignatureRule::Ed25519 } else { SignatureRule::Cheap };
    let workload =
        if !churn && dice.below(8) == 0 { Workload::Ledger } else { Workload::HashChain };
    let regions = (dice.below(10) == 0).then(|| regions(&mut dice));
    let recovery = if dice.below(5) < 2 { Recovery::Frozen } else { Recovery::Healed };
    let mut faults = faults(&mut dice, n, faults_end, churn);
    broken.schedule(&mut dice, faults_end, &mut faults);
    faults.sort_by_key(|timed| timed.at);
    Plan {
        seed,
        validators: n,
        max_faulty: u16::try_from(max_faulty).expect("at most 128 validators"),
        joiners: 0,
        workload,
        signatures,
        options,
        work: Work::default(),
        link,
        regions,
        sync: (Duration::ZERO, sync),
        byzantine: broken.byzantine,
        twins: broken.twins,
        faults,
        load,
        faults_end,
        recovery,
        recovery_bound: options.timeout_max * 30,
    }
}

/// The plan of a seed in which nobody lies and every validator comes back, so any of them may be all
/// that the set is reduced to: it changes only where a test changes it.
pub fn crashes(seed: u64, n: usize) -> Plan {
    let mut plan = plan_for(FaultModel::Crash, seed, n);
    plan.faults
        .retain(|timed| !matches!(timed.fault, Fault::Corruption { .. } | Fault::Members { .. }));
    Plan { workload: Workload::HashChain, recovery: Recovery::Healed, ..plan }
}

/// The validators that are worse than slow or down for a while. Each counts against the model.
#[derive(Default)]
struct Broken {
    byzantine: Vec<(usize, BehaviourKind)>,
    twins: Vec<usize>,
    /// Their disks are lost.
    amnesiacs: Vec<usize>,
    /// Their disks are damaged, so they never start again.
    damaged: Vec<usize>,
}

impl Broken {
    fn draw(dice: &mut Dice, model: FaultModel, n: usize, max_faulty: usize, churn: bool) -> Self {
        let mut broken = Self::default();
        let mut honest: Vec<usize> = (0..n).collect();
        let budget = match model {
            FaultModel::Byzantine => max_faulty,
            // Whoever has left the set is no help to those that are left.
            FaultModel::Crash if churn => 0,
            FaultModel::Crash => (n.max(1) - 1) / 2,
        };
        for _ in 0..budget {
            let node = honest.remove(dice.index(honest.len()));
            match (model, dice.below(12)) {
                (FaultModel::Crash, 0..=3) | (FaultModel::Byzantine, 0) => {
                    broken.damaged.push(node);
                }
                (FaultModel::Crash, _) | (FaultModel::Byzantine, 1..=4) => break,
                (FaultModel::Byzantine, 5) => broken.twins.push(node),
                (FaultModel::Byzantine, 6) => broken.amnesiacs.push(node),
                (FaultModel::Byzantine, _) => {
                    broken.byzantine.push((node, *dice.pick(BehaviourKind::ALL)));
                }
            }
        }
        broken
    }

    fn schedule(&self, dice: &mut Dice, end: Duration, faults: &mut Vec<Timed>) {
        for node in &self.damaged {
            let at = dice.duration(Duration::ZERO, end);
            faults.push(Timed { at, fault: Fault::Corruption { who: Who::Node(*node) } });
        }
        for node in &self.amnesiacs {
            for _ in 0..dice.between(1, 3) {
                let at = dice.duration(Duration::ZERO, end);
                let restart_after = MS * *dice.pick(&[1, 10, 60]);
                faults.push(Timed { at, fault: Fault::DiskLoss { node: *node, restart_after } });
            }
        }
    }
}

/// Links between calm and wild.
fn weather(dice: &mut Dice) -> Link {
    let delay_min = Duration::from_micros(dice.between(100, 2_000));
    Link {
        delay_min,
        delay_max: delay_min + Duration::from_micros(dice.between(0, 10_000)),
        tail: PERCENT * *dice.pick(&[0, 0, 5, 30]),
        tail_max: MS * dice.between(5, 150) as u32,
        loss: PERCENT * *dice.pick(&[0, 0, 2, 10, 25]),
        duplication: PERCENT * *dice.pick(&[0, 0, 10]),
        reorder: dice.below(2) == 0,
        bandwidth: (dice.below(8) == 0).then(|| Bandwidth {
            bytes_per_second: dice.between(50_000, 5_000_000),
            queue_bytes: dice.between(5_000, 500_000),
        }),
    }
}

/// Two or three places, near enough for the timeouts of the swarm.
fn regions(dice: &mut Dice) -> Regions {
    let count = dice.index(2) + 2;
    let mut round_trip = vec![vec![Duration::ZERO; count]; count];
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        if other < count {
            let way = MS * dice.between(1, 20) as u32;
            round_trip[one][other] = way;
            round_trip[other][one] = way;
        }
    }
    Regions { round_trip }
}

fn faults(dice: &mut Dice, n: usize, end: Duration, churn: bool) -> Vec<Timed> {
    let pace = MS * *dice.pick(&[15, 40, 100, 250]);
    let mut faults = Vec::new();
    let mut at = dice.duration(Duration::ZERO, pace * 2);
    while at < end {
        faults.push(Timed { at, fault: fault(dice, n, churn) });
        at += dice.duration(Duration::ZERO, pace * 2);
    }
    faults
}

fn fault(dice: &mut Dice, n: usize, churn: bool) -> Fault {
    let who = if dice.below(3) == 0 { Who::Leader } else { Who::Node(dice.index(n)) };
    let restart_after = MS * *dice.pick(&[1, 10, 60, 200]);
    match dice.below(20) {
        0 => Fault::Crash { who, restart_after: Some(restart_after) },
        1..=6 => Fault::CrashAt { who, point: crash_point(dice), restart_after },
        7 if dice.below(3) == 0 => Fault::CrashMajority { restart_after },
        7 => Fault::CrashAll { restart_after },
        8 => Fault::Pause { who, lasts: MS * *dice.pick(&[5, 60, 300]) },
        9 => {
            let mut groups = vec![Vec::new(), Vec::new()];
            for node in 0..n {
                groups[dice.index(2)].push(node);
            }
            Fault::Partition { groups }
        }
        10 => Fault::Cut { shape: shape(dice, n) },
        11 => Fault::Isolate { who },
        12 | 13 => link_fault(dice, n),
        14 => Fault::Weather { link: weather(dice) },
        15 if dice.below(2) == 0 => Fault::SyncError { who, restart_after },
        15 => Fault::SlowDisk { who, sync: (MS, MS * *dice.pick(&[3, 20, 80])) },
        16 if churn => Fault::Members { away: dice.below(2) as u8 },
        16 => Fault::Lag { who, extra: MS * *dice.pick(&[5, 30, 45, 100]) },
        17 if dice.below(2) == 0 => {
            let by_ms = i64::try_from(dice.below(240_000)).expect("small") - 120_000;
            Fault::ClockJump { who, by_ms }
        }
        17 => {
            Fault::ClockDrift { who, ppm: *dice.pick(&[-500_000, -50_000, 200, 100_000, 500_000]) }
        }
        _ => Fault::HealNetwork,
    }
}

fn link_fault(dice: &mut Dice, n: usize) -> Fault {
    let (from, to) = pair(dice, n);
    match dice.below(6) {
        0 => Fault::Block { from, to },
        1 => Fault::Clog { from, to },
        2 => Fault::Release { from, to },
        3 => Fault::LinkWeather { from, to, link: weather(dice) },
        _ => Fault::Flap {
            between: (from, to),
            period: MS * *dice.pick(&[4, 30, 150]),
            times: dice.between(1, 8) as u32,
        },
    }
}

fn shape(dice: &mut Dice, n: usize) -> Shape {
    let (from, to) = pair(dice, n);
    match dice.below(8) {
        0 => Shape::QuorumLoss { hub: from },
        1 => Shape::ConstrainedElection { hub: from },
        2 => Shape::Chained,
        3 => Shape::Switch { from, to },
        4 => Shape::Mute { node: from },
        5 => Shape::Deaf { node: from },
        6 => Shape::Between { left: vec![from], right: vec![to] },
        _ => Shape::Minority,
    }
}

/// Two different nodes, if there are two.
fn pair(dice: &mut Dice, n: usize) -> (usize, usize) {
    let from = dice.index(n);
    (from, (from + 1 + dice.index(n.max(2) - 1)) % n)
}

fn crash_point(dice: &mut Dice) -> CrashPoint {
    match dice.below(7) {
        0 => CrashPoint::BeforeWrite,
        1 => CrashPoint::MidWrite,
        2 => CrashPoint::BeforeSync,
        3 => CrashPoint::BeforeRelease,
        4 => CrashPoint::AfterSends(dice.below(4) as u16),
        5 => CrashPoint::BeforeCommit,
        _ => CrashPoint::AfterCommit,
    }
}

#[cfg(test)]
mod tests;
