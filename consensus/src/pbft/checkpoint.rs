//! Checkpoints, and the log that a stable one cuts off.
//!
//! docs/protocol/pbft.md, lines B8 and B9. A block's hash covers the state after it, and its
//! commit certificate proves it final to anyone, so a view change needs no stable checkpoint as
//! its proof: what a checkpoint says beyond that is that a quorum *has* the block.

use std::collections::BTreeMap;

use chain::block::SealedBlock;
use chain::certificate::Certificate;
use chain::finality::FinalityProof;
use chain::types::{Digest, Height, ValidatorIndex};

use super::message::{Checkpoint, Draft, Message};
use super::rules::{CHECKPOINT_INTERVAL, LOG_SIZE, Rules};
use super::{Out, Pbft};
use crate::application::Finals;
use crate::engine::{Outgoing, Recipients};
use crate::tree::Node;

/// Most final blocks kept in memory for those who lag: two checkpoints may be unstable at a time.
const LOG_BLOCKS: usize = (LOG_SIZE + 2 * CHECKPOINT_INTERVAL) as usize;

/// The log of final blocks above the last stable checkpoint, and who is how far.
#[derive(Clone, Debug, Default)]
pub(super) struct Checkpoints {
    stable: Height,
    /// The newest checkpoint of each replica.
    newest: BTreeMap<ValidatorIndex, Checkpoint>,
    /// Final blocks with the certificates made here, consecutive, ascending.
    log: Vec<(SealedBlock, Option<Certificate>)>,
}

impl Checkpoints {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The last stable checkpoint.
    pub(super) fn stable(&self) -> Height {
        self.stable
    }

    /// The logged final blocks from a height on, with the proof of the last.
    pub(super) fn logged(&self, from: Height) -> Option<Finals> {
        let first = self.log.first()?.0.header.height;
        let place = from.get().checked_sub(first.get())?;
        let run = self.log.get(usize::try_from(place).ok()?..).filter(|run| !run.is_empty())?;
        let certificate = run.last()?.1.clone()?;
        let proof = Some(FinalityProof { certificate, headers: Vec::new() });
        Some(Finals { blocks: run.iter().map(|(block, _)| block.clone()).collect(), proof })
    }

    /// The height at or above which `quorum` replicas made the same block final: the last of the
    /// newest checkpoints' heights that so many agree on.
    fn agreed(&self, quorum: usize) -> Option<(Height, Digest)> {
        let mut said: BTreeMap<(Height, Digest), usize> = BTreeMap::new();
        for checkpoint in self.newest.values() {
            *said.entry((checkpoint.height, checkpoint.block)).or_default() += 1;
        }
        said.into_iter().rev().find(|(_, count)| *count >= quorum).map(|(agreed, _)| agreed)
    }
}

impl<R: Rules> Pbft<R> {
    /// Logs final blocks; B8: says so at every checkpoint.
    pub(super) fn log_finals(&mut self, chain: &[Node], certificate: Certificate, out: &mut Out) {
        let log = &mut self.checkpoints.log;
        log.extend(chain.iter().map(|node| (node.block.clone(), None)));
        if let Some((_, last)) = log.last_mut() {
            *last = Some(certificate);
        }
        let surplus = log.len().saturating_sub(LOG_BLOCKS);
        log.drain(..surplus);
        let at = chain
            .iter()
            .rev()
            .find(|node| node.block.header.height.get().is_multiple_of(CHECKPOINT_INTERVAL));
        if let (Some(node), true) = (at, self.may_promise()) {
            let (height, block) = (node.block.header.height, node.block.hash());
            let draft = Draft::Checkpoint { epoch: self.epoch(), height, block };
            out.send_after_persist.push(Outgoing::Sign(Recipients::Others, draft));
        }
    }

    /// B9: a quorum of the same checkpoint is stable.
    pub(super) fn handle_checkpoint(&mut self, checkpoint: Checkpoint, out: &mut Out) {
        let Checkpoint { epoch, height, sender, .. } = checkpoint;
        if epoch != self.epoch() {
            return;
        }
        if height > self.root() && Some(sender) != self.me {
            self.catch_up.finals.is_ahead(sender, height);
        }
        let newest = &mut self.checkpoints.newest;
        if newest.get(&sender).is_none_or(|held| held.height < height) {
            newest.insert(sender, checkpoint);
        }
        let Some((agreed, hash)) = self.checkpoints.agreed(R::quorum(&self.quorums)) else {
            return;
        };
        if agreed > self.checkpoints.stable {
            self.checkpoints.stable = agreed;
            self.checkpoints.log.retain(|(block, _)| block.header.height > agreed);
            if let Some(here) = self.tree.final_at(agreed) {
                assert_eq!(here.hash, hash, "a stable checkpoint is on the final chain");
            }
        }
        self.fetch(out);
    }

    /// The own newest checkpoint as long as it is not stable: it may have been lost.
    pub(super) fn unstable_checkpoint(&self) -> Option<Message> {
        let own = self.checkpoints.newest.get(&self.me?)?;
        (own.height > self.checkpoints.stable()).then(|| Message::Checkpoint(own.clone()))
    }
}
