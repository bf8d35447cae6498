//! One random plan per seed: small scopes under heavy fire, because they find what wide ones miss.

use std::time::Duration;

use crate::application::Workload;
use crate::byzantine::BehaviourKind;
use crate::dice::{Dice, MILLION, Purpose};
use crate::disk::CrashPoint;
use crate::network::Link;
use crate::plan::{EngineOptions, Fault, Load, Plan, Timed, Who};
use crate::signatures::SignatureRule;

const MS: Duration = Duration::from_millis(1);

/// The plan of a seed for `n` validators.
pub fn plan(seed: u64, n: usize) -> Plan {
    let mut dice = Dice::new(seed, Purpose::Plan);
    let max_faulty = u16::try_from((n - 1) / 3).expect("at most 128 validators");
    let link = weather(&mut dice);
    let faults_end = MS * dice.between(300, 900) as u32;
    let liar = dice.index(n);
    let (mut byzantine, mut twins) = (Vec::new(), Vec::new());
    match dice.below(10) {
        _ if max_faulty == 0 => {}
        0..=3 => {}
        4 => twins.push(liar),
        _ => byzantine.push((liar, *dice.pick(BehaviourKind::ALL))),
    }
    let sync = if dice.below(2) == 0 { Duration::ZERO } else { MS * dice.between(1, 6) as u32 };
    let options = EngineOptions {
        pipeline: dice.between(1, 8),
        batch: dice.index(4) + 1,
        ..EngineOptions::default()
    };
    let load = Load {
        transactions: dice.between(5, 60),
        senders: dice.index(4) + 1,
        interval: MS * dice.between(1, 25) as u32,
    };
    let signatures =
        if dice.below(50) == 0 { SignatureRule::Ed25519 } else { SignatureRule::Cheap };
    Plan {
        seed,
        validators: n,
        max_faulty,
        workload: Workload::HashChain,
        signatures,
        options,
        link,
        sync: (Duration::ZERO, sync),
        byzantine,
        twins,
        faults: faults(&mut dice, n, faults_end),
        load,
        faults_end,
        recovery_bound: options.timeout_max * 30,
    }
}

/// Links between calm and wild.
fn weather(dice: &mut Dice) -> Link {
    let delay_min = Duration::from_micros(dice.between(100, 2_000));
    let percent = MILLION / 100;
    Link {
        delay_min,
        delay_max: delay_min + Duration::from_micros(dice.between(0, 10_000)),
        tail: percent * *dice.pick(&[0, 0, 5, 30]),
        tail_max: MS * dice.between(5, 150) as u32,
        loss: percent * *dice.pick(&[0, 0, 2, 10, 25]),
        duplication: percent * *dice.pick(&[0, 0, 10]),
        reorder: dice.below(2) == 0,
    }
}

fn faults(dice: &mut Dice, n: usize, end: Duration) -> Vec<Timed> {
    let pace = MS * *dice.pick(&[15, 40, 100, 250]);
    let mut faults = Vec::new();
    let mut at = dice.duration(Duration::ZERO, pace * 2);
    while at < end {
        faults.push(Timed { at, fault: fault(dice, n) });
        at += dice.duration(Duration::ZERO, pace * 2);
    }
    faults
}

fn fault(dice: &mut Dice, n: usize) -> Fault {
    let who = if dice.below(3) == 0 { Who::Leader } else { Who::Node(dice.index(n)) };
    let restart_after = MS * *dice.pick(&[1, 10, 60, 200]);
    match dice.below(12) {
        0 => Fault::Crash { who, restart_after: Some(restart_after) },
        1..=4 => Fault::CrashAt { who, point: crash_point(dice), restart_after },
        5 => Fault::CrashAll { restart_after },
        6 => {
            let mut groups = vec![Vec::new(), Vec::new()];
            for node in 0..n {
                groups[dice.index(2)].push(node);
            }
            Fault::Partition { groups }
        }
        7 => Fault::Isolate { who },
        8 => Fault::Block { from: dice.index(n), to: dice.index(n) },
        9 => Fault::Weather { link: weather(dice) },
        _ => Fault::HealNetwork,
    }
}

fn crash_point(dice: &mut Dice) -> CrashPoint {
    match dice.below(6) {
        0 => CrashPoint::BeforeWrite,
        1 => CrashPoint::BeforeSync,
        2 => CrashPoint::BeforeRelease,
        3 => CrashPoint::AfterSends(dice.below(4) as u16),
        4 => CrashPoint::BeforeCommit,
        _ => CrashPoint::AfterCommit,
    }
}
