//! What clients saw, and whether it could have happened one call at a time.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use chain::types::Height;
use consensus::engine::Time;
use consensus_sim::linearizability::{Call, CasAccess, CasRegister, Verdict, check};
use rayon::prelude::*;
use serde::Serialize;

use super::client::Written;

/// One call as its client saw it. One that was never answered may have happened at any time after
/// it was asked, or never.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Place of the key among those of the history.
    pub key: usize,
    pub client: usize,
    /// The node that it went through.
    pub node: usize,
    pub call: Call<CasAccess>,
}

/// All calls of one run of the clients.
#[derive(Debug, Default)]
pub(super) struct History {
    pub entries: Vec<Entry>,
    pub written: Vec<Written>,
}

/// What a history showed.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The call that fits into no order, one per key that has none.
    pub impossible: Vec<Entry>,
    /// Keys whose orders were too many to try.
    pub undecided: usize,
    /// How long the check took.
    pub took: Duration,
}

impl History {
    /// The highest block that any client heard of.
    pub(super) fn height(&self) -> Height {
        self.written.iter().map(|written| written.height).max().unwrap_or_default()
    }

    /// Checks each key by itself: linearizability is local (Herlihy and Wing, theorem 1).
    pub(super) fn check(&self) -> Findings {
        let started = Instant::now();
        let keys = self.entries.iter().map(|entry| entry.key + 1).max().unwrap_or(0);
        let verdicts: Vec<(Vec<&Entry>, Verdict)> = (0..keys)
            .into_par_iter()
            .map(|key| {
                let mut entries: Vec<&Entry> =
                    self.entries.iter().filter(|entry| entry.key == key).collect();
                entries.sort_by_key(|entry| entry.call.asked);
                let calls: Vec<_> = entries.iter().map(|entry| entry.call.clone()).collect();
                let verdict = check::<CasRegister>(None, &calls);
                (entries, verdict)
            })
            .collect();
        let mut findings = Findings { took: started.elapsed(), ..Findings::default() };
        for (entries, verdict) in verdicts {
            match verdict {
                Verdict::Linearizable => {}
                Verdict::Impossible { stuck } => findings.impossible.push(entries[stuck].clone()),
                Verdict::GaveUp => findings.undecided += 1,
            }
        }
        findings
    }

    pub(super) fn count(&self, wanted: impl Fn(&Call<CasAccess>) -> bool) -> usize {
        self.entries.iter().filter(|entry| wanted(&entry.call)).count()
    }

    /// Writes one line of JSON per call, for people to look into.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub(super) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = String::new();
        for entry in &self.entries {
            text.push_str(&serde_json::to_string(&entry.line())?);
            text.push('\n');
        }
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Entry {
    /// The call in a form for people.
    pub(super) fn line(&self) -> Line {
        let micros = |time: Time| time.as_nanos() / 1_000;
        Line {
            key: self.key,
            client: self.client,
            node: self.node,
            asked_us: micros(self.call.asked),
            answered_us: self.call.answered.map(micros),
            operation: self.call.operation.clone(),
        }
    }
}

/// A call in a file or a report; times since the start of the history.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    key: usize,
    client: usize,
    node: usize,
    asked_us: u64,
    answered_us: Option<u64>,
    operation: CasAccess,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: usize, operation: CasAccess, asked: u64, answered: Option<u64>) -> Entry {
        let (asked, answered) = (Time::from_nanos(asked), answered.map(Time::from_nanos));
        Entry { key, client: 0, node: 0, call: Call { operation, asked, answered } }
    }

    #[test]
    fn keys_are_checked_each_by_itself() {
        let swapped = CasAccess::Swapped { expected: None, value: 1 };
        let mut history = History {
            written: Vec::new(),
            entries: vec![
                entry(0, swapped, 0, Some(10)),
                entry(0, CasAccess::Write(2), 5, None),
                entry(0, CasAccess::Read(Some(1)), 20, Some(30)),
                entry(1, CasAccess::Read(None), 20, Some(30)),
            ],
        };
        assert!(history.check().impossible.is_empty());
        history.entries.push(entry(0, CasAccess::Read(None), 25, Some(40)));
        let findings = history.check();
        assert_eq!((findings.impossible.len(), findings.undecided), (1, 0));
        assert_eq!(findings.impossible[0].key, 0);
        assert_eq!(history.count(|call| call.answered.is_none()), 1);
    }
}
