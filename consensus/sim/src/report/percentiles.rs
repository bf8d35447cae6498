//! Percentiles of durations.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Percentiles, in milliseconds or in mean network delays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

impl Percentiles {
    /// In milliseconds, of durations in any order; zeros where there are none.
    pub fn of(durations: &[Duration]) -> Self {
        let mut sorted = durations.to_vec();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
            sorted.get(place).map_or(0.0, |duration| millis(*duration))
        };
        Self { p50: at(50), p95: at(95), p99: at(99), max: at(100) }
    }

    /// The same in units of `unit`; zeros where that is zero.
    #[must_use]
    pub fn in_units_of(self, unit: Duration) -> Self {
        let unit = millis(unit);
        let of = |value: f64| if unit > 0.0 { hundredths(value / unit) } else { 0.0 };
        Self { p50: of(self.p50), p95: of(self.p95), p99: of(self.p99), max: of(self.max) }
    }
}

/// Whole microseconds, as milliseconds.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

/// So many for each; two decimals are all that anybody reads.
pub(super) fn ratio(many: u64, each: u64) -> f64 {
    hundredths(many as f64 / each.max(1) as f64)
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_members_of_the_sample() {
        let sample: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        let percentiles = Percentiles::of(&sample);
        assert_eq!(percentiles, Percentiles { p50: 50.0, p95: 95.0, p99: 99.0, max: 100.0 });
        assert_eq!(Percentiles::of(&[]), Percentiles::default());
        let delays = percentiles.in_units_of(Duration::from_millis(2));
        assert_eq!(delays, Percentiles { p50: 25.0, p95: 47.5, p99: 49.5, max: 50.0 });
    }
}
