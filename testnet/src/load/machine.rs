//! What the machine and the validators' processes spent, from `/proc`.

use std::time::Duration;

use crate::cluster::process::ProcessId;

/// A reading of counters that only grow.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    processes: Vec<(ProcessId, Duration)>,
    total_ticks: u64,
    steal_ticks: u64,
}

/// What was spent between two readings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    /// By the processes that lived all the time.
    pub cpu: Duration,
    /// Share of processor time that the hypervisor gave to somebody else.
    pub steal: f64,
}

impl Reading {
    pub(super) fn take(processes: &[ProcessId]) -> Self {
        let cpu = |id: &ProcessId| id.cpu_time().map(|cpu| (*id, cpu));
        let (total_ticks, steal_ticks) = machine_ticks().unwrap_or_default();
        Self { processes: processes.iter().filter_map(cpu).collect(), total_ticks, steal_ticks }
    }

    pub(super) fn until(&self, later: &Self) -> Spent {
        let cpu = later.processes.iter().filter_map(|(id, after)| {
            let (_, before) = self.processes.iter().find(|(earlier, _)| earlier == id)?;
            Some(after.saturating_sub(*before))
        });
        let total = later.total_ticks.saturating_sub(self.total_ticks).max(1);
        let steal = later.steal_ticks.saturating_sub(self.steal_ticks);
        Spent { cpu: cpu.sum(), steal: steal as f64 / total as f64 }
    }
}

/// All ticks of all processors, and those stolen, from the first line of `/proc/stat`.
fn machine_ticks() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let numbers: Vec<u64> = text
        .lines()
        .next()?
        .split_ascii_whitespace()
        .skip(1)
        .map_while(|number| number.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; the rest is counted in user already.
    let steal = *numbers.get(7)?;
    Some((numbers.iter().take(8).sum(), steal))
}
