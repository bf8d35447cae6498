//! How fast somebody may go.

use std::time::{Duration, Instant};

/// Lets `rate` units per second pass, and bursts of up to `burst`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    rate: f64,
    burst: f64,
    level: f64,
    at: Instant,
}

impl Bucket {
    pub(crate) const fn new(rate: f64, burst: f64, now: Instant) -> Self {
        Self { rate, burst, level: burst, at: now }
    }

    /// Takes units if they are there.
    pub(crate) fn take(&mut self, units: f64, now: Instant) -> bool {
        self.refill(now);
        let passes = units <= self.level;
        if passes {
            self.level -= units;
        }
        passes
    }

    /// The time until so many units, of the burst at most, are there.
    pub(crate) fn time_until(&mut self, units: f64, now: Instant) -> Duration {
        self.refill(now);
        Duration::from_secs_f64((units - self.level).max(0.0) / self.rate)
    }

    /// Whether nothing is missing.
    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.level >= self.burst
    }

    fn refill(&mut self, now: Instant) {
        let refill = now.saturating_duration_since(self.at).as_secs_f64() * self.rate;
        self.level = (self.level + refill).min(self.burst);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_passes_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10.0, 20.0, start);
        assert_eq!((0..30).filter(|_| bucket.take(1.0, start)).count(), 20);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..30).filter(|_| bucket.take(1.0, later)).count(), 10);
        assert!(!bucket.take(21.0, later + Duration::from_secs(60)), "never more than the burst");
    }

    #[test]
    fn who_waits_for_units_gets_them_and_a_bucket_left_alone_fills() {
        let start = Instant::now();
        let mut bucket = Bucket::new(8.0, 2.0, start);
        assert!(bucket.is_full(start));
        assert!(bucket.time_until(2.0, start).is_zero());
        assert!(bucket.take(2.0, start));
        let wait = bucket.time_until(1.0, start);
        assert_eq!(wait, Duration::from_millis(125));
        assert!(bucket.take(1.0, start + wait) && !bucket.is_full(start + wait));
        assert!(bucket.is_full(start + wait + Duration::from_millis(250)));
    }
}
