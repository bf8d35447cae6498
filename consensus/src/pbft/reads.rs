//! Reads that are as new as their question: what this engine's votes have to do with them.
//!
//! docs/protocol/pbft.md, lines Q1-Q4.

use chain::types::{Height, ValidatorIndex};

use super::message::Message;
use super::rules::Rules;
use super::{Out, Pbft};
use crate::engine::Time;
use crate::reads::Standing;

impl<R: Rules> Pbft<R> {
    /// Q2: another replica's clients ask.
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

    /// Who commits to a block has it prepared. Once a view started, what was prepared in earlier
    /// ones is of no concern: what became final of it is among what the view chose.
    fn standing(&self) -> Standing {
        let (view, active, promises) = (self.view(), self.active(), &self.promises);
        let start = self.selection.top();
        let prepared = promises
            .prepared
            .iter()
            .filter(|prepared| !active || prepared.view() == view)
            .map(super::Prepared::height)
            .chain(promises.final_height());
        let voted: Height = prepared.max().unwrap_or_default().max(start);
        Standing { root: self.root(), view: (view, active), start, voted }
    }

    pub(super) fn reads_due(&self) -> Option<Time> {
        self.me.and_then(|_| self.reads.next_due(self.config.heartbeat * 2))
    }
}
