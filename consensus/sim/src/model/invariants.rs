//! What must be true of every world, checked whenever something new is proven.

use super::blocks::{BlockId, Kind};
use super::world::{Start, World};

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Two final blocks on different branches.
    ConflictingFinals(BlockId, BlockId),
    /// A view starts on a tip below or beside a block that is final in an earlier view. The safety
    /// argument excludes it, so it counts before the damage is done.
    FinalBelowStart { block: BlockId, start: Start },
    /// The same for a block that is only ordered, where nobody is Byzantine.
    OrderedBelowStart { block: BlockId, start: Start },
    /// One view starts on two tips.
    TwoStarts(Start, Start),
    /// An honest vote that no view change can report: the blocks between it and any certificate of
    /// its view are not all of that view.
    UnreportableVote { validator: usize, block: BlockId },
    /// A view starts on a tip that does not execute: nobody can vote in it.
    InvalidTip(Start),
}

impl World {
    /// The block of the chain that a certificate for `block` makes final: a seal is void and
    /// stands for the barrier under it.
    fn in_chain(&self, block: BlockId) -> BlockId {
        if self.rules.seals_are_void {
            let void = |block: &BlockId| self.blocks.get(*block).kind == Kind::Seal;
            self.blocks.chain(block).find(|block| !void(block)).unwrap_or(block)
        } else {
            block
        }
    }

    pub(super) fn report(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    pub(super) fn check_final(&mut self, block: BlockId) {
        let settled = self.in_chain(block);
        let conflict = self
            .finals()
            .iter()
            .map(|other| self.in_chain(*other))
            .find(|other| !self.blocks.comparable(settled, *other));
        if let Some(other) = conflict {
            self.report(Violation::ConflictingFinals(other, settled));
        }
        if let Some(start) = self.start_that_loses(block) {
            self.report(Violation::FinalBelowStart { block, start });
        }
    }

    /// Whether two final blocks of the chain lie on different branches: the damage itself.
    pub fn has_conflicting_finals(&self) -> bool {
        let finals: Vec<BlockId> =
            self.finals().iter().map(|block| self.in_chain(*block)).collect();
        finals.iter().any(|a| finals.iter().any(|b| !self.blocks.comparable(*a, *b)))
    }

    pub(super) fn check_certified(&mut self, block: BlockId) {
        if self.scope.byzantine == 0
            && let Some(start) = self.start_that_loses(block)
        {
            self.report(Violation::OrderedBelowStart { block, start });
        }
    }

    pub(super) fn check_start(&mut self, start: Start) {
        if !self.blocks.get(start.tip).valid {
            self.report(Violation::InvalidTip(start));
        }
        let same = |other: &&Start| other.period == start.period && other.tip != start.tip;
        if let Some(other) = self.starts().iter().find(same).copied() {
            self.report(Violation::TwoStarts(other, start));
        }
        let lost = self.finals().iter().find(|block| self.loses(start, **block));
        if let Some(block) = lost.copied() {
            self.report(Violation::FinalBelowStart { block, start });
        }
        if self.scope.byzantine == 0 {
            let lost = (0..self.blocks.len())
                .find(|block| self.is_certified(*block) && self.loses(start, *block));
            if let Some(block) = lost {
                self.report(Violation::OrderedBelowStart { block, start });
            }
        }
    }

    fn start_that_loses(&self, block: BlockId) -> Option<Start> {
        self.starts().iter().copied().find(|start| self.loses(*start, block))
    }

    /// Whether the start of a later view, or of a later epoch, does not extend the block.
    fn loses(&self, start: Start, block: BlockId) -> bool {
        let period = self.blocks.get(block).period();
        // Within the epoch seals carry votes like any block; the next one stands on the barrier.
        let kept = if start.period.0 > period.0 { self.in_chain(block) } else { block };
        start.period > period && !self.blocks.descends(start.tip, kept)
    }
}
