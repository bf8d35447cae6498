//! What happened lately at this node, numbered, so that a subscriber who comes back misses nothing.
//!
//! One log serves all subscribers; each remembers how far it is. Who falls behind what is kept hears
//! how much is gone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::chain::types::Digest;
use ::consensus::engine::Event;
use node_api::consensus::{ConsensusEvent, ConsensusNotice, SentMessages};
use serde_json::value::RawValue;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;

use super::convert;
use super::relay::json;
use crate::clock;
use crate::network::{Traffic, Watching};
use crate::numbered::{After, Missed, Numbered};

/// Notices that are kept.
const KEPT: usize = 4096;
/// Notices that a subscriber takes at a time.
const BATCH: usize = 64;
/// Pause between two notices of what was sent, while somebody wants them.
const TRAFFIC_EVERY: Duration = Duration::from_millis(250);

/// The log; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct EventLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kept: Mutex<Numbered<Arc<Noted>>>,
    newest: watch::Sender<u64>,
    traffic: Traffic,
}

/// A notice in JSON.
#[derive(Debug)]
struct Noted {
    is_traffic: bool,
    text: Box<RawValue>,
}

/// What a subscriber gets next.
#[derive(Debug, Default)]
pub(super) struct Next {
    pub(super) texts: Vec<Box<RawValue>>,
    /// Where it is afterwards.
    pub(super) cursor: u64,
}

impl EventLog {
    pub(super) fn new(traffic: Traffic) -> Self {
        let kept = Numbered::starting_now();
        let newest = watch::channel(kept.newest()).0;
        Self(Arc::new(Shared { kept: Mutex::new(kept), newest, traffic }))
    }

    fn kept(&self) -> MutexGuard<'_, Numbered<Arc<Noted>>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest cursor, as it grows.
    pub(super) fn newest(&self) -> watch::Receiver<u64> {
        self.0.newest.subscribe()
    }

    /// Has sums of what is sent noted, until the guard is dropped.
    pub(super) fn watch_traffic(&self) -> Watching {
        self.0.traffic.watch()
    }

    /// Notes what the engine says, for ever.
    pub(super) async fn run(self, mut events: broadcast::Receiver<Event>, chain_id: Digest) {
        let mut ticks = tokio::time::interval(TRAFFIC_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => {
                        if let Some(event) = convert::event(&event, &chain_id) {
                            self.note(1, event);
                        }
                    }
                    Err(RecvError::Lagged(missed)) => {
                        self.note(missed, ConsensusEvent::Lagged { missed });
                    }
                    Err(RecvError::Closed) => return,
                },
                _ = ticks.tick() => self.note_traffic(),
            }
        }
    }

    fn note_traffic(&self) {
        let sums = self.0.traffic.take();
        if sums.is_empty() {
            return;
        }
        let messages = sums.into_iter().map(|(sort, sum)| SentMessages {
            to: sort.to,
            message: sort.kind.to_owned(),
            vote: sort.vote,
            count: sum.count,
            bytes: sum.bytes,
            view: sum.view,
            height: sum.height,
        });
        self.note(1, ConsensusEvent::Sent { messages: messages.collect() });
    }

    /// Adds a notice that stands for so many events.
    fn note(&self, events: u64, event: ConsensusEvent) {
        let mut kept = self.kept();
        let is_traffic = matches!(event, ConsensusEvent::Sent { .. });
        kept.push(events, |cursor| {
            let notice = ConsensusNotice { cursor, at_ms: clock::unix_ms(), event };
            Arc::new(Noted { is_traffic, text: json(&notice) })
        });
        if kept.len() > KEPT {
            kept.pop();
        }
        // While nobody reads: who sees the notice sees its cursor.
        self.0.newest.send_replace(kept.newest());
    }

    /// What follows a cursor, a few notices at a time.
    pub(super) fn after(&self, cursor: u64, with_traffic: bool) -> Next {
        let kept = self.kept();
        let After { missed, from, entries } = kept.after(cursor, BATCH);
        let batch: Vec<(u64, Arc<Noted>)> =
            entries.into_iter().map(|(cursor, notice)| (cursor, Arc::clone(notice))).collect();
        drop(kept);
        let mut next = Next { texts: Vec::new(), cursor: from };
        if let Some(Missed { until, events, before_start }) = missed {
            let event = ConsensusEvent::Lagged { missed: if before_start { 0 } else { events } };
            let notice = ConsensusNotice { cursor: until, at_ms: clock::unix_ms(), event };
            next.texts.push(json(&notice));
        }
        for (cursor, notice) in batch {
            next.cursor = cursor;
            if with_traffic || !notice.is_traffic {
                next.texts.push(notice.text.clone());
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use ::chain::types::{Epoch, ValidatorIndex, View};

    use super::*;

    fn log() -> EventLog {
        EventLog::new(Traffic::default())
    }

    fn view(log: &EventLog, view: u64) -> u64 {
        let (epoch, view, leader) = (Epoch::new(0), View::new(view), ValidatorIndex::new(0));
        log.note(1, ConsensusEvent::ViewStarted { epoch, view, leader });
        *log.newest().borrow()
    }

    fn read(next: &Next) -> Vec<ConsensusNotice> {
        next.texts.iter().map(|text| serde_json::from_str(text.get()).unwrap()).collect()
    }

    #[test]
    fn a_subscriber_goes_on_where_it_was() {
        let log = log();
        let cursors: Vec<u64> = (0..100).map(|number| view(&log, number)).collect();
        let mut told = Vec::new();
        let mut cursor = cursors[9];
        while cursor < cursors[99] {
            let next = log.after(cursor, false);
            assert!(next.cursor > cursor && next.texts.len() <= BATCH);
            told.extend(read(&next));
            cursor = next.cursor;
        }
        let found: Vec<u64> = told.iter().map(|notice| notice.cursor).collect();
        assert_eq!(found, cursors[10..]);
        assert!(log.after(cursor, true).texts.is_empty());
        assert!(log.after(u64::MAX, true).texts.is_empty(), "the future is not missed");
    }

    #[test]
    fn what_is_gone_is_counted_and_memory_is_bounded() {
        let log = log();
        let start = *log.newest().borrow();
        for number in 0..3 * KEPT as u64 {
            view(&log, number);
        }
        log.note(7, ConsensusEvent::Lagged { missed: 7 });
        assert_eq!(log.kept().len(), KEPT);
        let first = read(&log.after(start, false)).remove(0);
        let missed = 2 * KEPT as u64 + 1;
        assert_eq!(first.event, ConsensusEvent::Lagged { missed });
        assert_eq!(first.cursor, start + missed);
        let older = read(&log.after(start - 5, false)).remove(0);
        assert_eq!(older.event, ConsensusEvent::Lagged { missed: 0 }, "before the start");
    }

    #[test]
    fn sums_of_messages_are_for_those_who_ask() {
        let log = log();
        let start = *log.newest().borrow();
        log.note(1, ConsensusEvent::Sent { messages: Vec::new() });
        view(&log, 1);
        assert_eq!(log.after(start, false).texts.len(), 1);
        assert_eq!(log.after(start, true).texts.len(), 2);
        assert_eq!(log.after(start, false).cursor, start + 2, "what is left out is passed by");
    }
}
