//! Every event as one JSON object per line.

use std::io::{self, Write};

use consensus::engine::Time;
use serde::Serialize;

use super::{Happening, Sink, millis};

/// Writes `{"at_ms":…,"kind":…,"node":…,…}` and a line break for every event.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
    /// The first error: nothing is written after it.
    failed: Option<io::Error>,
}

#[derive(Serialize)]
struct Line<'a> {
    at_ms: f64,
    #[serde(flatten)]
    what: &'a Happening<'a>,
}

impl<W: Write> JsonLines<W> {
    pub fn new(out: W) -> Self {
        Self { out, failed: None }
    }

    fn write(&mut self, line: &Line<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")
    }
}

impl<W: Write + std::fmt::Debug> Sink for JsonLines<W> {
    fn tell(&mut self, now: Time, what: &Happening<'_>) {
        if self.failed.is_none() {
            self.failed = self.write(&Line { at_ms: millis(now), what }).err();
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }
}
