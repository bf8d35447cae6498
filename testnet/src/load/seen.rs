//! What clients were told is final, and whether two validators ever told different things.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chain::block::Mode;
use chain::types::{Digest, Height, View};

use super::watch::SeenBlock;

/// Every final block that any validator reported, shared between those who watch.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    blocks: BTreeMap<Height, FinalBlock>,
    conflicts: Vec<Height>,
}

/// A final block as it was reported first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalBlock {
    pub hash: Digest,
    pub view: View,
    pub mode: Mode,
    /// When it was proposed, Unix milliseconds.
    pub timestamp_ms: u64,
    pub transactions: Vec<Digest>,
    /// When the first report came.
    pub seen: Instant,
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a report. `false` if the height was reported before; then it must be the same block.
    pub fn record(&self, block: &SeenBlock) -> bool {
        let mut record = self.lock();
        if let Some(known) = record.blocks.get(&block.height) {
            if known.hash != block.hash && !record.conflicts.contains(&block.height) {
                record.conflicts.push(block.height);
            }
            return false;
        }
        let known = FinalBlock {
            hash: block.hash,
            view: block.view,
            mode: block.mode,
            timestamp_ms: block.timestamp_ms,
            transactions: block.transactions.clone(),
            seen: block.seen,
        };
        record.blocks.insert(block.height, known);
        true
    }

    /// Heights at which two validators reported different final blocks.
    pub fn conflicts(&self) -> Vec<Height> {
        self.lock().conflicts.clone()
    }

    /// Everything reported, by height.
    pub fn blocks(&self) -> BTreeMap<Height, FinalBlock> {
        self.lock().blocks.clone()
    }

    /// The highest blocks that were reported, from the top.
    pub fn newest(&self, count: usize) -> Vec<(Height, FinalBlock)> {
        let record = self.lock();
        let blocks = record.blocks.iter().rev().take(count);
        blocks.map(|(height, block)| (*height, block.clone())).collect()
    }

    /// The highest block that was reported.
    pub fn highest(&self) -> Option<Height> {
        self.lock().blocks.keys().next_back().copied()
    }

    /// How many transactions the blocks hold that were first reported between two moments.
    pub fn transactions_between(&self, from: Instant, to: Instant) -> usize {
        let record = self.lock();
        let within = record.blocks.values().filter(|block| block.seen >= from && block.seen < to);
        within.map(|block| block.transactions.len()).sum()
    }

    /// The longest time without a new final block between two moments.
    pub fn longest_pause(&self, from: Instant, to: Instant) -> Duration {
        let record = self.lock();
        let mut seen: Vec<Instant> = record.blocks.values().map(|block| block.seen).collect();
        drop(record);
        seen.push(to);
        seen.sort_unstable();
        // The pause that goes on at the first moment began before it.
        let first = seen.partition_point(|at| *at <= from).saturating_sub(1);
        let within = seen[first..].iter().take_while(|at| **at <= to).collect::<Vec<_>>();
        within.windows(2).map(|pair| *pair[1] - *pair[0]).max().unwrap_or_default()
    }

    /// When a block was first seen that was proposed at or after a moment, in Unix milliseconds.
    pub fn first_proposed_after(&self, unix_ms: u64) -> Option<Instant> {
        let record = self.lock();
        let new = record.blocks.values().rev().take_while(|block| block.timestamp_ms >= unix_ms);
        new.map(|block| block.seen).min()
    }
}

#[cfg(test)]
mod tests {
    use chain::types::ValidatorIndex;

    use super::*;

    fn report(node: usize, height: u64, hash: u8) -> SeenBlock {
        SeenBlock {
            node,
            height: Height::new(height),
            hash: Digest([hash; 32]),
            view: View::new(0),
            mode: Mode::Fast,
            proposer: ValidatorIndex::new(0),
            timestamp_ms: 100 * height,
            transactions: Vec::new(),
            failed: Vec::new(),
            seen: Instant::now(),
        }
    }

    #[test]
    fn the_second_report_of_a_height_must_agree() {
        let seen = Seen::default();
        assert!(seen.record(&report(0, 1, 1)));
        assert!(!seen.record(&report(1, 1, 1)));
        assert!(seen.conflicts().is_empty());
        assert!(!seen.record(&report(2, 1, 2)));
        assert!(!seen.record(&report(3, 1, 2)));
        assert_eq!(seen.conflicts(), [Height::new(1)]);
        assert_eq!(seen.blocks()[&Height::new(1)].hash, Digest([1; 32]), "the first one stands");
    }

    #[test]
    fn the_longest_pause_may_begin_before_and_end_after() {
        let seen = Seen::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for (height, ms) in [(1, 0), (2, 100), (3, 400), (4, 450)] {
            seen.record(&SeenBlock { seen: at(ms), ..report(0, height, height as u8) });
        }
        let pause = |from, to| seen.longest_pause(at(from), at(to)).as_millis();
        assert_eq!(pause(0, 450), 300);
        assert_eq!(pause(300, 500), 300, "it began before");
        assert_eq!(pause(410, 900), 450, "it goes on");
        assert_eq!(pause(10, 90), 90, "nothing new within: since the last one");
    }

    #[test]
    fn new_blocks_are_told_from_late_reports() {
        let seen = Seen::default();
        seen.record(&report(0, 1, 1));
        assert_eq!(seen.first_proposed_after(150), None, "proposed before");
        let new = report(0, 2, 2);
        seen.record(&new);
        seen.record(&report(0, 3, 3));
        assert_eq!(seen.first_proposed_after(150), Some(new.seen));
    }
}
