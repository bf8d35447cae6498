//! What the processors of this machine did, from `/proc/stat`.

/// Ticks of all processors since the machine started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ticks {
    total: u64,
    idle: u64,
    steal: u64,
}

impl Ticks {
    /// Now; nothing where there is no `/proc`.
    pub fn now() -> Option<Self> {
        Self::of(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// What `/proc/stat` says.
    pub fn of(stat: &str) -> Option<Self> {
        let words = stat.lines().next()?.split_ascii_whitespace().skip(1);
        let numbers: Vec<u64> = words.map_while(|number| number.parse().ok()).collect();
        // user nice system idle iowait irq softirq steal; the rest is counted in user already.
        let [_, _, _, idle, iowait, _, _, steal, ..] = numbers[..] else { return None };
        Some(Self { total: numbers[..8].iter().sum(), idle: idle + iowait, steal })
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
        let before = Ticks::of("cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 1 2\n").unwrap();
        let after = Ticks::of("cpu  60 0 20 90 20 0 0 10 5 0\n").unwrap();
        assert_eq!(after.idle_since(&before), 0.3);
        assert_eq!(after.steal_since(&before), 0.1);
        assert_eq!(after.idle_since(&after), 0.0);
        assert!(Ticks::of("").is_none());
        assert!(Ticks::of("cpu  1 2 3\n").is_none());
    }
}
