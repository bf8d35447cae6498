//! Faults striking, and everything made well again.

use std::time::Duration;

use super::{Action, World};
use crate::disk::CrashPoint;
use crate::network::Link;
use crate::plan::{Fault, Who};
use crate::trace::Happening;
use consensus::engine::Engine;

impl<E: Engine> World<E> {
    /// Lets a fault happen now.
    pub fn strike(&mut self, fault: Fault) {
        self.trace.event(self.now, b'f', 0, format!("{fault:?}").as_bytes());
        self.trace.line(self.now, || format!("fault: {fault:?}"));
        self.trace.tell(self.now, || Happening::Fault { fault: &fault });
        self.record.struck(self.now);
        match fault {
            Fault::Crash { who, restart_after } => {
                let node = self.find(who);
                self.crash(node, restart_after);
            }
            Fault::CrashAt { who, point, restart_after } => {
                let node = self.find(who);
                self.crash_at(node, point, restart_after);
            }
            Fault::Restart { node } => {
                if self.nodes[node].driver.is_none() {
                    self.start_node(node);
                }
            }
            Fault::CrashAll { restart_after } => {
                for node in 0..self.nodes.len() {
                    self.crash(node, Some(restart_after));
                }
            }
            Fault::Partition { groups } => self.network.partition(&groups),
            Fault::Isolate { who } => {
                let alone = self.find(who);
                let rest = (0..self.nodes.len()).filter(|node| *node != alone).collect();
                self.network.partition(&[rest, vec![alone]]);
            }
            Fault::Block { from, to } => self.network.set_blocked(from, to, true),
            Fault::Weather { link } => self.network.set_link(link),
            Fault::HealNetwork => {
                self.network.heal();
                self.separate_twins();
            }
        }
    }

    /// Ends all faults: links calm and connected, every node up, no crash to come.
    pub fn heal(&mut self, link: Link) {
        self.crashes_allowed = false;
        self.trace.tell(self.now, || Happening::Heal);
        self.network.heal();
        self.separate_twins();
        self.network.set_link(link);
        self.plan.sync = (Duration::ZERO, Duration::from_micros(500).min(self.plan.sync.1));
        for node in 0..self.nodes.len() {
            self.nodes[node].disk.disarm();
            self.nodes[node].restart_after = None;
            if self.nodes[node].driver.is_none() {
                self.start_node(node);
            }
        }
    }

    fn find(&self, who: Who) -> usize {
        match who {
            Who::Node(node) => node,
            Who::Leader => {
                let statuses = self.nodes.iter().filter_map(super::Node::status);
                let highest = statuses.max_by_key(|status| (status.epoch, status.view));
                highest.and_then(|status| status.leader).map_or(0, |leader| leader.as_usize())
            }
        }
    }

    /// The node dies where it stands.
    pub fn crash(&mut self, node: usize, restart_after: Option<Duration>) {
        let target = &mut self.nodes[node];
        if target.driver.is_none() || !self.crashes_allowed {
            return;
        }
        self.trace.event(self.now, b'c', node, &[]);
        target.driver = None;
        target.inbox.clear();
        target.restart_after = None;
        target.disk.crash(&mut self.disk_dice);
        self.record.counters.crashes += 1;
        self.trace.line(self.now, || format!("n{node} crashes"));
        self.trace.tell(self.now, || Happening::Crash { node });
        if let Some(after) = restart_after {
            let life = self.nodes[node].life;
            self.schedule(self.now + after, Action::Restart { node, life });
        }
    }

    /// Changes how far the node's clock is ahead of the world's.
    pub fn jump_clock(&mut self, node: usize, change: impl FnOnce(Duration) -> Duration) {
        let ahead = change(self.nodes[node].clock_ahead);
        self.trace.event(self.now, b'j', node, &ahead.as_nanos().to_le_bytes());
        self.nodes[node].clock_ahead = ahead;
        self.want_wake(node);
    }

    /// The node dies at this point of a turn to come.
    pub fn crash_at(&mut self, node: usize, point: CrashPoint, restart_after: Duration) {
        let target = &mut self.nodes[node];
        if target.driver.is_some() && self.crashes_allowed {
            target.disk.arm(point);
            target.restart_after = Some(restart_after);
        }
    }
}
