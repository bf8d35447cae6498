//! Faults striking.

use std::time::Duration;

use super::{Action, World};
use crate::application::Change;
use crate::disk::CrashPoint;
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
            Fault::Crash { .. }
            | Fault::CrashAt { .. }
            | Fault::Restart { .. }
            | Fault::CrashAll { .. }
            | Fault::CrashMajority { .. }
            | Fault::Pause { .. } => self.strike_process(fault),
            Fault::SyncError { .. }
            | Fault::Corruption { .. }
            | Fault::DiskLoss { .. }
            | Fault::SlowDisk { .. } => self.strike_disk(fault),
            Fault::ClockJump { who, by_ms } => {
                let node = self.find(who);
                self.nodes[node].clock.jump_wall(by_ms);
            }
            Fault::ClockDrift { who, ppm } => {
                let node = self.find(who);
                self.nodes[node].clock.set_drift(self.now, ppm);
                self.rearm_wake(node);
            }
            Fault::Lie { node, does } => {
                assert!(
                    !self.is_honest(node),
                    "node {node} is counted as honest; put its lies into the plan"
                );
                let liar = super::liar_of(&self.plan, &self.genesis, node, does);
                self.nodes[node].liar = Some(liar);
            }
            Fault::Members { away } => {
                let all = u8::try_from(self.plan.validators).expect("at most 128 validators");
                self.submit_change(&Change::First(all.saturating_sub(away)));
            }
            Fault::HoldBack { node, holds_back } => {
                let liar = &mut self.nodes[node];
                liar.holds_back = holds_back;
                liar.has_lied |= !holds_back;
            }
            Fault::Change => {
                self.change();
            }
            _ => self.strike_network(fault),
        }
    }

    fn strike_process(&mut self, fault: Fault) {
        match fault {
            Fault::Crash { who, restart_after } => {
                let node = self.find(who);
                self.crash(node, restart_after);
            }
            Fault::CrashAt { who, point, restart_after } => {
                let node = self.find(who);
                self.crash_at(node, point, restart_after);
            }
            Fault::Restart { node } => self.start_node(node),
            Fault::CrashAll { restart_after } => {
                for node in 0..self.nodes.len() {
                    self.crash(node, Some(restart_after));
                }
            }
            Fault::CrashMajority { restart_after } => {
                let leader = self.find(Who::Leader);
                let others = (0..self.plan.validators).filter(|node| *node != leader);
                let majority = self.plan.validators / 2 + 1;
                for node in std::iter::once(leader).chain(others).take(majority) {
                    self.crash(node, Some(restart_after));
                }
            }
            Fault::Pause { who, lasts } => {
                let node = self.find(who);
                let target = &mut self.nodes[node];
                target.busy_until = target.busy_until.max(self.now + lasts);
            }
            _ => unreachable!("{fault:?} is not about a process"),
        }
    }

    fn strike_disk(&mut self, fault: Fault) {
        match fault {
            Fault::SyncError { who, restart_after } => {
                let node = self.find(who);
                let target = &mut self.nodes[node];
                if target.driver.is_some() {
                    target.disk.fail_next_sync();
                    target.restart_after = Some(restart_after);
                }
            }
            Fault::Corruption { who } => {
                let node = self.find(who);
                if self.nodes[node].driver.is_some() {
                    self.crash(node, Some(Duration::ZERO));
                }
                self.nodes[node].disk.damage();
            }
            Fault::DiskLoss { node, restart_after } => {
                assert!(
                    !self.is_honest(node),
                    "node {node} is counted as honest; put the loss of its disk into the plan"
                );
                self.crash(node, Some(restart_after));
                self.nodes[node].disk.wipe();
            }
            Fault::SlowDisk { who, sync } => {
                let node = self.find(who);
                self.nodes[node].slow_disk = Some(sync);
            }
            _ => unreachable!("{fault:?} is not about a disk"),
        }
    }

    fn strike_network(&mut self, fault: Fault) {
        match fault {
            Fault::Partition { groups } => self.network.partition(&groups),
            Fault::Cut { shape } => {
                for (from, to) in shape.cuts(self.plan.validators, self.find(Who::Leader)) {
                    self.network.set_blocked(from, to, true);
                }
            }
            Fault::Isolate { who } => {
                let alone = self.find(who);
                let rest = (0..self.nodes.len()).filter(|node| *node != alone).collect();
                self.network.partition(&[rest, vec![alone]]);
            }
            Fault::Block { from, to } => self.network.set_blocked(from, to, true),
            Fault::Flap { between, period, times } => self.flap(between, period, times),
            Fault::Clog { from, to } => self.network.set_clogged(from, to, true),
            Fault::Release { from, to } => self.release(|f, t| (f, t) == (from, to)),
            Fault::Lag { who, extra } => {
                let node = self.find(who);
                self.network.set_lag(node, extra);
            }
            Fault::Weather { link } => self.network.set_link(link),
            Fault::LinkWeather { from, to, link } => {
                self.network.set_link_between(from, to, Some(link));
            }
            Fault::HealNetwork => self.heal_network(),
            _ => unreachable!("{fault:?} is not about the network"),
        }
    }

    /// A link is down for the first half of each period.
    fn flap(&mut self, (one, other): (usize, usize), period: Duration, times: u32) {
        let down = !self.network.is_blocked(one, other);
        self.network.set_blocked(one, other, down);
        self.network.set_blocked(other, one, down);
        let times = if down { times } else { times.saturating_sub(1) };
        if times > 0 {
            let fault = Fault::Flap { between: (one, other), period, times };
            self.schedule(self.now + period / 2, Action::Fault(fault));
        }
    }

    /// The leader of the highest view that a running node is in.
    pub fn leader(&self) -> usize {
        self.find(Who::Leader)
    }

    pub(super) fn find(&self, who: Who) -> usize {
        let leader = || {
            let statuses =
                self.nodes.iter().filter_map(|node| node.status().map(|status| (node, status)));
            let highest = statuses.max_by_key(|(_, status)| (status.epoch, status.view));
            let key = highest.and_then(|(node, status)| node.seating.holder(status.leader?));
            key.and_then(|key| self.nodes.iter().position(|node| node.key == key)).unwrap_or(0)
        };
        match who {
            Who::Node(node) => node,
            Who::Leader => leader(),
            Who::Follower => {
                let leader = leader();
                (0..self.plan.validators).rev().find(|node| *node != leader).unwrap_or(leader)
            }
        }
    }

    /// The node dies where it stands.
    pub fn crash(&mut self, node: usize, restart_after: Option<Duration>) {
        let target = &mut self.nodes[node];
        if target.driver.is_none() {
            return;
        }
        self.trace.event(self.now, b'c', node, &[]);
        target.driver = None;
        target.inbox.clear();
        target.restart_after = None;
        target.disk.crash(&mut self.disk_dice);
        if target.liar().is_some_and(|(liar, _)| liar.forgets()) {
            // A backup, taken at one crash and put back at another.
            if self.disk_dice.below(2) == 0 {
                target.disk.back_up();
            } else {
                target.disk.restore();
            }
        }
        self.record.counters.crashes += 1;
        self.trace.line(self.now, || format!("n{node} crashes"));
        self.trace.tell(self.now, || Happening::Crash { node });
        if let Some(after) = restart_after {
            let life = self.nodes[node].life;
            self.schedule(self.now + after, Action::Restart { node, life });
        }
    }

    /// Changes how far the node's clocks, both of them, are ahead of the world's.
    pub fn jump_clock(&mut self, node: usize, change: impl FnOnce(Duration) -> Duration) {
        self.nodes[node].clock.set_ahead(self.now, change);
        let shown = self.nodes[node].clock.monotonic(self.now).as_nanos();
        self.trace.event(self.now, b'j', node, &shown.to_le_bytes());
        self.rearm_wake(node);
    }

    /// The node dies at this point of a turn to come.
    pub fn crash_at(&mut self, node: usize, point: CrashPoint, restart_after: Duration) {
        let target = &mut self.nodes[node];
        if target.driver.is_some() {
            target.disk.arm(point);
            target.restart_after = Some(restart_after);
        }
    }

    /// Wakes the node by what its clock says now.
    fn rearm_wake(&mut self, node: usize) {
        self.nodes[node].wake_scheduled = None;
        self.want_wake(node);
    }
}
