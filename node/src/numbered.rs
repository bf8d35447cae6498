//! The newest entries of a log whose readers remember how far they are, and hear what they missed.

use std::collections::VecDeque;

use crate::clock;

/// Entries with cursors that grow, also over a restart of the process: they begin with the time.
/// How many are kept is the holder's affair.
#[derive(Debug)]
pub struct Numbered<T> {
    entries: VecDeque<(u64, T)>,
    /// Before the first entry of this process.
    start: u64,
    /// Of the newest entry that is not kept any more.
    gone: u64,
    newest: u64,
}

/// What follows a cursor.
#[derive(Debug)]
pub struct After<'a, T> {
    /// What a reader with that cursor can never get.
    pub missed: Option<Missed>,
    /// Where reading goes on, before the first of the entries.
    pub from: u64,
    /// With their cursors, the oldest first.
    pub entries: Vec<(u64, &'a T)>,
}

/// Events that are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// Cursor of the last of them.
    pub until: u64,
    /// How many of them are of this process.
    pub events: u64,
    /// Whether some may be of an earlier one, which nobody counted.
    pub before_start: bool,
}

impl<T> Numbered<T> {
    /// An empty log whose cursors begin now.
    pub fn starting_now() -> Self {
        Self::starting_at(clock::unix_ms().saturating_mul(1000))
    }

    /// An empty log whose cursors follow this one.
    pub fn starting_at(start: u64) -> Self {
        Self { entries: VecDeque::new(), start, gone: start, newest: start }
    }

    /// The cursor of the newest entry.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds an entry that stands for so many events, made with its cursor.
    pub fn push(&mut self, events: u64, entry: impl FnOnce(u64) -> T) -> &T {
        self.newest += events;
        let entry = (self.newest, entry(self.newest));
        &self.entries.push_back_mut(entry).1
    }

    /// Keeps the oldest entry no longer.
    pub fn pop(&mut self) -> Option<T> {
        let (cursor, entry) = self.entries.pop_front()?;
        self.gone = cursor;
        Some(entry)
    }

    /// What follows a cursor, at most so many entries.
    pub fn after(&self, cursor: u64, most: usize) -> After<'_, T> {
        // A cursor of the future is of a clock that was wrong: nothing is known to be missed.
        let cursor = cursor.min(self.newest);
        let missed = (cursor < self.gone).then(|| Missed {
            until: self.gone,
            events: self.gone - cursor.max(self.start),
            before_start: cursor < self.start,
        });
        let first = self.entries.partition_point(|(at, _)| *at <= cursor);
        let entries = self.entries.range(first..).take(most);
        After {
            missed,
            from: missed.map_or(cursor, |missed| missed.until),
            entries: entries.map(|(cursor, entry)| (*cursor, entry)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_go_on_where_they_were_and_hear_what_is_gone() {
        let mut log = Numbered::starting_at(100);
        for name in ["a", "b", "c"] {
            log.push(1, |cursor| format!("{name}{cursor}"));
        }
        log.push(5, |cursor| format!("d{cursor}"));
        let texts = |cursor| -> Vec<String> {
            log.after(cursor, 2).entries.into_iter().map(|(_, text)| text.clone()).collect()
        };
        assert_eq!((log.newest(), log.len()), (108, 4));
        assert_eq!(texts(100), ["a101", "b102"]);
        assert_eq!(texts(102), ["c103", "d108"]);
        assert!(texts(108).is_empty() && texts(u64::MAX).is_empty());

        assert_eq!((log.pop(), log.pop()), (Some("a101".into()), Some("b102".into())));
        let late = |cursor| log.after(cursor, 2).missed;
        let missed = |events, before_start| Some(Missed { until: 102, events, before_start });
        assert_eq!((late(101), late(100)), (missed(1, false), missed(2, false)));
        assert_eq!((late(7), late(102)), (missed(2, true), None));
        assert_eq!((log.after(7, 2).from, log.after(u64::MAX, 2).from), (102, 108));
    }
}
