//! Deleting old blocks, as far as nothing needs them any more.

use std::sync::atomic::Ordering;

use chain::codec;
use chain::types::Height;
use consensus::engine::RECENT_HEADERS;
use rocksdb::WriteBatch;
use tokio_util::sync::CancellationToken;

use super::columns::{BASE_KEY, BLOCKS, ByHeight, CHAIN, TX_INDEX};
use super::error::StoreError;
use super::records::Base;
use super::{Store, tx_index};

/// Fewest blocks that a node keeps. A start looks at the last [`RECENT_HEADERS`]; who is less than
/// this behind, after a restart say, catches up block by block.
pub const MIN_RETAINED: u64 = 1000;
const _: () = assert!(MIN_RETAINED > RECENT_HEADERS as u64);

/// Blocks that one write deletes: few enough not to hold up the commits between two of them.
const BATCH: u64 = 256;

impl Store {
    /// Deletes the final blocks below `from` with their receipts and proofs, in many small writes.
    /// What stays: their hashes, the barriers that epochs stand on, evidence, and whatever a start
    /// needs. May run on any thread, one at a time, and ends early once `stop` is cancelled. Answers
    /// the lowest height that is kept.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or a hash is missing.
    pub fn prune_below(
        &self,
        from: Height,
        stop: &CancellationToken,
    ) -> Result<Height, StoreError> {
        let recent = self.final_tip().0.get().saturating_sub(RECENT_HEADERS as u64);
        let from = from.get().min(self.checkpoint_height().get()).min(recent);
        let first = self.base().get();
        let mut base = first;
        while base < from && !stop.is_cancelled() {
            let next = (base + BATCH).min(from);
            self.delete_blocks(Height::new(base), Height::new(next))?;
            base = next;
        }
        if base > first {
            self.delete_index_below(Height::new(base))?;
        }
        Ok(Height::new(base))
    }

    /// Deletes the blocks from one height up to, without, another.
    fn delete_blocks(&self, from: Height, to: Height) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        for height in (from.get()..to.get()).map(Height::new) {
            let missing = || StoreError::damaged(format!("height {height}: its hash"));
            let hash = self.final_hash(height)?.ok_or_else(missing)?;
            batch.delete_cf(self.column(BLOCKS), hash.0);
        }
        for what in [ByHeight::Proof, ByHeight::Receipts] {
            batch.delete_range_cf(self.column(CHAIN), what.key(from), what.key(to));
        }
        batch.put_cf(self.column(CHAIN), BASE_KEY, codec::encode(&Base(to)));
        // First: whoever does not find a block must see why.
        self.0.base.store(to.get(), Ordering::Release);
        self.0.db.write(batch)?;
        Ok(())
    }

    /// Deletes the segments of the transaction index that lead only to blocks below a height.
    fn delete_index_below(&self, height: Height) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        for bucket in 0..=u8::MAX {
            let (from, to) = tx_index::segments_below(bucket, height);
            batch.delete_range_cf(self.column(TX_INDEX), from, to);
        }
        Ok(self.0.db.write(batch)?)
    }
}
