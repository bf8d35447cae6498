//! Random worlds in which the validator set changes many times in a row, while links and disks fail
//! and nodes are killed, some of them in the middle of a change.

use std::time::Duration;

use consensus::engine::{Engine, FaultModel, Time};

use crate::application::Workload;
use crate::dice::{Dice, Purpose};
use crate::network::Link;
use crate::plan::{Fault, Load, Plan, Recovery, Who};
use crate::swarm;
use crate::world::World;

const MS: Duration = Duration::from_millis(1);
/// Changes in every world.
pub const CHANGES: u64 = 20;
/// Nodes that may join.
pub const JOINERS: usize = 3;
/// After so long all changes must be final, and everybody must agree.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The faults of the seed among all nodes, those that join included, of which at most as many lie as
/// `n` validators stand. Nothing is lost for good but what a liar loses.
pub fn plan(model: FaultModel, workload: Workload, seed: u64, n: usize) -> Plan {
    let mut plan = swarm::plan_for(model, seed, n + JOINERS);
    plan.faults.retain(|timed| {
        !matches!(
            timed.fault,
            Fault::Corruption { .. } | Fault::Members { .. } | Fault::DiskLoss { .. }
        )
    });
    let tolerated = (n - 1) / 3;
    plan.byzantine.truncate(tolerated);
    let load = match workload {
        Workload::HashChain => plan.load,
        // A change takes a handful of blocks: clients go on sending meanwhile.
        Workload::Ledger => {
            Load { transactions: 200, interval: plan.load.interval.max(MS * 10), ..plan.load }
        }
    };
    Plan {
        validators: n,
        joiners: JOINERS,
        max_faulty: tolerated as u16,
        twins: Vec::new(),
        workload,
        load,
        recovery: Recovery::Healed,
        recovery_bound: PATIENCE,
        ..plan
    }
}

/// Asks for change after change until so many are made, and kills somebody in the middle of some;
/// gives up after a while. How often somebody was killed.
pub fn churn<E: Engine>(world: &mut World<E>) -> u64 {
    let plan = world.plan().clone();
    let mut dice = Dice::new(plan.seed ^ 0x5e7, Purpose::Plan);
    let (end, mut kills, mut healed) = (Time::default() + PATIENCE, 0, false);
    // On the ledger a change takes several transactions, one after the other.
    let middle = match plan.workload {
        Workload::HashChain => 8,
        Workload::Ledger => 60,
    };
    while world.changes() < CHANGES && world.now() < end && world.violations().is_empty() {
        world.run_for(MS * dice.between(5, 40) as u32);
        if !healed && world.now() >= Time::default() + plan.faults_end {
            healed = true;
            world.heal(Link::exact(MS));
        }
        if world.changes() == CHANGES || !world.change() {
            continue;
        }
        if dice.below(3) == 0 {
            kills += 1;
            let node = dice.index(plan.nodes());
            let who = if dice.below(2) == 0 { Who::Leader } else { Who::Node(node) };
            let restart_after = Some(MS * *dice.pick(&[1, 20, 150]));
            world.run_for(MS * dice.between(0, middle) as u32);
            world.strike(Fault::Crash { who, restart_after });
        }
    }
    kills
}
