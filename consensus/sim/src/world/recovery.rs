//! The end of the faults: everything works again, or a core does and the rest stays as it is.

use std::time::Duration;

use super::World;
use crate::dice::{Dice, Purpose};
use crate::network::Link;
use crate::plan::Fault;
use crate::trace::Happening;
use consensus::engine::{Engine, FaultModel};

/// Longest sync of a disk that works again.
const QUICK_SYNC: Duration = Duration::from_micros(500);

impl<E: Engine> World<E> {
    /// Ends all faults: links calm and connected, every node up, no crash to come.
    pub fn heal(&mut self, link: Link) {
        self.faults_over = true;
        self.trace.tell(self.now, || Happening::Heal { core: None });
        self.heal_network();
        self.network.set_link(link);
        self.plan.sync = (Duration::ZERO, QUICK_SYNC.min(self.plan.sync.1));
        for node in 0..self.nodes.len() {
            self.repair(node);
        }
    }

    /// Ends the faults of a quorum of correct nodes, which hear each other from now on. Nothing
    /// else gets better, and nothing gets worse. Gives the core.
    pub fn freeze(&mut self, link: Link) -> Vec<usize> {
        self.faults_over = true;
        let core = self.choose_core();
        self.trace.event(self.now, b'z', 0, format!("{core:?}").as_bytes());
        self.trace.line(self.now, || format!("only the core {core:?} recovers"));
        self.trace.tell(self.now, || Happening::Heal { core: Some(&core) });
        let inside = |from: usize, to: usize| core.contains(&from) && core.contains(&to);
        self.network.heal_among(&core, link);
        self.release(inside);
        self.core = Some(core.clone());
        for node in 0..self.nodes.len() {
            self.nodes[node].disk.disarm();
        }
        for node in &core {
            self.repair(*node);
            self.nodes[*node].slow_disk = Some((Duration::ZERO, QUICK_SYNC.min(self.plan.sync.1)));
        }
        core
    }

    /// The nodes that have to recover: honest, in the set or not, not gone for good, and of the core
    /// if only that is whole.
    pub fn correct_nodes(&self) -> impl Iterator<Item = usize> + '_ {
        self.honest_nodes().filter(move |node| {
            !self.nodes[*node].is_gone()
                && self.core.as_ref().is_none_or(|core| core.contains(node))
        })
    }

    /// Whether the nodes that have to recover have everything that was ever final at an honest
    /// node, the same, and nothing is left to do.
    pub fn is_recovered(&self) -> bool {
        let highest = self.correct_nodes().map(|node| self.nodes[node].final_height()).max();
        let known = self.record.heights.last_key_value().map(|(height, _)| *height);
        let acknowledged = known.max(self.record.told);
        self.open_transactions() == 0
            && !self.is_campaigning()
            && highest >= acknowledged
            && highest == Some(self.min_final())
    }

    /// As many correct nodes as the engine needs to go on.
    fn choose_core(&self) -> Vec<usize> {
        let set = &self.genesis.validators;
        let enough = match self.genesis.fault_model {
            FaultModel::Crash => set.quorums().quorum,
            FaultModel::Byzantine => set.quorums().view_change_quorum,
        };
        let mut core: Vec<usize> = self.correct_nodes().collect();
        let members_change =
            self.plan.faults.iter().any(|timed| matches!(timed.fault, Fault::Members { .. }));
        let mut dice = Dice::new(self.plan.seed, Purpose::Recovery);
        while core.len() > enough {
            // The first are members of every set that there may be; among them is a quorum of each.
            let last = core.len() - 1;
            core.remove(if members_change { last } else { dice.index(core.len()) });
        }
        core
    }

    /// The node runs, on a disk and clocks that work.
    fn repair(&mut self, node: usize) {
        let target = &mut self.nodes[node];
        target.disk.disarm();
        target.restart_after = None;
        target.slow_disk = None;
        target.clock.set_drift(self.now, 0);
        target.clock.set_wall_right();
        if target.busy_until > self.now {
            // A pause is over: what waited for its end comes now.
            target.busy_until = self.now;
            target.turn_scheduled = false;
            target.wake_scheduled = None;
        }
        if target.driver.is_some() {
            self.want_turn(node);
        } else {
            self.start_node(node);
        }
    }

    /// Every link connects again, and what was held back is on its way.
    pub(super) fn heal_network(&mut self) {
        self.network.heal();
        self.release(|_, _| true);
        self.separate_twins();
    }
}
