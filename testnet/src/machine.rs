//! The machine that something is measured on, and what its processors did.

use procfs::{CpuInfo, Current as _, CurrentSI as _, KernelStats, Meminfo};
use serde::{Deserialize, Serialize};

/// What it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub cores: usize,
    pub processor: String,
    pub memory_gib: u64,
}

impl Machine {
    /// This one, as far as the system tells.
    pub fn this() -> Self {
        let processors = CpuInfo::current().ok();
        let model = processors.as_ref().and_then(|processors| processors.model_name(0));
        let memory = Meminfo::current().map_or(0, |memory| memory.mem_total);
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: model.unwrap_or("unknown").to_owned(),
            memory_gib: memory.div_ceil(1 << 30),
        }
    }
}

/// Ticks of all processors since the machine started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ticks {
    pub total: u64,
    pub idle: u64,
    pub steal: u64,
}

impl Ticks {
    /// Now; nothing where the system does not tell.
    pub fn now() -> Option<Self> {
        let all = KernelStats::current().ok()?.total;
        let idle = all.idle + all.iowait?;
        let (interrupts, steal) = (all.irq? + all.softirq?, all.steal?);
        // What guests got is counted in `user` and `nice` already.
        let total = all.user + all.nice + all.system + idle + interrupts + steal;
        Some(Self { total, idle, steal })
    }

    /// Share of processor time since an earlier reading in which nothing ran.
    pub fn idle_since(&self, earlier: &Self) -> f64 {
        self.share(earlier, |ticks| ticks.idle)
    }

    /// Share of processor time since an earlier reading that the hypervisor gave to somebody else.
    pub fn steal_since(&self, earlier: &Self) -> f64 {
        self.share(earlier, |ticks| ticks.steal)
    }

    fn share(&self, earlier: &Self, part: fn(&Self) -> u64) -> f64 {
        let total = self.total.saturating_sub(earlier.total).max(1);
        part(self).saturating_sub(part(earlier)) as f64 / total as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_time_between_two_readings() {
        let before = Ticks { total: 100, idle: 80, steal: 0 };
        let after = Ticks { total: 200, idle: 110, steal: 10 };
        assert_eq!(after.idle_since(&before), 0.3);
        assert_eq!(after.steal_since(&before), 0.1);
        assert_eq!(after.idle_since(&after), 0.0);
    }

    #[test]
    fn the_system_tells_of_this_machine() {
        let machine = Machine::this();
        assert!(machine.cores > 0 && machine.memory_gib > 0, "{machine:?}");
        let (before, mut after) = (Ticks::now().unwrap(), Ticks::now().unwrap());
        while after.total == before.total {
            after = Ticks::now().unwrap();
        }
        assert!((0.0..=1.0).contains(&after.idle_since(&before)), "{before:?} {after:?}");
    }
}
