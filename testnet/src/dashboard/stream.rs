//! The stream of events: one bounded buffer for all pages, each of which remembers how far it is.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use node::clock;
use node::numbered::{After, Numbered};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::event::Event;

/// Events that are kept for pages that are behind.
const KEPT: usize = 8192;
/// Bytes of them.
const KEPT_BYTES: usize = 8 * 1024 * 1024;
/// Notable events that a page begins with.
const NOTABLE: usize = 100;
/// Events that a page takes at a time.
const BATCH: usize = 128;

/// An event in JSON, with its place.
#[derive(Debug)]
pub struct Entry {
    pub cursor: u64,
    pub text: Box<RawValue>,
}

impl Entry {
    fn new(cursor: u64, event: &Event) -> Self {
        Self { cursor, text: json(&Line { cursor, at_ms: clock::unix_ms(), event }) }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    cursor: u64,
    at_ms: u64,
    #[serde(flatten)]
    event: &'a Event,
}

/// The stream. Cursors begin with the time, so they grow over restarts of the server.
#[derive(Debug)]
pub struct Stream {
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Kept {
    entries: Numbered<Arc<Entry>>,
    notable: VecDeque<Arc<Entry>>,
    bytes: usize,
}

impl Default for Stream {
    fn default() -> Self {
        Self::of(Numbered::starting_now())
    }
}

impl Stream {
    fn of(entries: Numbered<Arc<Entry>>) -> Self {
        let newest = watch::channel(entries.newest()).0;
        let kept = Kept { entries, notable: VecDeque::new(), bytes: 0 };
        Self { kept: Mutex::new(kept), newest }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest cursor, as it grows.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Adds an event.
    pub fn tell(&self, event: &Event) {
        let mut kept = self.kept();
        let entry = Arc::clone(kept.entries.push(1, |cursor| Arc::new(Entry::new(cursor, event))));
        if event.is_notable() {
            kept.notable.push_back(Arc::clone(&entry));
            if kept.notable.len() > NOTABLE {
                kept.notable.pop_front();
            }
        }
        kept.bytes += entry.text.get().len();
        while kept.entries.len() > KEPT || kept.bytes > KEPT_BYTES {
            let Some(oldest) = kept.entries.pop() else { break };
            kept.bytes -= oldest.text.get().len();
        }
        // While nobody reads: who sees the event sees its cursor.
        self.newest.send_replace(kept.entries.newest());
    }

    /// What a page begins with: the notable events of late, and the cursor to go on after.
    pub fn notable(&self) -> (Vec<Arc<Entry>>, u64) {
        let kept = self.kept();
        (kept.notable.iter().cloned().collect(), *self.newest.borrow())
    }

    /// What follows a cursor, a few events at a time. Where some are gone, the first says so.
    pub fn after(&self, cursor: u64) -> Vec<Arc<Entry>> {
        let kept = self.kept();
        let After { missed, entries, .. } = kept.entries.after(cursor, BATCH);
        // What an earlier server told is not counted.
        let gap = missed.map(|missed| {
            Arc::new(Entry::new(missed.until, &Event::Gap { skipped: missed.events }))
        });
        gap.into_iter().chain(entries.into_iter().map(|(_, entry)| Arc::clone(entry))).collect()
    }
}

fn json(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value)
        .expect("events are text, numbers and lists, which JSON can always hold")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn values(entries: &[Arc<Entry>]) -> Vec<Value> {
        entries.iter().map(|entry| serde_json::from_str(entry.text.get()).unwrap()).collect()
    }

    #[test]
    fn pages_go_on_where_they_were() {
        let stream = Stream::of(Numbered::starting_at(1000));
        for node in 0..300 {
            stream.tell(&Event::Start { node });
        }
        let mut cursor = 1010;
        let mut told = Vec::new();
        loop {
            let batch = stream.after(cursor);
            let Some(last) = batch.last() else { break };
            assert!(batch.len() <= BATCH);
            cursor = last.cursor;
            told.extend(values(&batch));
        }
        assert_eq!(told.len(), 290);
        assert_eq!((&told[0]["cursor"], &told[0]["kind"]), (&1011.into(), &"start".into()));
        assert_eq!(told[0]["node"], 10);
        assert!(told[0]["at_ms"].is_u64());
        assert!(stream.after(u64::MAX).is_empty(), "the future is not missed");
    }

    #[test]
    fn a_page_that_is_too_late_hears_of_the_gap() {
        let stream = Stream::of(Numbered::starting_at(1000));
        for node in 0..KEPT + 50 {
            stream.tell(&Event::Start { node });
        }
        assert_eq!(stream.kept().entries.len(), KEPT);
        let found = values(&stream.after(1020));
        assert_eq!((&found[0]["kind"], &found[0]["skipped"]), (&"gap".into(), &30.into()));
        assert_eq!((&found[1]["cursor"], &found[1]["node"]), (&1051.into(), &50.into()));
        let found = values(&stream.after(7));
        assert_eq!((&found[0]["kind"], &found[0]["skipped"]), (&"gap".into(), &50.into()));
        let (notable, newest) = stream.notable();
        assert_eq!((notable.len(), newest), (NOTABLE, 1000 + KEPT as u64 + 50));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let stream = Stream::of(Numbered::starting_at(0));
        for _ in 0..100 {
            stream.tell(&Event::Said { node: 0, event: "x".repeat(200_000) });
        }
        assert!(stream.kept().bytes <= KEPT_BYTES);
        assert!(stream.kept().entries.len() > 30);
    }
}
