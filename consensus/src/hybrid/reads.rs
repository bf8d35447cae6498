//! Reads that are as new as their question: what this engine's votes have to do with them.
//!
//! docs/protocol/hybrid.md, lines Q1-Q4.

use chain::types::{Height, ValidatorIndex};

use super::message::Message;
use super::rules::Rules;
use super::{Hybrid, Out};
use crate::engine::Time;
use crate::reads::Standing;

impl<R: Rules> Hybrid<R> {
    /// Q2: another validator's clients ask.
    pub(super) fn handle_read(&mut self, from: ValidatorIndex, id: u64) {
        if self.may_promise() {
            let standing = self.standing();
            self.reads.hold(from, id, &standing);
        }
    }

    /// Q1, Q3, Q4, after every step.
    pub(super) fn advance_reads(&mut self, out: &mut Out) {
        let Some(me) = self.me.filter(|_| !self.reads.is_idle()) else {
            return;
        };
        let (epoch, standing) = (self.epoch(), self.standing());
        let clock = (self.now, self.config.heartbeat * 2);
        self.reads.carry_on(
            (me, self.quorums.quorum),
            &standing,
            clock,
            |id| Message::Read { epoch, id },
            |id, height| Message::ReadAt { epoch, id, height },
            out,
        );
    }

    /// Once a view started, votes of earlier ones are of no concern: what they made final is at or
    /// below its tip.
    fn standing(&self) -> Standing {
        let view = self.view();
        let start = self.view_tip(view).map_or(self.opening.position.height, |(height, _)| height);
        let safety = &self.safety;
        let prepared = safety.last_vote.as_ref().map(|vote| vote.block.position);
        let committed = safety.last_commit.map(|ballot| ballot.position);
        let certified = safety.high_qc.as_ref().map(|certificate| certificate.ballot.position);
        let voted = [prepared, committed, certified]
            .into_iter()
            .flatten()
            .filter(|position| !self.active || position.view == view)
            .map(|position| position.height);
        let voted: Height = voted.max().unwrap_or_default().max(start);
        Standing { root: self.tree.root().position.height, view: (view, self.active), start, voted }
    }

    pub(super) fn reads_due(&self) -> Option<Time> {
        self.me.and_then(|_| self.reads.next_due(self.config.heartbeat * 2))
    }
}
