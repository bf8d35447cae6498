//! Named plans, each about one thing that happens to real networks.

use std::time::Duration;

use crate::application::Workload;
use crate::byzantine::BehaviourKind;
use crate::dice::MILLION;
use crate::network::Link;
use crate::plan::{EngineOptions, Fault, Load, Plan, Timed, Who};
use crate::signatures::SignatureRule;

const MS: Duration = Duration::from_millis(1);

/// A named scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    plan: fn(seed: u64, n: usize) -> Plan,
}

impl Scenario {
    pub fn plan(&self, seed: u64, n: usize) -> Plan {
        (self.plan)(seed, n)
    }
}

/// Every scenario.
pub const ALL: &[Scenario] = &[
    Scenario { name: "calm", about: "nothing happens", plan: calm },
    Scenario { name: "leader-crash", about: "the leader dies, twice", plan: leader_crash },
    Scenario { name: "follower-dead", about: "one follower is dead", plan: follower_dead },
    Scenario { name: "equivocation", about: "a leader signs two chains", plan: equivocation },
    Scenario { name: "partition", about: "two halves, then healed", plan: partition },
    Scenario { name: "lossy", about: "one message in ten is lost", plan: lossy },
    Scenario { name: "restart-all", about: "all crash at once, thrice", plan: restart_all },
    Scenario { name: "withholding", about: "a leader starves some", plan: withholding },
    Scenario { name: "view-changes", about: "leader after leader is cut off", plan: view_changes },
    Scenario { name: "long-view", about: "a thousand blocks, then a view change", plan: long_view },
];

/// The scenario of this name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// Calm weather and a steady load: what the others start from.
pub fn calm(seed: u64, n: usize) -> Plan {
    let options = EngineOptions::default();
    Plan {
        seed,
        validators: n,
        max_faulty: u16::try_from((n.max(1) - 1) / 3).expect("at most 128 validators"),
        workload: Workload::HashChain,
        signatures: SignatureRule::Cheap,
        options,
        link: Link { delay_max: MS * 2, ..Link::exact(MS) },
        sync: (Duration::ZERO, Duration::ZERO),
        byzantine: Vec::new(),
        twins: Vec::new(),
        faults: Vec::new(),
        load: Load { transactions: 200, senders: 4, interval: MS * 5 },
        faults_end: MS * 1_200,
        recovery_bound: options.timeout_max * 30,
    }
}

fn at(ms: u32, fault: Fault) -> Timed {
    Timed { at: MS * ms, fault }
}

fn leader_crash(seed: u64, n: usize) -> Plan {
    let crash = || Fault::Crash { who: Who::Leader, restart_after: Some(MS * 300) };
    Plan { faults: vec![at(200, crash()), at(700, crash())], ..calm(seed, n) }
}

fn follower_dead(seed: u64, n: usize) -> Plan {
    let crash = Fault::Crash { who: Who::Node(n - 1), restart_after: None };
    Plan { faults: vec![at(100, crash)], ..calm(seed, n) }
}

fn equivocation(seed: u64, n: usize) -> Plan {
    Plan { byzantine: vec![(1 % n, BehaviourKind::Equivocate)], ..view_changes(seed, n) }
}

fn partition(seed: u64, n: usize) -> Plan {
    let groups = vec![(0..n / 2).collect(), (n / 2..n).collect()];
    let faults = vec![at(200, Fault::Partition { groups }), at(800, Fault::HealNetwork)];
    Plan { faults, ..calm(seed, n) }
}

fn lossy(seed: u64, n: usize) -> Plan {
    let plan = calm(seed, n);
    let link = Link { loss: MILLION / 10, reorder: true, delay_max: MS * 4, ..plan.link };
    Plan { link, ..plan }
}

fn restart_all(seed: u64, n: usize) -> Plan {
    let crash = || Fault::CrashAll { restart_after: MS * 20 };
    Plan { faults: vec![at(150, crash()), at(500, crash()), at(900, crash())], ..calm(seed, n) }
}

fn withholding(seed: u64, n: usize) -> Plan {
    Plan { byzantine: vec![(0, BehaviourKind::Withhold)], ..calm(seed, n) }
}

fn view_changes(seed: u64, n: usize) -> Plan {
    let faults = (1..8)
        .flat_map(|turn| {
            let start = turn * 150;
            [at(start, Fault::Isolate { who: Who::Leader }), at(start + 90, Fault::HealNetwork)]
        })
        .collect();
    Plan { faults, ..calm(seed, n) }
}

fn long_view(seed: u64, n: usize) -> Plan {
    let crash = Fault::Crash { who: Who::Leader, restart_after: Some(MS * 300) };
    Plan {
        load: Load { transactions: 1_200, senders: 4, interval: MS * 3 },
        faults: vec![at(3_400, crash)],
        faults_end: MS * 4_200,
        ..calm(seed, n)
    }
}
