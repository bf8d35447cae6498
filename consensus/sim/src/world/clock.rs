//! A node's two clocks: the monotonic one that timers run by, and the wall clock that stamps blocks.

use std::time::Duration;

use consensus::engine::Time;

/// A million, the unit of drift.
const MILLION: i128 = 1_000_000;

/// When the world begins, by a wall clock that is right, in Unix milliseconds.
const BEGINNING_MS: u64 = 1_700_000_000_000;

/// Both clocks of one node. The monotonic one never goes back but where a script sets it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// The world's time when the monotonic clock was last set or its rate changed,
    since: Time,
    /// and what it showed then.
    shown: Time,
    /// How much too fast it is, in parts of a million.
    drift_ppm: i32,
    /// How far the wall clock is ahead of a right one.
    wall_ahead_ms: i64,
}

impl Clock {
    /// A clock that was started so long before the world, with a wall clock that is so far ahead.
    pub(super) fn new(age: Duration, wall_ahead_ms: i64) -> Self {
        let shown = Time::default() + age;
        Self { since: Time::default(), shown, drift_ppm: 0, wall_ahead_ms }
    }

    /// What the monotonic clock shows.
    pub(super) fn monotonic(&self, now: Time) -> Time {
        let passed = i128::from(nanos(now.since(self.since)));
        self.shown + duration((passed * self.rate()).div_euclid(MILLION))
    }

    /// The first moment of the world at which the monotonic clock shows `due`.
    pub(super) fn when(&self, due: Time) -> Time {
        let missing = i128::from(nanos(due.since(self.shown)));
        let rate = self.rate();
        self.since + duration((missing * MILLION + rate - 1).div_euclid(rate))
    }

    /// How much the monotonic clock shows of a million that pass.
    fn rate(&self) -> i128 {
        MILLION + i128::from(self.drift_ppm)
    }

    /// What the wall clock shows, in Unix milliseconds.
    pub(super) fn wall_ms(&self, now: Time) -> u64 {
        (BEGINNING_MS + now.as_nanos() / 1_000_000).saturating_add_signed(self.wall_ahead_ms)
    }

    /// Runs too fast or too slow from now on.
    pub(super) fn set_drift(&mut self, now: Time, ppm: i32) {
        self.shown = self.monotonic(now);
        self.since = now;
        self.drift_ppm = ppm.clamp(-900_000, 900_000);
    }

    pub(super) fn jump_wall(&mut self, by_ms: i64) {
        self.wall_ahead_ms = self.wall_ahead_ms.saturating_add(by_ms);
    }

    /// Sets the wall clock right.
    pub(super) fn set_wall_right(&mut self) {
        self.wall_ahead_ms = 0;
    }

    /// Sets the monotonic clock to what a script wants, by how far it is ahead of the world's.
    pub(super) fn set_ahead(&mut self, now: Time, change: impl FnOnce(Duration) -> Duration) {
        let before = self.monotonic(now);
        let ahead = change(before.since(now));
        let after = now + ahead;
        self.since = now;
        self.shown = after;
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.jump_wall(ms(after.since(before)) - ms(before.since(after)));
    }
}

fn duration(nanos: i128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u32) -> Time {
        Time::default() + MS * ms
    }

    #[test]
    fn a_timer_is_due_when_the_clock_shows_it_and_no_earlier() {
        let mut cases = 0;
        for ppm in [-900_000, -50_000, -3, 0, 7, 200, 100_000, 900_000] {
            let mut clock = Clock::new(MS * 77, 0);
            clock.set_drift(at(5), ppm);
            for step in 0..200_u64 {
                let due = clock.monotonic(at(5)) + Duration::from_nanos(step * 1_234_567);
                let when = clock.when(due);
                assert!(clock.monotonic(when) >= due, "{ppm} ppm, step {step}");
                let before = Time::from_nanos(when.as_nanos() - 1);
                assert!(step == 0 || clock.monotonic(before) < due, "{ppm} ppm, step {step}");
                cases += 1;
            }
        }
        println!("{cases} timers");
    }

    #[test]
    fn a_changed_rate_never_sets_the_monotonic_clock_back() {
        let mut clock = Clock::new(MS, 0);
        let mut last = Time::default();
        for (step, ppm) in [300_000, -800_000, 0, 900_000, -900_000].into_iter().enumerate() {
            let now = at(10 * step as u32);
            assert!(clock.monotonic(now) >= last, "{ppm}");
            clock.set_drift(now, ppm);
            last = clock.monotonic(now);
        }
    }

    #[test]
    fn the_wall_clock_jumps_alone() {
        let mut clock = Clock::new(MS, 250);
        let (wall, monotonic) = (clock.wall_ms(at(10)), clock.monotonic(at(10)));
        clock.jump_wall(-3_000);
        assert_eq!(clock.wall_ms(at(10)), wall - 3_000);
        clock.set_wall_right();
        assert_eq!(clock.wall_ms(at(10)), wall - 250);
        assert_eq!(clock.monotonic(at(10)), monotonic);
    }
}
