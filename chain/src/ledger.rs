//! The chain's state and the blocks above it that are not final yet.
//!
//! Every executed block keeps its own version of the state, an overlay. Committing one makes its
//! chain the committed state and drops every overlay that does not descend from it. How many
//! overlays there are is bounded by the engine, which asks for the blocks it votes on and no others.

mod build;
mod overlay;
mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use build::{BuildKind, BuildLimits, BuildTask, Built};
pub use overlay::{Executed, Tip};
pub use validate::{InvalidBlock, MAX_CLOCK_LEAD_MS};

use crate::block::{BlockKind, SealedBlock};
use crate::crypto::Verifier;
use crate::evidence::Evidence;
use crate::execute::{self, AsWritten, Charter};
use crate::state::State;
use crate::types::{Digest, Height};
use crate::validator::ValidatorSet;
use build::Memo;
use overlay::Overlay;

/// Executes blocks and remembers what they did until they are final or abandoned.
pub struct Ledger {
    chain_id: Digest,
    verifier: Arc<dyn Verifier>,
    charter: &'static dyn Charter,
    committed: Overlay,
    /// By block hash; each descends from `committed` or from another overlay.
    overlays: BTreeMap<Digest, Overlay>,
    /// What was built last, so that executing the same again is free.
    built: Option<Memo>,
}

/// What storage needs of a block that became final.
#[derive(Clone, Debug)]
pub struct CommittedBlock {
    pub height: Height,
    pub hash: Digest,
    pub executed: Arc<Executed>,
}

/// A block that cannot be committed: a mistake of the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    #[error("block {0} was not executed on top of the committed chain")]
    NotExecuted(Digest),
    #[error("block {0} is a seal, which never becomes part of the chain")]
    Seal(Digest),
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("tip", &self.committed.tip)
            .field("overlays", &self.overlays.len())
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// A ledger on the last committed block and the state after it.
    pub fn new(chain_id: Digest, verifier: Arc<dyn Verifier>, tip: Tip, state: State) -> Self {
        let next_validators_hash = state.validators().hash(&chain_id);
        let executed = Arc::new(Executed::default());
        let committed = Overlay { tip, parent: tip.hash, state, next_validators_hash, executed };
        let (charter, overlays) = (&AsWritten, BTreeMap::new());
        Self { chain_id, verifier, charter, committed, overlays, built: None }
    }

    /// The same ledger on a chain that is governed otherwise. No node asks for this: the simulator
    /// does, to see that it notices.
    #[must_use]
    pub fn governed_by(mut self, charter: &'static dyn Charter) -> Self {
        self.charter = charter;
        self
    }

    pub fn chain_id(&self) -> &Digest {
        &self.chain_id
    }

    /// The last committed block.
    pub fn tip(&self) -> &Tip {
        &self.committed.tip
    }

    /// The state after the last committed block.
    pub fn state(&self) -> &State {
        &self.committed.state
    }

    /// The state after an executed or the last committed block.
    pub fn state_at(&self, block: &Digest) -> Option<&State> {
        self.version(block).map(|overlay| &overlay.state)
    }

    /// An executed or the last committed block.
    pub fn tip_at(&self, block: &Digest) -> Option<&Tip> {
        self.version(block).map(|overlay| &overlay.tip)
    }

    /// What executing a block above the last committed one did.
    pub fn executed(&self, block: &Digest) -> Option<&Arc<Executed>> {
        self.overlays.get(block).map(|overlay| &overlay.executed)
    }

    /// How many blocks above the last committed one are remembered.
    pub fn overlay_count(&self) -> usize {
        self.overlays.len()
    }

    /// Whether evidence would count on top of the last committed block.
    pub fn evidence_counts(&self, evidence: &Evidence) -> bool {
        execute::evidence_counts(self.state(), evidence, &self.chain_id, self.verifier.as_ref())
    }

    /// Executes a block on its executed (or committed) parent and checks all that its header says
    /// of it. Total, and asked again it answers the same: no clock is read, so a block from the future
    /// is for the voters to leave alone ([`MAX_CLOCK_LEAD_MS`]). The answer is the set of the next epoch where the block is a barrier.
    ///
    /// `known` tells which transactions, by hash, had their signature checked before.
    ///
    /// # Errors
    /// [`InvalidBlock`] with the first reason found.
    pub fn execute(
        &mut self,
        block: &SealedBlock,
        known: &dyn Fn(&Digest) -> bool,
    ) -> Result<Option<ValidatorSet>, InvalidBlock> {
        let hash = block.hash();
        if self.version(&hash).is_none() {
            let overlay = self.validate(block, known)?;
            self.overlays.insert(hash, overlay);
        } else if !block.matches_header() {
            return Err(InvalidBlock::TransactionsRoot);
        }
        let overlay = self.version(&hash).expect("present or just inserted");
        let is_barrier = overlay.tip.kind == BlockKind::Barrier;
        Ok(is_barrier.then(|| overlay.state.validators().clone()))
    }

    /// Makes an executed block and its ancestors the committed chain and forgets whatever does not
    /// descend from it. Answers with the newly committed blocks in ascending height; committing the
    /// last committed block again answers with none.
    ///
    /// # Errors
    /// [`CommitError`]; the ledger is unchanged then.
    pub fn commit(&mut self, block: &Digest) -> Result<Vec<CommittedBlock>, CommitError> {
        let mut path = Vec::new();
        let mut hash = *block;
        while hash != self.committed.tip.hash {
            let overlay = self.overlays.get(&hash).ok_or(CommitError::NotExecuted(*block))?;
            if overlay.tip.kind == BlockKind::Seal {
                return Err(CommitError::Seal(hash));
            }
            path.push(hash);
            hash = overlay.parent;
        }
        let mut blocks = Vec::with_capacity(path.len());
        for hash in path.into_iter().rev() {
            let overlay = self.overlays.remove(&hash).expect("found on the way down");
            blocks.push(CommittedBlock {
                height: overlay.tip.height,
                hash,
                executed: Arc::clone(&overlay.executed),
            });
            self.committed = overlay;
        }
        if !blocks.is_empty() {
            self.forget_abandoned();
        }
        Ok(blocks)
    }

    /// Drops the overlays that no longer descend from the committed block.
    fn forget_abandoned(&mut self) {
        let mut by_height: Vec<(Height, Digest)> =
            self.overlays.iter().map(|(hash, overlay)| (overlay.tip.height, *hash)).collect();
        by_height.sort();
        for (_, hash) in by_height {
            // Parents first: one that was dropped takes its children along.
            let parent = self.overlays[&hash].parent;
            if parent != self.committed.tip.hash && !self.overlays.contains_key(&parent) {
                self.overlays.remove(&hash);
            }
        }
        let built_on = self.built.as_ref().map(|memo| memo.parent);
        if built_on.is_some_and(|parent| self.version(&parent).is_none()) {
            self.built = None;
        }
    }

    fn version(&self, block: &Digest) -> Option<&Overlay> {
        if *block == self.committed.tip.hash {
            Some(&self.committed)
        } else {
            self.overlays.get(block)
        }
    }
}

#[cfg(test)]
mod tests;
