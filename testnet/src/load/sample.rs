//! Latencies and their percentiles.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Latencies, to three digits, up to an hour.
#[derive(Debug)]
pub struct Latencies(Histogram<u64>);

/// Percentiles in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, 3_600_000_000, 3)
            .expect("the bounds are in order and the precision is supported");
        Self(histogram)
    }
}

impl Latencies {
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(latency.as_micros().try_into().unwrap_or(u64::MAX));
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// All zero where nothing was recorded.
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1000.0;
        if self.0.is_empty() {
            return Percentiles::default();
        }
        let max = self.0.max() as f64 / 1000.0;
        Percentiles { p50: at(0.5), p95: at(0.95), p99: at(0.99), max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_in_milliseconds() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentiles(), Percentiles::default());
        for ms in 1..=100 {
            latencies.record(Duration::from_millis(ms));
        }
        let found = latencies.percentiles();
        assert_eq!(latencies.count(), 100);
        for (value, expected) in [(found.p50, 50.0), (found.p95, 95.0), (found.p99, 99.0)] {
            assert!((value - expected).abs() < 0.2, "{value} is about {expected}");
        }
    }
}
