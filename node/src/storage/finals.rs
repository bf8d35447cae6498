//! Serving final blocks to peers that catch up.

use chain::block::BlockKind;
use chain::types::Height;
use consensus::application::Finals;

use super::Store;
use super::error::StoreError;

impl Store {
    /// Final blocks from a height on, of one epoch: up to [`Finals::MAX_BLOCKS`] and about
    /// `max_bytes` of encoding, but at least one. On a chain with proofs they end at one with a
    /// proof, and go at least up to the first. `None` above the final tip.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or a block is missing; [`StoreError::Pruned`] below
    /// the lowest block that is kept.
    pub fn final_run(&self, from: Height, max_bytes: usize) -> Result<Option<Finals>, StoreError> {
        self.final_run_until(from, Height::new(u64::MAX), max_bytes)
    }

    /// The same, and no further than it takes to cover the height `until`.
    ///
    /// # Errors
    /// As [`final_run`](Self::final_run).
    pub fn final_run_until(
        &self,
        from: Height,
        until: Height,
        max_bytes: usize,
    ) -> Result<Option<Finals>, StoreError> {
        let last = self.final_tip().0;
        if from.get() == 0 || from > last {
            return Ok(None);
        }
        self.check_kept(from)?;
        let mut blocks = Vec::new();
        let mut bytes = 0;
        // The longest run so far that may be served: on a chain with proofs it ends at one.
        let mut longest = None;
        for height in (from.get()..=last.get()).take(Finals::MAX_BLOCKS).map(Height::new) {
            let block = self.final_block(height)?;
            bytes += block.encoded().len();
            if bytes > max_bytes && longest.is_some() {
                break;
            }
            let closes_epoch = block.header.kind == BlockKind::Barrier;
            blocks.push(block);
            let proof = self.proof(height)?;
            if proof.is_some() || !self.has_proofs() {
                longest = Some((blocks.len(), proof));
                if height >= until {
                    break;
                }
            }
            if closes_epoch {
                break;
            }
        }
        Ok(longest.map(|(len, proof)| {
            blocks.truncate(len);
            Finals { blocks, proof }
        }))
    }
}
