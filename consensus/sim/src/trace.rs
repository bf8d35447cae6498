//! The running hash of everything that happened, and optionally a readable account of it.

use std::collections::VecDeque;

use chain::types::Digest;
use consensus::engine::Time;
use sha2::{Digest as _, Sha256};

/// Hashes every event in order; keeps the last lines where somebody wants to read them.
#[derive(Debug)]
pub struct Trace {
    hash: Sha256,
    events: u64,
    lines: VecDeque<String>,
    keep: usize,
}

impl Trace {
    /// Keeps the last `keep` lines; 0 keeps none and formats none.
    pub fn new(keep: usize) -> Self {
        Self { hash: Sha256::new(), events: 0, lines: VecDeque::new(), keep }
    }

    /// Records an event: a tag for its kind, who it happened to, and bytes that determine the rest.
    pub fn event(&mut self, now: Time, tag: u8, node: usize, bytes: &[u8]) {
        self.hash.update(now.as_nanos().to_le_bytes());
        self.hash.update([tag]);
        self.hash.update((node as u64).to_le_bytes());
        self.hash.update((bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
        self.events += 1;
    }

    /// Adds a readable line, made only if lines are kept.
    pub fn line(&mut self, now: Time, text: impl FnOnce() -> String) {
        if self.keep > 0 {
            if self.lines.len() == self.keep {
                self.lines.pop_front();
            }
            self.lines.push_back(format!("{:>10.3} ms  {}", millis(now), text()));
        }
    }

    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// How many events were hashed.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The hash so far.
    pub fn hash(&self) -> Digest {
        Digest(self.hash.clone().finalize().into())
    }
}

/// For people only: nothing is decided by it.
fn millis(time: Time) -> f64 {
    time.as_nanos() as f64 / 1e6
}
