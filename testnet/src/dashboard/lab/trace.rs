//! A trace on its way to a page.

use std::io;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use consensus::engine::Time;
use consensus_sim::trace::{Happening, Sink};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::dashboard::class::Class;

/// Most events of a run that are told. The run goes on to its end all the same.
pub(super) const MAX_EVENTS: u64 = 150_000;
/// Length of a piece, in bytes.
const PIECE: usize = 32 * 1024;
/// How long a page may take nothing.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);

/// Lines of JSON for a page; what a page that went away does not take is dropped.
#[derive(Debug)]
pub(super) struct Lines {
    pieces: mpsc::Sender<Bytes>,
    piece: Vec<u8>,
    events: u64,
    is_gone: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    cursor: u64,
    at_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<Class>,
    #[serde(flatten)]
    what: &'a Happening<'a>,
}

impl Lines {
    pub(super) fn new(pieces: mpsc::Sender<Bytes>) -> Self {
        Self { pieces, piece: Vec::with_capacity(PIECE), events: 0, is_gone: false }
    }

    /// Whether events were left out.
    pub(super) fn is_truncated(&self) -> bool {
        self.events > MAX_EVENTS
    }

    /// Adds a line.
    pub(super) fn line(&mut self, line: &impl Serialize) {
        serde_json::to_writer(&mut self.piece, line)
            .expect("events are text, numbers and lists, which JSON can always hold");
        self.piece.push(b'\n');
        if self.piece.len() >= PIECE {
            self.flush();
        }
    }

    /// Hands on what is there.
    pub(super) fn flush(&mut self) {
        let full = Vec::with_capacity(PIECE);
        let mut piece = Bytes::from(std::mem::replace(&mut self.piece, full));
        let deadline = Instant::now() + PATIENCE;
        while !self.is_gone && !piece.is_empty() {
            match self.pieces.try_send(piece) {
                Ok(()) => return,
                Err(TrySendError::Full(back)) if Instant::now() < deadline => {
                    piece = back;
                    std::thread::sleep(PAUSE);
                }
                Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
                    self.is_gone = true;
                    return;
                }
            }
        }
    }
}

/// A sink that several hold: the run while it goes, and who adds the summary.
#[derive(Clone, Debug)]
pub(super) struct Shared(pub(super) std::rc::Rc<std::cell::RefCell<Lines>>);

impl Sink for Shared {
    fn tell(&mut self, now: Time, what: &Happening<'_>) {
        let mut lines = self.0.borrow_mut();
        lines.events += 1;
        if lines.is_gone || lines.is_truncated() {
            return;
        }
        let class = match what {
            Happening::Send { message, place, .. } => Some(Class::of(message, place.vote)),
            _ => None,
        };
        let (cursor, at_ms) = (lines.events, now.as_nanos() as f64 / 1e6);
        lines.line(&Line { cursor, at_ms, class, what });
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.borrow_mut().flush();
        Ok(())
    }
}
