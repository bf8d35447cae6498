//! The running hash of everything that happened, and what may be told about it besides: the last
//! lines for a developer, every event for a [`Sink`].

mod happening;
mod json_lines;
mod mermaid;

use std::collections::VecDeque;
use std::io;

use chain::types::Digest;
use consensus::engine::Time;
use sha2::{Digest as _, Sha256};

pub use happening::{Happening, Place};
pub use json_lines::JsonLines;
pub use mermaid::{Mermaid, Window};

/// Somebody who wants every event as it happens. Nothing is kept for it, nothing in a run depends
/// on it.
pub trait Sink: std::fmt::Debug {
    fn tell(&mut self, now: Time, what: &Happening<'_>);

    /// Nothing more comes.
    ///
    /// # Errors
    /// Where what was told could not be written, now or earlier.
    fn finish(&mut self) -> io::Result<()>;
}

/// Several at once.
impl Sink for Vec<Box<dyn Sink>> {
    fn tell(&mut self, now: Time, what: &Happening<'_>) {
        for sink in self {
            sink.tell(now, what);
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.iter_mut().try_for_each(Sink::finish)
    }
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn tell(&mut self, now: Time, what: &Happening<'_>) {
        (**self).tell(now, what);
    }

    fn finish(&mut self) -> io::Result<()> {
        (**self).finish()
    }
}

/// Hashes every event in order; keeps the last lines where somebody wants to read them.
#[derive(Debug)]
pub struct Trace {
    hash: Sha256,
    events: u64,
    lines: VecDeque<String>,
    keep: usize,
    sink: Option<Box<dyn Sink>>,
}

impl Trace {
    /// Keeps the last `keep` lines; 0 keeps none and formats none.
    pub fn new(keep: usize) -> Self {
        Self { hash: Sha256::new(), events: 0, lines: VecDeque::new(), keep, sink: None }
    }

    /// Tells every event to somebody.
    pub fn to(sink: Box<dyn Sink>) -> Self {
        Self { sink: Some(sink), ..Self::new(0) }
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

    /// Tells the sink, if there is one: what is told is made only then.
    pub fn tell<'a>(&mut self, now: Time, what: impl FnOnce() -> Happening<'a>) {
        if let Some(sink) = &mut self.sink {
            sink.tell(now, &what());
        }
    }

    /// Takes the sink away, to finish it.
    pub fn take_sink(&mut self) -> Option<Box<dyn Sink>> {
        self.sink.take()
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
