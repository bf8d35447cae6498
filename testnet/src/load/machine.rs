//! What the machine and the validators' processes spent, from `/proc`.

use std::time::Duration;

use crate::cluster::process::ProcessId;
use crate::machine::Ticks;

/// A reading of counters that only grow.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    processes: Vec<(ProcessId, Duration)>,
    ticks: Ticks,
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
        let processes = processes.iter().filter_map(cpu).collect();
        Self { processes, ticks: Ticks::now().unwrap_or_default() }
    }

    pub(super) fn until(&self, later: &Self) -> Spent {
        let cpu = later.processes.iter().filter_map(|(id, after)| {
            let (_, before) = self.processes.iter().find(|(earlier, _)| earlier == id)?;
            Some(after.saturating_sub(*before))
        });
        Spent { cpu: cpu.sum(), steal: later.ticks.steal_since(&self.ticks) }
    }
}
