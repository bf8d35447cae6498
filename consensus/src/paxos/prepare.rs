//! Phase 1, for all slots at once: who leads, and what it must propose.
//!
//! docs/protocol/paxos.md, lines B1-B7 and A1-A2.

use std::collections::BTreeMap;

use chain::types::{Digest, Height, ValidatorIndex, View};

use super::message::{Draft, Message, Promise};
use super::record::Entry;
use super::single::Accepted;
use super::{Out, Part, Paxos, Rules};
use crate::engine::{Event, Outgoing, Reason, Recipients, Time};
use crate::tree::BlockRef;

/// A proposer in phase 1.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) ballot: View,
    promises: BTreeMap<ValidatorIndex, Promise>,
    /// When the prepare was sent last.
    pub(super) asked: Time,
}

/// What a new leader must propose.
pub(super) struct Picks {
    /// From the slot above the final chain on, each the parent of the next.
    pub(super) values: Vec<Digest>,
    /// The highest slot that somebody accepted anything in.
    pub(super) fill_to: Height,
}

impl<R: Rules> Paxos<R> {
    /// B1: the smallest own ballot above every ballot seen.
    fn next_ballot(&self, me: ValidatorIndex) -> Option<View> {
        let above = self.highest.max(self.record.promised).next();
        let n = self.set.len() as u64;
        (0..n)
            .filter_map(|step| above.get().checked_add(step))
            .map(View::new)
            .find(|ballot| self.owner(*ballot) == me && *ballot > self.record.promised)
    }

    /// B2: starts phase 1. The own promise is on disk before anybody hears of the ballot, so it is
    /// never used again after a crash.
    pub(super) fn campaign(&mut self, out: &mut Out) {
        let Some((me, ballot)) = self.me.and_then(|me| Some((me, self.next_ballot(me)?))) else {
            return self.rearm();
        };
        let left = self.record.promised;
        out.events.push(Event::ViewLeft {
            epoch: self.epoch(),
            view: left,
            reason: Reason::Timeout,
        });
        self.step_down();
        self.record.promise::<R>(ballot);
        self.highest = self.highest.max(ballot);
        self.part =
            Part::Candidate(Candidate { ballot, promises: BTreeMap::new(), asked: self.now });
        out.persist = true;
        out.send_after_persist
            .push(Outgoing::Ready(Recipients::Others, self.prepare_message(ballot)));
        self.send_promise(me, ballot, self.final_height().next(), out);
        self.timers.attempts = self.timers.attempts.saturating_add(1);
        self.rearm();
    }

    fn prepare_message(&self, ballot: View) -> Message {
        Message::Prepare { epoch: self.epoch(), ballot, from: self.final_height().next() }
    }

    /// B3: asks again those who have not promised.
    pub(super) fn ask_again(&mut self, out: &mut Out) {
        let now = self.now;
        let Part::Candidate(candidate) = &mut self.part else {
            return;
        };
        candidate.asked = now;
        let ballot = candidate.ballot;
        let final_height = self.tree.root().position.height;
        let silent: Vec<ValidatorIndex> = self
            .set
            .indices()
            .filter(|index| {
                let promise = candidate.promises.get(index);
                promise.is_none_or(|promise| promise.final_height > final_height)
            })
            .collect();
        for to in silent.into_iter().filter(|to| Some(*to) != self.me) {
            out.send.push(Outgoing::Ready(Recipients::One(to), self.prepare_message(ballot)));
        }
    }

    /// A1: promises, or says which ballot stands in the way.
    pub(super) fn handle_prepare(
        &mut self,
        from: ValidatorIndex,
        ballot: View,
        slot: Height,
        out: &mut Out,
    ) {
        if self.me.is_none() {
            return;
        }
        self.highest = self.highest.max(ballot);
        let again = ballot == self.record.promised;
        if !again && !self.record.promise::<R>(ballot) {
            return self.refuse(from, out);
        }
        if !again {
            self.step_down();
            out.persist = true;
            self.rearm();
        }
        if slot <= self.final_height() {
            self.serve_finals(from, slot, out);
        }
        self.send_promise(from, ballot, slot, out);
    }

    pub(super) fn refuse(&self, to: ValidatorIndex, out: &mut Out) {
        if self.me.is_none() {
            return;
        }
        let nack = Message::Nack { epoch: self.epoch(), ballot: self.record.promised };
        out.send.push(Outgoing::Ready(Recipients::One(to), nack));
    }

    /// A2: tells everything accepted from a slot on.
    fn send_promise(&self, to: ValidatorIndex, ballot: View, from: Height, out: &mut Out) {
        let accepted: Vec<Entry> =
            self.record.accepted.iter().filter(|entry| entry.slot >= from).copied().collect();
        let promise = Message::Promise(Promise {
            epoch: self.epoch(),
            ballot,
            final_height: self.final_height().max(self.record.floor),
            accepted,
        });
        self.send_promised(to, promise, out);
    }

    /// Sends what rests on the record, to itself through the disk as well.
    pub(super) fn send_promised(&self, to: ValidatorIndex, message: Message, out: &mut Out) {
        out.send_after_persist.push(if Some(to) == self.me {
            Outgoing::SignForSelf(Draft(message))
        } else {
            Outgoing::Ready(Recipients::One(to), message)
        });
    }

    /// A higher ballot stands in the way: whoever used a lower one gives up.
    pub(super) fn handle_nack(&mut self, ballot: View) {
        self.highest = self.highest.max(ballot);
        let mine = match &self.part {
            Part::Follower => return,
            Part::Candidate(candidate) => candidate.ballot,
            Part::Leader(leader) => leader.ballot,
        };
        if ballot > mine {
            self.step_down();
            self.rearm();
        }
    }

    pub(super) fn step_down(&mut self) {
        self.part = Part::Follower;
        self.proposal = None;
        self.reads.forget_round();
    }

    pub(super) fn handle_promise(&mut self, from: ValidatorIndex, promise: Promise, out: &mut Out) {
        let root = self.final_height();
        let Part::Candidate(candidate) = &mut self.part else {
            return;
        };
        if promise.ballot != candidate.ballot {
            return;
        }
        if promise.final_height > root {
            self.catch_up.finals.is_ahead(from, promise.final_height);
        }
        candidate.promises.insert(from, promise);
        self.fetch(out);
        self.try_lead(out);
    }

    /// B4-B6: leads with a majority of promises, once the values to propose again are here.
    pub(super) fn try_lead(&mut self, out: &mut Out) {
        let Part::Candidate(candidate) = &self.part else {
            return;
        };
        // B4: what is final elsewhere must be learnt first: its acceptance is reported no more.
        let root = self.final_height();
        let usable: Vec<(ValidatorIndex, &Promise)> = candidate
            .promises
            .iter()
            .filter(|(_, promise)| promise.final_height <= root)
            .map(|(from, promise)| (*from, promise))
            .collect();
        if usable.len() < self.majority() {
            return;
        }
        let ballot = candidate.ballot;
        let picks = self.pick(&usable);
        let missing = picks.values.iter().find(|hash| !self.tree.knows(hash)).copied();
        if let Some(hash) = missing {
            let holder = usable.iter().find_map(|(from, promise)| {
                let entry = promise.accepted.iter().find(|entry| entry.block == hash)?;
                Some((*from, entry.slot))
            });
            let (source, height) = holder.expect("a picked value was reported");
            let mut position = self.tree.root().position;
            position.height = height;
            self.want(BlockRef { position, hash }, source);
            return self.fetch(out);
        }
        if picks.values.iter().all(|hash| self.tree.is_acceptable(hash, self.now)) {
            self.become_leader(ballot, &picks, out);
        }
    }

    /// B5: per slot the value of the highest ballot, by the rule of one slot. It stops where nothing
    /// is reported, or where the value does not extend the one picked below it: nothing from there
    /// on can have been chosen, and no-ops take those slots (B7).
    fn pick(&self, promises: &[(ValidatorIndex, &Promise)]) -> Picks {
        let root = self.tree.root();
        let entries = || promises.iter().flat_map(|(_, promise)| &promise.accepted);
        let mut values: Vec<Digest> = Vec::new();
        let (mut parent, mut slot) = (root.hash, root.position.height.next());
        loop {
            let reports: Vec<Accepted<(Digest, Digest)>> = entries()
                .filter(|entry| entry.slot == slot)
                .map(|entry| Accepted { ballot: entry.ballot, value: (entry.block, entry.parent) })
                .collect();
            match R::choose(&reports) {
                Some((block, below)) if below == parent => {
                    values.push(block);
                    parent = block;
                    slot = slot.next();
                }
                _ => break,
            }
        }
        let fill_to = entries().map(|entry| entry.slot).max().unwrap_or_default();
        Picks { values, fill_to }
    }
}
