//! Blocks above the final tip, and which of them have a prepare certificate.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chain::block::{BlockKind, SealedBlock};
use chain::ledger::Executed;
use chain::state::State;
use chain::types::{Digest, Height};

/// Executed blocks above the final tip. As many as the engine executes there, which it bounds.
///
/// Invariants: every block in `ordered` is in `executed`; `transactions` holds exactly those of the
/// blocks in `ordered`.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    executed: BTreeMap<Digest, (SealedBlock, Arc<Executed>, State)>,
    ordered: BTreeMap<Height, Digest>,
    transactions: HashMap<Digest, (Height, Digest)>,
}

impl Ordered {
    pub(super) fn add(&mut self, block: &SealedBlock, executed: &Arc<Executed>, state: State) {
        self.executed.insert(block.hash(), (block.clone(), Arc::clone(executed), state));
    }

    /// Marks a block and its ancestors above the final height; answers with those that are new,
    /// in ascending height.
    pub(super) fn mark(
        &mut self,
        block: &Digest,
        final_height: Height,
    ) -> Vec<(SealedBlock, Arc<Executed>)> {
        let mut new = Vec::new();
        let mut next = *block;
        while let Some((block, executed, _)) = self.executed.get(&next) {
            let height = block.header.height;
            if height <= final_height || self.ordered.get(&height) == Some(&next) {
                break;
            }
            next = block.header.parent;
            // Seals carry votes for the barrier below; they are not part of the chain.
            if block.header.kind != BlockKind::Seal {
                new.push((block.clone(), Arc::clone(executed)));
            }
        }
        new.reverse();
        if let Some((lowest, _)) = new.first() {
            // Another branch from here on was ordered in an earlier view and lost.
            for (_, hash) in self.ordered.split_off(&lowest.header.height) {
                self.drop_transactions(&hash);
            }
        }
        for (block, executed) in &new {
            let (height, hash) = (block.header.height, block.hash());
            self.ordered.insert(height, hash);
            let places = executed.transactions.iter().map(|tx| (*tx, (height, hash)));
            self.transactions.extend(places);
        }
        new
    }

    /// Forgets blocks that are final, or lost to one that is.
    pub(super) fn forget_up_to(&mut self, height: Height) {
        let kept = self.ordered.split_off(&height.next());
        for hash in std::mem::replace(&mut self.ordered, kept).into_values() {
            self.drop_transactions(&hash);
        }
        self.executed.retain(|_, (block, ..)| block.header.height > height);
    }

    fn drop_transactions(&mut self, block: &Digest) {
        let Some((_, executed, _)) = self.executed.get(block) else {
            return;
        };
        for hash in &executed.transactions {
            self.transactions.remove(hash);
        }
    }

    /// An executed block above the final tip, whether or not the store has it.
    pub(super) fn block(&self, hash: &Digest) -> Option<SealedBlock> {
        self.executed.get(hash).map(|(block, ..)| block.clone())
    }

    /// Where a transaction of an ordered block is.
    pub(super) fn transaction(&self, hash: &Digest) -> Option<(Height, Digest)> {
        self.transactions.get(hash).copied()
    }

    /// The highest ordered block with the state after it.
    pub(super) fn head(&self) -> Option<(SealedBlock, State)> {
        let (_, hash) = self.tip()?;
        self.executed.get(&hash).map(|(block, _, state)| (block.clone(), state.clone()))
    }

    /// The highest ordered block.
    pub(super) fn tip(&self) -> Option<(Height, Digest)> {
        self.ordered.last_key_value().map(|(height, hash)| (*height, *hash))
    }
}
