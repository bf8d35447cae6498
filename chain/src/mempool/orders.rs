//! The queues of the senders, in every order that the pool asks for.

use std::collections::{BTreeMap, BTreeSet};

use super::queue::{QueueId, Rank};

/// Who comes next, and who has to give way.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Orders {
    /// Queues whose first transaction could execute now, by their [turns](Rank::turn).
    pub(super) ready: BTreeMap<u64, QueueId>,
    /// Bytes of each queue, for the search for the one that fills most of the pool.
    pub(super) by_load: BTreeSet<(usize, QueueId)>,
    /// How many transactions of a queue wait behind a nonce that is missing, where any do.
    pub(super) by_gapped: BTreeSet<(usize, QueueId)>,
    /// How many transactions could execute, each queue's one after the other.
    pub(super) executable: usize,
}

impl Orders {
    /// Follows a change of a queue. Most changes leave most of its places as they are.
    pub(super) fn update(&mut self, queue: QueueId, before: Rank, after: Rank) {
        self.executable = self.executable - before.run + after.run;
        place(&mut self.by_load, queue, before.bytes, after.bytes);
        place(&mut self.by_gapped, queue, before.gapped, after.gapped);
        if before.turn != after.turn {
            if let Some(turn) = before.turn {
                self.ready.remove(&turn);
            }
            if let Some(turn) = after.turn {
                self.ready.insert(turn, queue);
            }
        }
    }
}

/// Moves a queue to another place, where it changed. There is none for zero.
fn place(order: &mut BTreeSet<(usize, QueueId)>, queue: QueueId, before: usize, after: usize) {
    if before == after {
        return;
    }
    if before > 0 {
        order.remove(&(before, queue));
    }
    if after > 0 {
        order.insert((after, queue));
    }
}
