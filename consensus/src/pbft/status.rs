//! Saying where one is, and again what others missed.
//!
//! docs/protocol/pbft.md, lines B17 and B18.

use std::collections::BTreeMap;
use std::time::Duration;

use chain::block::SealedBlock;
use chain::types::{Epoch, ValidatorIndex};

use super::message::{Message, Status};
use super::rules::Rules;
use super::verify::MAX_BLOCKS;
use super::{Out, Pbft};
use crate::catch_up::answer;
use crate::engine::{Outgoing, Recipients, Time};

/// An idle replica asks one peer after the other, once in so many heartbeats.
const IDLE_HEARTBEATS: u32 = 16;

/// When a status is due, and whom this replica answered when.
#[derive(Clone, Debug, Default)]
pub(super) struct Offers {
    said: Time,
    answered: BTreeMap<ValidatorIndex, Time>,
}

impl Offers {
    /// Whether to say a peer again what it missed: not more than once in half a heartbeat.
    fn may_answer(&mut self, to: ValidatorIndex, now: Time, heartbeat: Duration) -> bool {
        let may = self.answered.get(&to).is_none_or(|last| now >= *last + heartbeat / 2);
        if may {
            self.answered.insert(to, now);
        }
        may
    }
}

impl<R: Rules> Pbft<R> {
    pub(super) fn own_status(&self) -> Message {
        let root = self.root();
        Message::Status(Status {
            epoch: self.epoch(),
            view: self.view(),
            active: self.active(),
            final_height: root,
            head: self.accepted.keys().next_back().copied().unwrap_or(root).max(root),
        })
    }

    /// B17: when this replica says again where it is: soon if it waits for something and nothing
    /// moves.
    pub(super) fn status_due(&self) -> Option<Time> {
        let heartbeat = self.config.heartbeat;
        self.may_promise().then(|| {
            if !self.active() {
                self.timers.offers.said + heartbeat * 2
            } else if self.is_waiting() {
                self.timers.offers.said.max(self.timers.progress()) + heartbeat * 2
            } else {
                self.timers.offers.said + heartbeat * IDLE_HEARTBEATS
            }
        })
    }

    pub(super) fn try_status(&mut self, out: &mut Out) {
        if self.status_due().is_none_or(|due| self.now < due) {
            return;
        }
        self.timers.offers.said = self.now;
        let mut to = Recipients::Others;
        if self.active() && !self.is_waiting() {
            let peer = self.catch_up.finals.next_peer();
            if Some(peer) == self.me {
                return;
            }
            to = Recipients::One(peer);
        }
        let messages = [
            Some(self.own_status()),
            self.own_view_change().filter(|_| !self.active()),
            self.unstable_checkpoint(),
        ];
        let evidence = self.evidence.all().into_iter().map(|held| Message::Evidence(held.into()));
        for message in messages.into_iter().flatten().chain(evidence) {
            out.send.push(Outgoing::Ready(to, message));
        }
    }

    fn own_view_change(&self) -> Option<Message> {
        let change = self.changes.get(&self.me?)?;
        (change.report.view == self.view()).then(|| Message::ViewChange(change.clone()))
    }

    /// B18: whoever is behind gets what it missed, whoever is ahead is asked.
    pub(super) fn handle_status(&mut self, from: ValidatorIndex, status: Status, out: &mut Out) {
        let root = self.root();
        if status.final_height > root {
            self.catch_up.finals.is_ahead(from, status.final_height);
            self.fetch(out);
        } else if status.final_height < root {
            self.serve_finals(from, status.final_height.next(), out);
        }
        if Some(from) == self.me || status.epoch != self.epoch() || !self.may_promise() {
            return;
        }
        let (theirs, mine) = ((status.view, status.active), (self.view(), self.active()));
        let head = self.accepted.keys().next_back().copied().unwrap_or(root);
        let is_behind = theirs > mine || (theirs == mine && status.head > head);
        if theirs < mine {
            self.show_view(from, out);
        } else if theirs == mine && self.active() && !is_behind {
            self.say_again(from, &status, out);
        } else if is_behind && self.may_answer(from) {
            out.send.push(Outgoing::Ready(Recipients::One(from), self.own_status()));
        }
    }

    fn may_answer(&mut self, to: ValidatorIndex) -> bool {
        Some(to) != self.me && self.timers.offers.may_answer(to, self.now, self.config.heartbeat)
    }

    /// How this replica came to its view, for one who is below it.
    pub(super) fn show_view(&mut self, to: ValidatorIndex, out: &mut Out) {
        if !self.may_answer(to) {
            return;
        }
        let new_view = self.promises.new_view.clone().map(Message::NewView);
        if let Some(message) = new_view.or_else(|| self.own_view_change()) {
            // The new-view message may be on its way to the disk.
            out.send_after_persist.push(Outgoing::Ready(Recipients::One(to), message));
        }
    }

    /// The blocks accepted in this view and the own votes, above what a peer has.
    fn say_again(&mut self, to: ValidatorIndex, status: &Status, out: &mut Out) {
        let votes = self.me.map_or_else(Vec::new, |me| self.book.cast_by(me, self.view()));
        let votes: Vec<_> = votes
            .into_iter()
            .filter(|vote| vote.ballot.position.height > status.final_height)
            .collect();
        let missed: Vec<SealedBlock> = self
            .accepted
            .range(status.head.next()..)
            .filter_map(|(_, hash)| Some(self.tree.get(hash)?.block.clone()))
            .collect();
        if (votes.is_empty() && missed.is_empty()) || !self.may_answer(to) {
            return;
        }
        let blocks = answer(missed.into_iter().take(MAX_BLOCKS));
        for message in [
            (!blocks.is_empty()).then_some(Message::Blocks(blocks)),
            (!votes.is_empty()).then_some(Message::Votes(votes)),
        ] {
            let message = message.map(|message| Outgoing::Ready(Recipients::One(to), message));
            out.send_after_persist.extend(message);
        }
    }

    /// In place of a message of another epoch: one behind gets the chain that closed it, one ahead
    /// is asked for the way there.
    pub(super) fn status_of_other_epoch(&self, epoch: Epoch) -> Message {
        let final_height = if epoch > self.epoch() {
            self.root().next()
        } else {
            self.opening.position.height.previous()
        };
        Message::Status(Status {
            epoch,
            view: self.view(),
            active: false,
            final_height,
            head: final_height,
        })
    }
}
