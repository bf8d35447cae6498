//! Says on stderr how far many runs are, where they take long.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Quiet at first: most calls end before anybody wonders.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Progress {
    runs: u64,
    done: u64,
    started: Instant,
    told: Instant,
    pace: Duration,
    is_terminal: bool,
}

impl Progress {
    pub(super) fn new(runs: u64) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        // A log keeps every line; a terminal shows one.
        let pace = if is_terminal { Duration::from_millis(500) } else { Duration::from_secs(10) };
        let now = Instant::now();
        Self { runs, done: 0, started: now, told: now, pace, is_terminal }
    }

    pub(super) fn step(&mut self) {
        self.done += 1;
        let is_due = self.started.elapsed() > PATIENCE && self.told.elapsed() > self.pace;
        if is_due && self.done < self.runs {
            self.told = Instant::now();
            let end = if self.is_terminal { '\r' } else { '\n' };
            // Nobody needs to hear of progress that cannot be shown.
            let _ = write!(std::io::stderr(), "{} of {} runs{end}", self.done, self.runs);
        }
    }

    /// How fast simulated time went by.
    pub(super) fn finish(&self, simulated: Duration) {
        let real = self.started.elapsed().as_secs_f64().max(1e-6);
        let simulated = simulated.as_secs_f64();
        let speed = simulated / real;
        let _ = writeln!(
            std::io::stderr(),
            "{simulated:.1} simulated seconds in {real:.2} s: {speed:.0} times real time"
        );
    }
}
